// The active prober: ICMP echo to anchors, each through exactly one nexthop.
//
// One raw socket a family serves all targets. Each probe carries the fwmark of its nexthop's rule
// and table (probes/binding.hpp), so it leaves by that interface and gateway and no other. It emits
// a Sample for every reply, every provisional loss, and every reply that comes late. Runs on one
// io_context; call it from there only.
#pragma once

#include <boost/asio/io_context.hpp>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "core/model/path.hpp"
#include "core/model/result.hpp"
#include "core/model/sample.hpp"
#include "core/model/status.hpp"

namespace hopwise::probes {

struct Options {
  Duration interval = std::chrono::milliseconds(200);
  /// While a nexthop is suspicious: after a loss or a step in delay, or when the engine says so.
  Duration suspicious_interval = std::chrono::milliseconds(50);
  Duration suspicious_for = std::chrono::seconds(3);
  /// A probe is provisionally lost after max(this, 2 x srtt, srtt + 4 x rttvar) (as RFC 6298).
  Duration min_timeout = std::chrono::milliseconds(100);
  Duration max_timeout = std::chrono::seconds(1);
  /// A reply is still recognised, as late, this long after the probe left.
  Duration late_within = std::chrono::seconds(10);
  std::uint32_t payload_bytes = 32;
  /// fwmark = table = mark_base + nexthop id; the rules stand at rule_priority.
  std::uint32_t mark_base = 0x68770000;
  std::uint32_t rule_priority = 5200;
};

struct Target {
  Nexthop nexthop;
  std::vector<IpAddress> anchors;  // of either family; empty: nothing is probed
};

class Prober {
 public:
  using OnSample = std::function<void(const Sample&)>;

  /// Opens the sockets and clears rules and tables that a dead daemon left.
  static Result<std::unique_ptr<Prober>> open(boost::asio::io_context& io, const Options& options,
                                              OnSample on_sample);
  ~Prober();  // removes the rules and tables

  /// Starts probing a nexthop, or replaces its anchors. Probes wait until set_ready(true).
  Result<> set_target(const Target& target);
  void remove_target(NexthopId id);
  /// False while link or neighbour are down: probing goes on only to bring the neighbour back (one
  /// probe an interval), and yields no samples.
  void set_ready(NexthopId id, bool ready);
  void set_suspicious(NexthopId id, bool suspicious);
  /// New intervals and timeouts for all targets (marks and priority need a restart).
  void reconfigure(const Options& options);

  [[nodiscard]] std::vector<ProbeStatus> status() const;

 private:
  struct Impl;
  explicit Prober(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

/// Removes every rule and table entry that hopwise ever left in this network namespace. Returns a
/// line for each thing removed.
Result<std::vector<std::string>> remove_leftovers(const Options& options);

}  // namespace hopwise::probes
