// How the prober paces its probes and what it leaves in the kernel: plain data.
#pragma once

#include <cstdint>

#include "core/model/time.hpp"

namespace hopwise::probes {

struct Options {
  Duration interval = std::chrono::milliseconds(200);
  /// While a nexthop is suspicious: after a loss or a step in delay, or when the engine says so.
  Duration suspicious_interval = std::chrono::milliseconds(50);
  Duration suspicious_for = std::chrono::seconds(3);
  /// Of all probers together. When more is wanted, usual paces stretch first, suspicious ones last.
  double budget = 20'000;  // probes a second
  /// Probes of one anchor take turns in so many pinned flows (ports, or a checksum of ICMP), which
  /// ECMP beyond the nexthop may lead different ways: 1 to kMaxFlows.
  std::uint32_t flows = 4;
  static constexpr std::uint32_t kMaxFlows = 16;
  /// A probe is provisionally lost after max(this, 2 x srtt, srtt + 4 x rttvar) (as RFC 6298).
  Duration min_timeout = std::chrono::milliseconds(100);
  Duration max_timeout = std::chrono::seconds(1);
  /// A reply is still recognised, as late, this long after the probe left.
  Duration late_within = std::chrono::seconds(10);
  /// 20 to 8192: a tag of 18 bytes is in it.
  std::uint32_t payload_bytes = 32;
  /// fwmark = table = mark_base + nexthop id. Its low 16 bits are zero: one rule guards all marks.
  /// The nexthops' rules stand at rule_priority, that of the staging device and the guard just
  /// behind them and before the main table's: 1 to 32763.
  std::uint32_t mark_base = 0x68770000;
  /// The marks also carry traffic: each nexthop's leads for every family that it can carry.
  bool marks_carry_traffic = false;
  std::uint32_t rule_priority = 5200;
  /// From so many nexthops on, one rule and the staging device bind them, not a rule each, which
  /// every look-up of a route would walk past. Not where marks carry traffic.
  std::uint32_t stage_from = 33;
  /// Between two HTTP probes of one anchor.
  Duration http_interval = std::chrono::seconds(5);
  Duration http_timeout = std::chrono::seconds(3);
};

}  // namespace hopwise::probes
