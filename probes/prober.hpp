// The active prober: anchors, each through exactly one nexthop.
//
// A few filtered sockets serve all targets. Each probe carries the fwmark of its nexthop
// (probes/binding), so it leaves by that interface and gateway and no other, and the interface's
// transmit stamp proves it. It emits a Sample for every reply, every provisional loss, and every
// reply that comes late. Runs on one io_context; call it from there only, and not from within its
// events.
#pragma once

#include <boost/asio/io_context.hpp>
#include <functional>
#include <memory>
#include <set>
#include <span>
#include <string>
#include <vector>

#include "core/model/path.hpp"
#include "core/model/result.hpp"
#include "core/model/sample.hpp"
#include "core/model/status.hpp"
#include "probes/binding/staging.hpp"
#include "probes/options.hpp"
#include "probes/target.hpp"
#include "probes/trace/tracer.hpp"

namespace hopwise::probes {

class Prober {
 public:
  struct Events {
    /// What became known in one turn of the loop, in that order; never empty.
    std::function<void(std::span<const Sample>)> samples;
    /// Those whose marks lead by them now, of every family that they can carry. None while another
    /// program has removed rules that are not back yet. Called when it changes, and only where
    /// Options::marks_carry_traffic.
    std::function<void(const std::set<NexthopId>& leading)> marks{};
  };

  /// Opens the sockets and clears rules and tables that a dead daemon left.
  static Result<std::unique_ptr<Prober>> open(boost::asio::io_context& io, const Options& options,
                                              Events events, Staging staging = {});
  ~Prober();  // removes the rules and tables; where marks carry traffic, these stay

  /// All targets that a dead daemon may have had are set: clears its rules and tables for others,
  /// which had stayed because its marks may carry traffic still.
  Result<> end_inheritance();

  /// Starts probing a nexthop, or replaces its anchors; those that stay keep what they know. It is
  /// not ready: samples wait until set_ready(). After an error in binding it to the nexthop the
  /// target is kept but its probes do not leave; they are counted as unsent, and the binding is
  /// tried again with each.
  Result<> set_target(const Target& target);
  void remove_target(NexthopId id);
  /// Not ready while link or neighbour are down: probing goes on only to bring the neighbour back
  /// (one probe an interval and anchor), and yields no samples. Probes that are out become void,
  /// also when the gateway's link-layer address changes.
  void set_ready(NexthopId id, const Readiness& readiness);
  void set_suspicious(NexthopId id, bool suspicious);
  /// How a packet to `destination` leaves by the nexthop, for who sends other probes than these.
  /// Binds the nexthop for that family where no anchor needed it.
  Result<Way> way(NexthopId id, const IpAddress& destination);
  /// New intervals and timeouts for all targets (marks, priority and flows need a restart).
  void reconfigure(const Options& options);

  [[nodiscard]] std::vector<ProbeStatus> status() const;
  [[nodiscard]] ProberTotals totals() const;

 private:
  struct Impl;
  explicit Prober(std::shared_ptr<Impl> impl);
  std::shared_ptr<Impl> impl_;  // what waits in the io_context holds it weakly
};

/// Removes every rule and table entry that hopwise ever left in this network namespace. Returns a
/// line for each thing removed.
Result<std::vector<std::string>> remove_leftovers(const Options& options);

}  // namespace hopwise::probes
