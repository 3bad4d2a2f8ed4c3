// The comparison behind verification.hpp, over tables wherever they lie. Pure but for what the
// Expectation asks of its maker.
#pragma once

#include <set>
#include <string>
#include <vector>

#include "core/dataplane/installed.hpp"
#include "core/dataplane/verification.hpp"

namespace hopwise::dataplane {

/// A program of ours on an interface, whoever attached it.
struct InstalledProgram {
  Dataplane::Attachment where;
  std::set<std::uint32_t> maps;  // the kernel's numbers of the maps that it uses
};

struct Installed {
  InstalledTables tables;
  std::set<std::uint32_t> map_ids;  // of the pinned maps
  std::vector<InstalledProgram> programs;
};

Verification compare(const Installed& installed, Expectation& expectation, TimePoint now);

/// One group as its entries tell it.
struct InstalledGroup {
  struct Path {
    std::uint32_t id = 0;
    std::uint32_t nexthop = 0;
    std::uint32_t weight = 0;  // routing's; 0: a candidate
    bool usable = false;       // the path's own flag and its nexthop's
    NexthopKey key{};
  };
  std::vector<Path> paths;
  ExpectedSet set;              // of routing's own, in order
  std::string contradiction{};  // not empty: its entries are not to be trusted
};
InstalledGroup read_group(const InstalledTables& tables, std::uint32_t id);

/// "192.0.2.1@eth1 x2, 192.0.2.5@eth2".
std::string words_of(const ExpectedSet& set, const Expectation& expectation);
std::string words_of(const NexthopKey& key, const Expectation& expectation);

/// What routes lead to, as the comparison of routes found it: by group.
struct GroupUse {
  bool used = false;
  bool v4 = false;
  std::optional<Address6> first{}, last{};  // of its addresses; IPv4 in the leading 32 bits
};

// The parts of compare(), each adding to `result`.
std::vector<GroupUse> compare_routes(const InstalledTables& tables, const Expectation& expectation,
                                     Verification& result);
void compare_groups(const InstalledTables& tables, const Expectation& expectation,
                    const std::vector<GroupUse>& use, Actuator actuator, Verification& result);
void compare_programs(const Installed& installed, const Expectation& expectation,
                      const std::vector<GroupUse>& use, Actuator actuator, Verification& result);

}  // namespace hopwise::dataplane
