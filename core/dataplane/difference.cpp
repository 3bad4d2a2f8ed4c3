#include "core/dataplane/difference.hpp"

#include <utility>

namespace hopwise::dataplane {
namespace {

struct Words {
  Fault fault;
  const char* name;
  const char* meaning;
  const char* remedy;
};

constexpr const char* kRestart =
    "restart hopwise: it takes over flows and weights and sets every route anew";
constexpr const char* kAttach =
    "a running hopwise puts its programs right every 5 s: see its log for attach_failed";

constexpr std::array<Words, kFaults> kWords{{
    {Fault::not_steered, "not_steered", "the kernel forwards what should be steered", kRestart},
    {Fault::other_nexthops, "other_nexthops",
     "steered over other nexthops, or by other weights, than routing's", kRestart},
    {Fault::stale_route, "stale_route",
     "steered where routing has no route, or one that is left to the kernel", kRestart},
    {Fault::dangling_route, "dangling_route", "leads to a group, block or node that is not there",
     kRestart},
    {Fault::broken_group, "broken_group", "a group's entries contradict each other", kRestart},
    {Fault::class_group, "class_group", "a class of traffic is served by the wrong group",
     kRestart},
    {Fault::destination_group, "destination_group",
     "a destination's group carries more than that destination", kRestart},
    {Fault::stray_bucket, "stray_bucket", "a bucket holds no path of its group", kRestart},
    {Fault::dead_bucket, "dead_bucket",
     "a bucket holds a path that is not usable while another one is", kRestart},
    {Fault::unknown_nexthop, "unknown_nexthop", "a nexthop's interface is not there", kRestart},
    {Fault::usable_while_down, "usable_while_down",
     "the programs may send to a nexthop whose link or neighbour is down", kRestart},
    {Fault::unusable_while_up, "unusable_while_up",
     "the programs pass over a nexthop whose link and neighbour are up", kRestart},
    {Fault::link_address, "link_address", "MAC addresses or MTU are not the kernel's", kRestart},
    {Fault::candidate_off_link, "candidate_off_link",
     "a nexthop beyond routing's own is not directly connected",
     "see `candidates` of the configuration; set it to none and reload"},
    {Fault::program_missing, "program_missing", "an interface lacks the program of its role",
     kAttach},
    {Fault::program_stray, "program_stray", "an interface has a program of a role that it has not",
     kAttach},
    {Fault::program_apart, "program_apart",
     "a program reads other tables than those that are pinned", kRestart},
}};

const Words& words(Fault fault) {
  return kWords[static_cast<std::size_t>(fault)];
}

constexpr bool in_order() {
  for (std::size_t i = 0; i < kFaults; ++i)
    if (static_cast<std::size_t>(kWords[i].fault) != i) return false;
  return true;
}
static_assert(in_order());

}  // namespace

const char* name(Fault fault) {
  return words(fault).name;
}
const char* meaning(Fault fault) {
  return words(fault).meaning;
}
const char* remedy(Fault fault) {
  return words(fault).remedy;
}

void Differences::add(Fault fault, std::string subject, std::string detail,
                      std::optional<IpAddress> place) {
  if (full()) {
    ++counts_[static_cast<std::size_t>(fault)];
    return;
  }
  if (kept_.try_emplace({fault, std::move(subject)}, Kept{std::move(detail), place}).second)
    ++counts_[static_cast<std::size_t>(fault)];
}

std::vector<Difference> Differences::kept() const {
  std::vector<Difference> all;
  all.reserve(kept_.size());
  for (const auto& [key, kept] : kept_)
    all.push_back({key.first, key.second, kept.detail, kept.place});
  return all;
}

}  // namespace hopwise::dataplane
