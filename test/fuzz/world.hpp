// The router that the frames meet, and what is true of it at the moment: which route covers an
// address, which nexthops may be used. Kept naively beside the data plane, to judge it by.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "test/bpf/router.hpp"
#include "test/fuzz/frames.hpp"
#include "test/fuzz/oracle.hpp"

namespace hopwise::fuzz {

class World {
 public:
  explicit World(const dataplane::Options& options);

  test::Router& router() { return router_; }
  /// Something happens to it: a nexthop dies or comes back, weights or a route change, the lease
  /// runs out or is renewed.
  void change(Random& random);
  void renew_lease();

  /// The nexthop whose Ethernet addresses these are, or this mark; 0 for none.
  [[nodiscard]] std::uint32_t with_link(Frame addresses) const;
  [[nodiscard]] std::uint32_t with_mark(std::uint32_t mark) const;
  static std::array<std::uint8_t, 12> link_of(std::uint32_t nexthop);

  /// Why a whole packet of this family to this address may not be steered now.
  [[nodiscard]] Faults faults(const Reading& reading) const;
  /// Whether a packet so read may leave by this nexthop.
  [[nodiscard]] bool may_leave_by(const Reading& reading, std::uint32_t nexthop) const;
  /// Whether a flow to there may go without an entry.
  [[nodiscard]] bool stateless(const Reading& reading) const;
  /// Whether a flow to there may move while its nexthop is usable.
  [[nodiscard]] bool moves(const Reading& reading) const;
  [[nodiscard]] std::string text() const;

 private:
  struct Route {
    Prefix prefix;
    std::uint32_t group;  // 0: the kernel's
  };
  struct Hop {
    bool v6 = false;  // the gateway
    bool usable = true;
  };

  void set_route(const std::string& prefix, std::uint32_t group);
  [[nodiscard]] const Route* route_to(const Reading& reading) const;
  /// The group that carries what is so read: the route's, or the one that serves its class there.
  [[nodiscard]] std::uint32_t group_for(const Reading& reading) const;

  test::Router router_;
  bool lease_ = true;
  std::vector<Route> routes_;
  std::vector<ClassRule> rules_;
  std::map<std::uint32_t, Hop> hops_;
  std::map<std::uint32_t, Group> groups_;
  std::map<std::uint32_t, std::vector<bool>> usable_;  // of each group's paths
};

}  // namespace hopwise::fuzz
