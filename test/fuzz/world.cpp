#include "test/fuzz/world.hpp"

#include <arpa/inet.h>
#include <netinet/in.h>

#include <algorithm>
#include <span>

#include "test/catch.hpp"

namespace hopwise::fuzz {
namespace {

constexpr std::uint32_t kMark = 0x68770000;
constexpr std::uint32_t kFlowlets = 2, kBuckets = 6;  // groups of another affinity

// Groups for classes: of group 1's nexthops, and of group 4's.
constexpr std::uint32_t kGroups = 9;
const std::map<std::pair<std::uint32_t, std::uint32_t>, std::uint32_t> kServing = {
    {{1, 1}, 7}, {{1, 2}, 8}, {{4, 2}, 9}};

bool covers(const Prefix& prefix, int family, const std::uint8_t* address) {
  if (prefix.address.is_v4() != (family == 4)) return false;
  for (unsigned bit = 0; bit < prefix.length; ++bit) {
    const unsigned byte = bit / 8, mask = 0x80U >> bit % 8;
    if (((prefix.address.bytes[byte] ^ address[byte]) & mask) != 0) return false;
  }
  return true;
}

bool covers(const Prefix& prefix, const Reading& reading) {
  return covers(prefix, reading.key.family, reading.key.destination);
}

std::vector<ClassRule> some_rules(Random& random) {
  const auto at = [](const char* prefix) { return Prefix::parse(prefix); };
  const ClassRule all[] = {
      {.traffic_class = 1, .dscp = 1ULL << 46 | 1ULL << 10},
      {.traffic_class = 2, .dscp = 0xffff'fffe, .protocol = IPPROTO_UDP},
      {.traffic_class = 2, .protocol = IPPROTO_UDP, .destination_port = PortRange{1, 2000}},
      {.traffic_class = 1, .protocol = IPPROTO_TCP, .source_port = PortRange{20'000, 65'535}},
      {.traffic_class = 2,
       .source_port = PortRange{0, 5000},
       .destination_port = PortRange{0, 443}},
      {.traffic_class = 1, .destination = at("203.0.113.0/27")},
      {.traffic_class = 2, .destination = at("2001:db8::/33")},
      {.traffic_class = 2, .source = at("10.0.0.0/9"), .destination = at("192.88.99.0/24")},
      {.traffic_class = 2, .protocol = IPPROTO_ICMP}};
  std::vector<ClassRule> rules;
  for (std::uint32_t left = random.below(6); left > 0; --left)
    rules.push_back(all[random.below(std::size(all))]);
  return rules;
}

// Ports are those of TCP and UDP, and a fragment has none: both are 0.
bool fits(const std::optional<PortRange>& range, std::uint16_t port) {
  return !range || (range->first <= ntohs(port) && ntohs(port) <= range->last);
}

bool fits(const ClassRule& rule, const Reading& reading) {
  const hw_flow_key& key = reading.key;
  const bool icmp = key.protocol == IPPROTO_ICMP || key.protocol == IPPROTO_ICMPV6;
  const bool ports = !icmp && (key.source_port != 0 || key.destination_port != 0);
  if ((rule.dscp >> reading.dscp & 1) == 0) return false;
  if (rule.protocol == IPPROTO_ICMP ? !icmp : rule.protocol != 0 && rule.protocol != key.protocol)
    return false;
  if ((rule.source_port || rule.destination_port) &&
      !(ports && fits(rule.source_port, key.source_port) &&
        fits(rule.destination_port, key.destination_port)))
    return false;
  return (!rule.source || covers(*rule.source, key.family, key.source)) &&
         (!rule.destination || covers(*rule.destination, key.family, key.destination));
}

}  // namespace

World::World(const dataplane::Options& options) : router_(options) {
  const char* gateways[] = {"192.0.2.1",     "192.0.2.2",     "192.0.2.3",
                            "2001:db8:2::1", "2001:db8:2::2", "fe80::7"};
  for (std::uint32_t id = 1; id <= 6; ++id) {
    router_.nexthop(id, gateways[id - 1]);
    hops_[id].v6 = id > 3;
  }
  groups_[1] = router_.group(1, {{1, 1}, {2, 1}});
  groups_[2] = router_.group(2, {{2, 1}, {3, 1}, {6, 2}});
  groups_[3] = router_.group(3, {{3, 1}});
  groups_[4] = router_.group(4, {{4, 1}, {5, 1}});
  groups_[5] = router_.group(5, {{1, 1}});  // no gateway that IPv6 could use
  groups_[6] = router_.group(6, {{1, 3}, {4, 1}, {6, 1}});
  groups_[7] = router_.group(7, {{1, 1}, {2, 1}});
  groups_[8] = router_.group(8, {{1, 1}, {2, 1}});
  groups_[9] = router_.group(9, {{4, 1}, {5, 1}});
  for (auto& [id, group] : groups_) usable_[id].assign(group.paths.size(), true);
  for (const auto& [prefix, group] :
       std::initializer_list<std::pair<const char*, std::uint32_t>>{{"203.0.113.0/24", 1},
                                                                    {"203.0.113.128/25", 0},
                                                                    {"198.51.0.0/16", 2},
                                                                    {"198.51.100.0/24", 6},
                                                                    {"192.88.99.0/24", 3},
                                                                    {"192.88.99.7/32", 1},
                                                                    {"2001:db8::/32", 4},
                                                                    {"2001:db8:ff::/48", 0},
                                                                    {"2001:db8:aa::/48", 5},
                                                                    {"2001:db8:bb::/48", 6},
                                                                    {"2001:db8:ffff::5/128", 6}})
    set_route(prefix, group);
  auto& dataplane = router_.dataplane();
  REQUIRE(dataplane.set_class_groups(GroupId{1}, std::vector{GroupId{7}, GroupId{8}}));
  REQUIRE(dataplane.set_class_groups(GroupId{4}, std::vector{GroupId{}, GroupId{9}}));
  dataplane.set_affinity(GroupId{kFlowlets}, dataplane::Affinity::flowlet,
                         std::chrono::milliseconds(1));
  dataplane.set_affinity(GroupId{kBuckets}, dataplane::Affinity::bucket, {});
  for (const auto& [id, hop] : hops_) {
    if (id % 3 == 0) continue;  // the kernel is asked for these
    const auto link = link_of(id);
    dataplane::Link known;
    std::copy_n(link.begin(), 6, known.gateway.begin());
    std::copy_n(link.begin() + 6, 6, known.interface.begin());
    known.mtu = id % 2 == 0 ? 1500 : 0;
    dataplane.set_nexthop_link(NexthopId{id}, known);
  }
}

std::array<std::uint8_t, 12> World::link_of(std::uint32_t nexthop) {
  const auto id = static_cast<std::uint8_t>(nexthop);
  return {2, 0, 0, 0, 9, id, 2, 0, 0, 0, 8, id};
}

std::uint32_t World::with_link(Frame addresses) const {
  for (const auto& [id, hop] : hops_) {
    const auto link = link_of(id);
    if (id % 3 != 0 && std::equal(addresses.begin(), addresses.end(), link.begin())) return id;
  }
  return 0;
}

std::uint32_t World::with_mark(std::uint32_t mark) const {
  return hops_.contains(mark - kMark) ? mark - kMark : 0;
}

void World::set_route(const std::string& prefix, std::uint32_t group) {
  router_.route(prefix, group);
  const Prefix parsed = *Prefix::parse(prefix);
  std::erase_if(routes_, [&](const Route& route) { return route.prefix == parsed; });
  routes_.push_back({parsed, group});
}

void World::renew_lease() {
  if (lease_) router_.dataplane().renew_lease(test::Router::now());
}

void World::change(Random& random) {
  auto& dataplane = router_.dataplane();
  const std::uint32_t what = random.below(lease_ ? 18 : 2);
  if (what == 0) {
    lease_ = !lease_;
    if (!lease_) dataplane.end_lease();
  } else if (what < 5) {
    const std::uint32_t id = 1 + random.below(6);
    hops_[id].usable = !hops_[id].usable;
    dataplane.set_nexthop_usable(NexthopId{id}, hops_[id].usable);
  } else if (what < 9) {
    const std::uint32_t id = 1 + random.below(kGroups);
    std::vector<double> weights;
    std::vector<bool>& usable = usable_[id];
    for (std::size_t i = 0; i < usable.size(); ++i) {
      usable[i] = !random.one_in(4);
      weights.push_back(usable[i] ? 1 + random.below(4) : 0);
    }
    if (std::find(usable.begin(), usable.end(), true) == usable.end()) weights[0] = 1;
    double sum = 0;
    for (const double weight : weights) sum += weight;
    for (double& weight : weights) weight /= sum;
    router_.publish(groups_.at(id), weights, usable);
  } else if (what < 13) {
    const char* prefixes[] = {"203.0.113.128/25", "203.0.113.8/29", "2001:db8:ff::/48",
                              "192.88.99.0/24"};
    const std::string prefix = prefixes[random.below(4)];
    set_route(prefix, random.one_in(2) ? 0 : 1 + random.below(6));
  } else if (what >= 16) {
    rules_ = some_rules(random);
    REQUIRE(dataplane.set_classes(rules_));
  } else {
    for (auto& [id, hop] : hops_) {
      hop.usable = true;
      dataplane.set_nexthop_usable(NexthopId{id}, true);
    }
  }
  renew_lease();
}

const World::Route* World::route_to(const Reading& reading) const {
  const Route* best = nullptr;
  for (const Route& route : routes_)
    if (covers(route.prefix, reading) &&
        (best == nullptr || route.prefix.length > best->prefix.length))
      best = &route;
  return best;
}

std::uint32_t World::group_for(const Reading& reading) const {
  const std::uint32_t group = route_to(reading)->group;
  for (const ClassRule& rule : rules_) {
    if (!fits(rule, reading)) continue;
    const auto serving = kServing.find({group, rule.traffic_class});
    return serving == kServing.end() ? group : serving->second;
  }
  return group;
}

bool World::may_leave_by(const Reading& reading, std::uint32_t nexthop) const {
  const Route* route = route_to(reading);
  if (route == nullptr || route->group == 0) return false;
  const std::uint32_t id = group_for(reading);
  const Group& group = groups_.at(id);
  for (std::size_t i = 0; i < group.paths.size(); ++i) {
    if (raw(group.paths[i].nexthop) != nexthop) continue;
    const Hop& hop = hops_.at(nexthop);
    return hop.usable && usable_.at(id)[i] && (hop.v6 || reading.key.family == 4);
  }
  return false;
}

bool World::stateless(const Reading& reading) const {
  const Route* route = route_to(reading);
  return reading.kind == Kind::error || (route != nullptr && route->group == kBuckets);
}

bool World::moves(const Reading& reading) const {
  const Route* route = route_to(reading);
  return route != nullptr && (route->group == kBuckets || route->group == kFlowlets);
}

Faults World::faults(const Reading& reading) const {
  Faults faults = 0;
  if (!lease_) faults |= fault(HW_REASON_LEASE_OVER);
  if (reading.faults != 0) return faults;
  const Route* route = route_to(reading);
  if (route == nullptr) return faults | fault(HW_REASON_NO_ROUTE);
  if (route->group == 0) return faults | fault(HW_REASON_KERNEL_ROUTE);
  if (reading.hops <= 1) faults |= fault(HW_REASON_TTL);
  const auto fits = [&](const auto& hop) { return may_leave_by(reading, hop.first); };
  if (std::none_of(hops_.begin(), hops_.end(), fits)) faults |= fault(HW_REASON_NO_NEXTHOP);
  return faults;
}

std::string World::text() const {
  std::string text = lease_ ? "lease holds; usable nexthops" : "lease over; usable nexthops";
  for (const auto& [id, hop] : hops_)
    if (hop.usable) text += ' ' + std::to_string(id);
  return text;
}

}  // namespace hopwise::fuzz
