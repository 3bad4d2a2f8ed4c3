// Which nexthops' marks lead to them now, where the marks carry forwarded traffic too.
//
// A probe needs the table of its anchor's family alone, and is refused without it. Forwarded
// packets are of every family, and without a table they take the main table's route: a mark counts
// as leading only when all tables that it needs are there, and while the rules are intact.
#pragma once

#include <functional>
#include <optional>
#include <set>

#include "probes/binding/binding.hpp"
#include "probes/binding/rule_watch.hpp"

namespace hopwise::probes {

class Leads {
 public:
  using OnChange = std::function<void(const std::set<NexthopId>& leading)>;

  /// `binding` and `watch` must outlive it.
  Leads(Binding& binding, RuleWatch& watch, OnChange on_change)
      : binding_(binding), watch_(watch), on_change_(std::move(on_change)) {}

  /// Makes the tables, or puts back what the kernel dropped. False when one cannot be made.
  bool lead(const Nexthop& nexthop);
  void forget(NexthopId id);
  /// Calls on_change when those that lead are others than it was told last.
  void tell();

 private:
  Binding& binding_;
  RuleWatch& watch_;
  OnChange on_change_;
  std::set<NexthopId> leading_;  // while the rules are intact
  std::optional<std::set<NexthopId>> told_;
};

}  // namespace hopwise::probes
