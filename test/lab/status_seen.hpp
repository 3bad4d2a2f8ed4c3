// What hopwise says of itself by its API, as far as the demo shows and reports it. Pure.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/model/address.hpp"
#include "core/model/result.hpp"
#include "test/lab/record.hpp"

namespace hopwise::lab {

/// The name that the demo's configuration gives to an upstream's nexthop of a family: names of
/// nexthops are unique. "isp-a", "isp-a-v6".
std::string nexthop_name(const std::string& upstream, Family family);

struct NexthopSeen {
  std::string state;
  std::optional<double> rtt_ms;
  double loss = 0;
  std::optional<double> weight;  // in the group that has it
};

struct StatusSeen {
  bool ready = false;
  std::string not_ready_because;
  std::map<std::string, NexthopSeen> nexthops;  // by name
  std::vector<DecisionSeen> decisions;          // `at` by CLOCK_MONOTONIC; oldest first
};

/// From the JSON of /api/v1/status. Paths of nexthops that belong to no upstream are left out.
Result<StatusSeen> parse_status(std::string_view json, const std::vector<std::string>& upstreams);

/// Appends those of `seen` that `decisions` has not yet, their times counted from `origin`.
/// Returns how many are new.
std::size_t append_new(const StatusSeen& seen, double origin, std::vector<DecisionSeen>& decisions);

}  // namespace hopwise::lab
