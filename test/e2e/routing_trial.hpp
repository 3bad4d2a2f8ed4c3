// A router under trial: hopwise beside a routing daemon, traffic of both families through it, and
// one thing after another that happens to routing. After each step the data plane must be what a
// fresh start would make of the kernel's routes, and no packet may have gone to a nexthop that
// routing had withdrawn more than 100 ms before. A row of figures is printed for every step.
//
// The 100 ms are between two of the kernel's own events: its word (offers.hpp) and the packet's
// stamp (sightings.hpp). hopwise must be scheduled in between, so on a loaded machine one step may
// be repeated once, and must then keep to it; both rows stand in the output, with how long hopwise
// was ready to run and did not.
#pragma once

#include <functional>
#include <memory>
#include <set>
#include <string>

#include "test/e2e/router.hpp"
#include "test/lab/offers.hpp"
#include "test/lab/sightings.hpp"
#include "test/lab/speaker.hpp"

namespace hopwise::e2e {

/// Three upstreams: FRR, BIRD and GoBGP; all without a daemon for a router without one.
lab::Topology three_upstreams(lab::Daemon router = lab::Daemon::frr);

class RoutingTrial {
 public:
  /// Opens the lab, starts hopwise without a configuration, begins the traffic and waits until it
  /// flows. `form` names the rows.
  RoutingTrial(std::string form, const lab::Topology& topology);
  ~RoutingTrial();

  Router& router() { return router_; }
  lab::Lab& lab() { return router_.lab(); }
  [[nodiscard]] const lab::Lab& lab() const { return router_.lab(); }

  /// Does `fault`, which waits itself for what routing makes of it, then waits until the data plane
  /// agrees with the kernel, and judges. `fault` must leave the lab so that it can be repeated.
  void step(const std::string& name, const std::function<void()>& fault);
  /// The same without a judgement: for what is to be judged otherwise.
  struct Row {
    lab::Stale stale;
    std::uint64_t lost = 0;
    std::string difference;
  };
  Row observe(const std::string& name, const std::function<void()>& fault);

  /// Waits until exactly these upstreams are in the kernel's routes of both families, and then for
  /// the data plane to agree.
  void offered(const std::vector<std::size_t>& upstreams);
  void all_offered();
  /// Which upstreams routing offers, by the kernel's own word.
  [[nodiscard]] std::set<std::size_t> kernel(Family family) const { return offers_->now(family); }
  /// What keeps the data plane from being what a fresh start would make; empty: nothing.
  [[nodiscard]] std::string difference() const;
  /// The same once hopwise had its time to do something about it.
  [[nodiscard]] std::string agrees() const;
  /// What `hopwise verify` has to say against it; empty: nothing.
  [[nodiscard]] std::string verify();
  /// Datagrams of both families that have arrived.
  [[nodiscard]] std::uint64_t received() const;
  void flows(std::uint64_t packets = 300) const;

 private:
  [[nodiscard]] std::string difference(Family family) const;
  [[nodiscard]] std::size_t upstream_of(const Json& nexthop) const;
  [[nodiscard]] Duration unscheduled();

  std::string form_;
  Router router_;
  std::unique_ptr<lab::OfferLog> offers_;
  std::unique_ptr<lab::Sightings> sightings_;
  std::unique_ptr<lab::PacketStream> stream4_, stream6_;
};

}  // namespace hopwise::e2e
