// What may be wrong with the data plane, and what to do about it. Plain data.
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "core/model/address.hpp"

namespace hopwise::dataplane {

/// Kinds of differences between what the kernel's routing says and what the programs would do.
enum class Fault : std::uint8_t {
  not_steered,         // the kernel forwards what should be steered, and there is room for it
  other_nexthops,      // a group that is not over the route's nexthops, or with other weights
  stale_route,         // steered, where routing has no route, or one that is the kernel's
  dangling_route,      // leads to a group, block or node that is not there
  broken_group,        // entries of a group and its paths contradict each other
  class_group,         // a class is served by a group that is not one of the class over this set
  destination_group,   // a destination's group carries what is not one destination's
  stray_bucket,        // a bucket holds no path of its group
  dead_bucket,         // a bucket holds a path that is not usable, while another one is
  unknown_nexthop,     // an entry names an interface that there is not
  usable_while_down,   // the programs may use a nexthop whose link or neighbour is down
  unusable_while_up,   // and may not use one that is up
  link_address,        // MAC addresses or MTU are not the kernel's
  candidate_off_link,  // a nexthop beyond routing's own is not directly connected
  program_missing,     // an interface lacks the program of its role
  program_stray,       // an interface has a program of a role that it has not
  program_apart,       // an interface's program reads other tables than those that are pinned
};
inline constexpr std::size_t kFaults = 17;

/// As in JSON: "not_steered".
const char* name(Fault fault);
/// One sentence: what it means.
const char* meaning(Fault fault);
/// What an operator does about it.
const char* remedy(Fault fault);

struct Difference {
  Fault fault{};
  std::string subject;  // a prefix, "group 3", a gateway@ifindex, "eth0 lan": the same each time
  std::string detail;   // how it is and how it should be
  std::optional<IpAddress> place{};  // of routes: an address where it was seen
};

/// Differences, each subject of a kind once: the first `kKept` of all kinds with their words, the
/// others counted.
class Differences {
 public:
  static constexpr std::size_t kKept = 20'000;

  void add(Fault fault, std::string subject, std::string detail,
           std::optional<IpAddress> place = std::nullopt);
  /// What comes now is counted alone.
  [[nodiscard]] bool full() const { return kept_.size() >= kKept; }

  [[nodiscard]] std::vector<Difference> kept() const;
  [[nodiscard]] std::uint64_t count(Fault fault) const {
    return counts_[static_cast<std::size_t>(fault)];
  }
  [[nodiscard]] bool empty() const { return kept_.empty(); }

 private:
  struct Kept {
    std::string detail;
    std::optional<IpAddress> place;
  };
  std::map<std::pair<Fault, std::string>, Kept> kept_;
  std::array<std::uint64_t, kFaults> counts_{};
};

}  // namespace hopwise::dataplane
