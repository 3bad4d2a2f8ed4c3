#include "test/bench/follow_tables.hpp"

#include <bpf/bpf.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <stdexcept>
#include <thread>
#include <unordered_map>

namespace hopwise::bench {
namespace {

constexpr std::uint32_t kUnknown = ~0U;

// Nothing is ever written here, so nothing has to be waited for.
bool no_wait() {
  return true;
}

IpAddress last_of(const Prefix& prefix) {
  IpAddress address = prefix.address;
  for (int bit = prefix.length; bit < address.bits(); ++bit)
    address.bytes[static_cast<std::size_t>(bit) / 8] |= static_cast<std::uint8_t>(0x80 >> bit % 8);
  return address;
}

}  // namespace

dataplane::MapFds FollowTables::open(const std::string& folder) {
  const auto get = [&](const char* name) {
    handles_.emplace_back(bpf_obj_get((folder + '/' + name).c_str()));
    if (!handles_.back())
      throw std::runtime_error(system_error("open " + folder + '/' + name, errno).message);
    return handles_.back().fd();
  };
  dataplane::MapFds fds{};
  fds.router = get("hw_router");
  fds.routes4 = get("hw_routes4");
  fds.blocks4 = get("hw_blocks4");
  fds.routes6 = get("hw_routes6");
  fds.nodes6 = get("hw_nodes6");
  fds.groups = get("hw_groups");
  fds.classes = get("hw_classes");
  fds.buckets = get("hw_buckets");
  fds.paths = get("hw_paths");
  fds.nexthops = get("hw_nexthops");
  return fds;
}

FollowTables::FollowTables(const std::string& folder)
    : tables_(dataplane::Tables::map(open(folder), no_wait).value()),
      nexthops_(dataplane::MappedArray<hw_nexthop>::map(tables_.fds().nexthops, HW_MAX_NEXTHOPS,
                                                        "hw_nexthops")
                    .value()),
      maps_(dataplane::RouteMaps::map(tables_.fds()).value()),
      routes_(maps_.arrays(tables_.router()), no_wait) {}

FollowTables::Set FollowTables::set_of(const Ways& ways) {
  Set set;
  for (const Leg& leg : ways.legs)
    set.emplace_back(NexthopKey{leg.ifindex, leg.gateway}, leg.weight);
  std::sort(set.begin(), set.end());
  return set;
}

FollowTables::Set FollowTables::set_of(std::uint16_t group) const {
  Set set;
  if (group == HW_ROUTE_NONE || group >= HW_ROUTE_KERNEL) return set;
  const auto entry = tables_.group(group);
  if (!entry) return set;
  for (const Path& path : entry->paths)
    if (const auto key = tables_.nexthop(raw(path.nexthop)))
      set.emplace_back(*key, path.kernel_weight);
  std::sort(set.begin(), set.end());
  return set;
}

std::optional<std::uint32_t> FollowTables::nexthop(const NexthopKey& key) const {
  for (std::uint32_t id = 1; id < HW_MAX_NEXTHOPS; ++id)
    if (tables_.nexthop(id) == key) return id;
  return std::nullopt;
}

// The longest match of an address among the routes that are there: by a table for each length, from
// the longest on. Deliberately nothing of the data plane's own.
Expected::Expected(const std::vector<Prefix>& prefixes, const std::vector<const Ways*>& ways) {
  std::unordered_map<const Ways*, std::uint32_t> known;
  sets_.emplace_back();  // 0: none
  std::array<std::unordered_map<IpAddress, std::uint32_t>, 129> by_length[2];
  for (std::size_t i = 0; i < prefixes.size(); ++i) {
    if (ways[i] == nullptr) continue;
    const auto [set, is_new] = known.try_emplace(ways[i], sets_.size());
    if (is_new) sets_.push_back(FollowTables::set_of(*ways[i]));
    by_length[prefixes[i].address.is_v4() ? 0 : 1][prefixes[i].length].emplace(prefixes[i].address,
                                                                               set->second);
  }
  const auto match = [&](const IpAddress& address) -> std::uint32_t {
    const auto& tables = by_length[address.is_v4() ? 0 : 1];
    for (int length = address.bits(); length >= 0; --length) {
      const auto& table = tables[static_cast<std::size_t>(length)];
      if (table.empty()) continue;
      const auto found = table.find(Prefix::covering(address, length).address);
      if (found != table.end()) return found->second;
    }
    return 0;
  };
  places_.reserve(2 * prefixes.size());
  for (const Prefix& prefix : prefixes)
    for (const IpAddress& address : {prefix.address, last_of(prefix)})
      places_.push_back({address, match(address)});
}

std::vector<std::uint32_t> Expected::groups(const FollowTables& tables) const {
  std::vector<std::uint32_t> which(HW_ROUTE_KERNEL + 1, kUnknown);
  which[HW_ROUTE_NONE] = which[HW_ROUTE_KERNEL] = 0;
  for (std::uint16_t group = 1; group < HW_ROUTE_KERNEL; ++group) {
    const auto set = tables.set_of(group);
    const auto found = set.empty() ? sets_.end() : std::find(sets_.begin(), sets_.end(), set);
    if (found != sets_.end()) which[group] = static_cast<std::uint32_t>(found - sets_.begin());
  }
  return which;
}

std::size_t Expected::wrong(const FollowTables& tables) const {
  const auto which = groups(tables);
  return static_cast<std::size_t>(std::count_if(
      places_.begin(), places_.end(),
      [&](const Place& place) { return which[tables.group_of(place.address)] != place.set; }));
}

// A place that is wrong is asked again until it is right; a whole round without one ends it.
bool Expected::settle(const FollowTables& tables, std::chrono::steady_clock::time_point end) const {
  for (std::size_t right = 0, i = 0; right < places_.size();) {
    const auto which = groups(tables);
    while (right < places_.size() && which[tables.group_of(places_[i].address)] == places_[i].set) {
      ++right;
      i = (i + 1) % places_.size();
    }
    if (right == places_.size()) break;
    right = 0;
    if (std::chrono::steady_clock::now() > end) return false;
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
  return true;
}

}  // namespace hopwise::bench
