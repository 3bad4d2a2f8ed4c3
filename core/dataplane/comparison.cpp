// Routes: two sequences of ranges, both in order of address, gone through side by side.
#include "core/dataplane/comparison.hpp"

#include <algorithm>
#include <map>
#include <unordered_map>

namespace hopwise::dataplane {
namespace {

// Beyond this share of the blocks or nodes in use, a route that is left to the kernel is for want
// of them: some are always given back and not free yet.
constexpr double kFull = 0.99;

/// The largest prefix that begins a range and lies in it.
template <class Address>
Prefix head_of(Address first, Address last) {
  int length = kBits<Address>;
  while (length > 0) {
    const Address wider = leading<Address>(length - 1);
    if ((first & ~wider) != 0 || (first | static_cast<Address>(~wider)) > last) break;
    --length;
  }
  return {address_of(first), static_cast<std::uint8_t>(length)};
}

Address6 in_order(Address4 address) {
  return Address6{address} << 96;
}
Address6 in_order(Address6 address) {
  return address;
}

/// What is in use of the tables' ids.
struct IdsUsed {
  std::size_t groups = 0, paths = 0, nexthops = 0;
};

template <class Entry, class Used>
std::size_t count_used(std::span<const Entry> entries, const Used& used) {
  return static_cast<std::size_t>(std::count_if(entries.begin(), entries.end(), used));
}

class RouteComparison {
 public:
  RouteComparison(const InstalledTables& tables, const Expectation& expectation,
                  Verification& result)
      : tables_(tables), expectation_(expectation), result_(result), use_(tables.groups.size()) {
    ids_.groups = count_used(tables.groups, [](const hw_group& g) { return seen(g.count) != 0; });
    ids_.paths = count_used(tables.paths, [](const hw_path& p) { return seen(p.group) != 0; });
    ids_.nexthops =
        count_used(tables.nexthops, [](const hw_nexthop& n) { return seen(n.ifindex) != 0; });
  }

  template <class Address, class Walk>
  std::size_t family(const std::vector<RouteTo<Address>>& routes, const Walk& walk);

  std::vector<GroupUse> take_use() { return std::move(use_); }

 private:
  enum class Verdict : std::uint8_t { right, other, dangling, stale };

  const InstalledGroup& group(std::uint32_t id);
  Verdict judge(std::uint32_t set, std::uint32_t group);
  template <class Address>
  void note_use(std::uint32_t group, Address first, Address last);
  template <class Address>
  void left_to_kernel(const RouteTo<Address>& expected, Address place, bool no_room);
  std::string instead(std::uint32_t value, std::uint32_t set);
  [[nodiscard]] bool lacks_ids(const ExpectedSet& set) const;
  [[nodiscard]] bool is_known(const NexthopKey& key) const;
  [[nodiscard]] bool may_be_one_router(const NexthopKey& a, const NexthopKey& b) const;
  [[nodiscard]] bool may_be_joined(const ExpectedSet& set, const ExpectedSet& installed) const;
  [[nodiscard]] bool may_be_joined_to_one(std::uint32_t set);

  const InstalledTables& tables_;
  const Expectation& expectation_;
  Verification& result_;
  std::vector<GroupUse> use_;
  IdsUsed ids_;
  std::unordered_map<std::uint32_t, InstalledGroup> groups_;
  std::unordered_map<std::uint64_t, Verdict> verdicts_;
  std::unordered_map<std::uint32_t, bool> to_one_;  // by set
};

const InstalledGroup& RouteComparison::group(std::uint32_t id) {
  const auto [found, added] = groups_.try_emplace(id);
  if (added) found->second = read_group(tables_, id);
  return found->second;
}

RouteComparison::Verdict RouteComparison::judge(std::uint32_t set, std::uint32_t value) {
  const std::uint64_t key = std::uint64_t{set} << 32 | value;
  const auto [found, added] = verdicts_.try_emplace(key, Verdict::right);
  if (!added) return found->second;
  if (value >= tables_.groups.size() || seen(tables_.groups[value].count) == 0)
    found->second = Verdict::dangling;
  else if (expectation_.sets[set].empty())
    found->second = Verdict::stale;
  else if (const ExpectedSet& wanted = expectation_.sets[set];
           group(value).set != wanted && !may_be_joined(wanted, group(value).set))
    found->second = Verdict::other;
  return found->second;
}

template <class Address>
void RouteComparison::note_use(std::uint32_t group, Address first, Address last) {
  if (group >= use_.size()) return;
  GroupUse& use = use_[group];
  use.used = true;
  use.v4 = sizeof(Address) == sizeof(Address4);
  if (!use.first) use.first = in_order(first);
  use.last = in_order(last);
}

// One router by two addresses on one link is one nexthop, known by one of them
// (routes::Forwardings). A daemon remembers the link-layer address of one whose neighbour entry the
// kernel has dropped since; who dumps afresh cannot know.
bool RouteComparison::is_known(const NexthopKey& key) const {
  return expectation_.gateway(key).neighbour_resolved;
}

bool RouteComparison::may_be_one_router(const NexthopKey& a, const NexthopKey& b) const {
  return a.ifindex == b.ifindex && !(is_known(a) && is_known(b));
}

bool RouteComparison::may_be_joined(const ExpectedSet& set, const ExpectedSet& installed) const {
  if (installed.size() >= set.size()) return false;
  std::map<std::uint32_t, std::int64_t> owed;  // weight, by interface
  for (const ExpectedNexthop& own : installed) {
    const auto wanted = std::find_if(set.begin(), set.end(),
                                     [&](const ExpectedNexthop& w) { return w.key == own.key; });
    if (wanted == set.end() || own.weight < wanted->weight) return false;
    owed[own.key.ifindex] -= own.weight;
  }
  for (const ExpectedNexthop& wanted : set) {
    owed[wanted.key.ifindex] += wanted.weight;
    const bool there =
        std::any_of(installed.begin(), installed.end(), [&](const ExpectedNexthop& own) {
          return own.key == wanted.key || may_be_one_router(own.key, wanted.key);
        });
    if (!there) return false;
  }
  return std::all_of(owed.begin(), owed.end(), [](const auto& left) { return left.second == 0; });
}

// Then it is the kernel's.
bool RouteComparison::may_be_joined_to_one(std::uint32_t set) {
  const auto [found, added] = to_one_.try_emplace(set, false);
  if (!added) return found->second;
  const ExpectedSet& all = expectation_.sets[set];
  const bool one_link = std::all_of(all.begin(), all.end(), [&](const ExpectedNexthop& nexthop) {
    return nexthop.key.ifindex == all[0].key.ifindex;
  });
  const auto known = std::count_if(all.begin(), all.end(), [&](const ExpectedNexthop& nexthop) {
    return is_known(nexthop.key);
  });
  return found->second = one_link && known <= 1;
}

bool RouteComparison::lacks_ids(const ExpectedSet& set) const {
  return ids_.groups + 1 >= tables_.groups.size() ||
         ids_.paths + set.size() >= tables_.paths.size() ||
         ids_.nexthops + 1 >= tables_.nexthops.size();
}

template <class Address>
void RouteComparison::left_to_kernel(const RouteTo<Address>& expected, Address place,
                                     bool no_room) {
  const ExpectedSet& set = expectation_.sets[expected.to];
  if (set.size() > HW_MAX_GROUP_PATHS)
    ++result_.counts.too_large;
  else if (lacks_ids(set))
    ++result_.counts.no_ids;
  else if (no_room)
    ++result_.counts.no_room;
  else
    result_.differences.add(Fault::not_steered,
                            Prefix{address_of(expected.address), expected.length}.text(),
                            "should go by " + words_of(set, expectation_), address_of(place));
}

std::string RouteComparison::instead(std::uint32_t value, std::uint32_t set) {
  const ExpectedSet& wanted = expectation_.sets[set];
  if (value == kDangling) return "leads to a block or node that is not there, or is another's";
  if (value >= tables_.groups.size() || seen(tables_.groups[value].count) == 0)
    return "leads to group " + std::to_string(value) + ", which is not there";
  const std::string is = "leads to group " + std::to_string(value) + " (" +
                         words_of(group(value).set, expectation_) + ")";
  return wanted.empty() ? is : is + " instead of " + words_of(wanted, expectation_);
}

// Both sequences cover every address: one pass along the shorter ranges that they cut each other
// into.
template <class Address, class Walk>
std::size_t RouteComparison::family(const std::vector<RouteTo<Address>>& routes, const Walk& walk) {
  LongestMatch<Address> match(routes);
  std::vector<bool> told(routes.size());
  // Routes that should be steered, and are the kernel's; and where.
  std::vector<std::pair<std::size_t, Address>> kernels;
  std::size_t segments = 0;
  const auto once = [&](std::size_t route) {
    if (told[route]) return false;
    told[route] = true;
    return true;
  };
  PlacesSeen places;
  walk(places, [&](const Run<Address>& run) {
    for (Address at = run.first;;) {
      const auto segment = match.at(at);
      const Address end = std::min(segment.last, run.last);
      ++segments;
      const std::uint32_t set = segment.route ? routes[*segment.route].to : 0;
      const bool kernel = run.value == HW_ROUTE_NONE || run.value == HW_ROUTE_KERNEL;
      if (kernel) {
        if (expectation_.sets[set].size() >= 2 && !may_be_joined_to_one(set) &&
            once(*segment.route))
          kernels.emplace_back(*segment.route, at);
      } else {
        note_use(run.value, at, end);
        const Verdict verdict = judge(set, run.value);
        if (verdict != Verdict::right && (!segment.route || once(*segment.route))) {
          const Prefix subject = segment.route ? Prefix{address_of(routes[*segment.route].address),
                                                        routes[*segment.route].length}
                                               : head_of(at, end);
          const Fault fault = verdict == Verdict::dangling ? Fault::dangling_route
                              : verdict == Verdict::stale  ? Fault::stale_route
                                                           : Fault::other_nexthops;
          result_.differences.add(fault, subject.text(), instead(run.value, set), address_of(at));
        }
      }
      if (end == run.last) break;
      at = static_cast<Address>(end + 1);
    }
  });
  const bool no_room = static_cast<double>(places.blocks4) > kFull * HW_MAX_BLOCKS4 ||
                       static_cast<double>(places.nodes6) > kFull * HW_MAX_NODES6;
  for (const auto& [route, place] : kernels) left_to_kernel(routes[route], place, no_room);
  return segments;
}

}  // namespace

std::vector<GroupUse> compare_routes(const InstalledTables& tables, const Expectation& expectation,
                                     Verification& result) {
  RouteComparison comparison(tables, expectation, result);
  result.counts.segments4 = comparison.family<Address4>(
      expectation.routes4,
      [&](PlacesSeen& places, const auto& each) { walk_installed4(tables, places, each); });
  result.counts.segments6 = comparison.family<Address6>(
      expectation.routes6,
      [&](PlacesSeen& places, const auto& each) { walk_installed6(tables, places, each); });
  return comparison.take_use();
}

Verification compare(const Installed& installed, Expectation& expectation, TimePoint now) {
  Verification result;
  if (const std::uint64_t until = seen(installed.tables.router->expires_ns); until != 0)
    result.lease_left = TimePoint(Duration(static_cast<Duration::rep>(until))) - now;
  sort_routes(expectation.routes4);
  sort_routes(expectation.routes6);
  result.counts.routes4 = expectation.routes4.size();
  result.counts.routes6 = expectation.routes6.size();
  result.counts.sets = expectation.sets.size() - 1;
  const auto steered = [&](const auto& route) { return expectation.sets[route.to].size() >= 2; };
  result.counts.steered = static_cast<std::size_t>(
      std::count_if(expectation.routes4.begin(), expectation.routes4.end(), steered) +
      std::count_if(expectation.routes6.begin(), expectation.routes6.end(), steered));

  const auto use = compare_routes(installed.tables, expectation, result);
  const bool by_mark =
      std::any_of(installed.programs.begin(), installed.programs.end(),
                  [](const InstalledProgram& p) { return p.where.role == Role::lan_return; });
  const Actuator actuator = by_mark ? Actuator::mark : Actuator::redirect;
  compare_groups(installed.tables, expectation, use, actuator, result);
  compare_programs(installed, expectation, use, actuator, result);
  return result;
}

}  // namespace hopwise::dataplane
