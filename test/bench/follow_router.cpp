#include "test/bench/follow_router.hpp"

#include <net/if.h>
#include <unistd.h>

#include <sstream>

#include "test/bench/internet.hpp"
#include "test/bench/visit.hpp"

namespace hopwise::bench {
namespace {

// Ids of nexthop objects: of single nexthops, and of groups of them.
constexpr std::uint32_t kSingles = 100, kGroupObjects = 1000;

std::string gateway(std::size_t uplink, std::size_t family) {
  const std::string i = std::to_string(uplink);
  return family == 0 ? "10.99." + i + ".2" : "fd00:99:" + i + "::2";
}

std::uint32_t single(std::size_t uplink, std::size_t family) {
  return static_cast<std::uint32_t>(kSingles + 10 * family + uplink);
}

// Which uplinks, and with which weights: every pair evenly, every pair one to two, every three.
std::vector<std::pair<std::size_t, std::uint32_t>> members(std::size_t set) {
  constexpr std::array<std::array<std::size_t, 2>, 6> kPairs{
      {{0, 1}, {0, 2}, {0, 3}, {1, 2}, {1, 3}, {2, 3}}};
  if (set < 2 * kPairs.size()) {
    const auto& pair = kPairs.at(set % kPairs.size());
    return {{pair[0], 1}, {pair[1], set < kPairs.size() ? 1 : 2}};
  }
  std::vector<std::pair<std::size_t, std::uint32_t>> three;
  for (std::size_t i = 0; i < FollowRouter::kUplinks; ++i)
    if (i != set - 2 * kPairs.size()) three.emplace_back(i, 1);
  return three;
}

}  // namespace

const char* text(Form form) {
  return form == Form::multipath ? "RTA_MULTIPATH" : "nexthop objects";
}

Size size_of(Effort effort) {
  return effort == Effort::full ? Size{1'000'000, 200'000} : Size{100'000, 20'000};
}

std::vector<Prefix> follow_prefixes(const Size& size) {
  auto prefixes = internet(Family::v4, size.v4);
  const auto more = internet(Family::v6, size.v6);
  prefixes.insert(prefixes.end(), more.begin(), more.end());
  return prefixes;
}

FollowRouter::FollowRouter(Form form)
    : form_(form),
      pin_root_("/sys/fs/bpf/hopwise-bench-follow-" + std::to_string(getpid())),
      folder_("/tmp/hopwise-bench-follow-" + std::to_string(getpid())),
      unpin_(lab::LastWill::write("rm -rf " + pin_root_ + ' ' + folder_.string()).value()),
      far_(lab::Namespace::create("far").value()),
      router_(lab::Namespace::create("rtr").value()) {
  std::filesystem::create_directories(folder_);
  router_.sysctl("net/ipv4/ip_forward", "1").value();
  router_.sysctl("net/ipv6/conf/all/forwarding", "1").value();
  for (const auto* where : {&router_, &far_})
    for (const char* which : {"all", "default"})
      for (const auto& [key, value] : {std::pair{"/accept_dad", "0"}, {"/keep_addr_on_down", "1"}})
        where->sysctl(std::string("net/ipv6/conf/") + which + key, value).value();
  make_link("lan0", "lan", "10.10.0.1/24");
  for (std::size_t i = 0; i < kUplinks; ++i) {
    const std::string n = std::to_string(i);
    make_link("wan" + n, "far" + n, "10.99." + n + ".1/24 fd00:99:" + n + "::1/64");
    const std::string mac = "02:00:00:00:99:0" + n;
    far_.ip("link set far" + n + " address " + mac + "\naddr add 10.99." + n + ".2/24 dev far" + n +
            "\naddr add fd00:99:" + n + "::2/64 dev far" + n + " nodad")
        .value();
    // Known for good: what a link does is measured, not how soon neighbours are found again.
    for (const std::size_t family : {0U, 1U})
      router_
          .ip("neigh replace " + gateway(i, family) + " lladdr " + mac + " dev wan" + n +
              " nud permanent")
          .value();
  }
  choose_ways();
  restore_objects();
}

void FollowRouter::make_link(const std::string& near, const std::string& far,
                             const std::string& addresses) {
  lab::veth({router_, near}, {far_, far}).value();
  std::string lines;
  std::istringstream each(addresses);
  for (std::string address; each >> address;)
    lines += "addr add " + address + " dev " + near +
             (address.find(':') != std::string::npos ? " nodad\n" : "\n");
  far_.ip("link set " + far + " up").value();
  router_.ip(lines + "link set " + near + " up").value();
}

void FollowRouter::choose_ways() {
  const Visit visit(router_);
  for (std::size_t i = 0; i < kUplinks; ++i) {
    const std::uint32_t ifindex = if_nametoindex(("wan" + std::to_string(i)).c_str());
    for (std::size_t family : {0U, 1U})
      legs_.at(i).at(family) = {ifindex, IpAddress::parse(gateway(i, family)).value(), 1};
  }
  for (std::size_t family : {0U, 1U})
    for (std::size_t set = 0; set < kSets; ++set) {
      Ways& ways = ways_.at(family).at(set);
      for (const auto& [uplink, weight] : members(set)) {
        Leg leg = legs_.at(uplink).at(family);
        leg.weight = weight;
        ways.legs.push_back(leg);
      }
      if (form_ == Form::objects)
        ways.object = static_cast<std::uint32_t>(kGroupObjects + kSets * family + set);
    }
}

void FollowRouter::restore_objects() const {
  if (form_ == Form::multipath) return;
  std::string lines;
  for (const std::size_t family : {0U, 1U}) {
    for (std::size_t i = 0; i < kUplinks; ++i)
      lines += "nexthop replace id " + std::to_string(single(i, family)) + " via " +
               gateway(i, family) + " dev wan" + std::to_string(i) + " proto bgp\n";
    for (std::size_t set = 0; set < kSets; ++set) {
      std::string group;
      for (const auto& [uplink, weight] : members(set))
        group += (group.empty() ? "" : "/") + std::to_string(single(uplink, family)) + ',' +
                 std::to_string(weight);
      lines += "nexthop replace id " + std::to_string(ways_.at(family).at(set).object) + " group " +
               group + " proto bgp\n";
    }
  }
  router_.ip(lines).value();
}

void FollowRouter::fill(const std::vector<Prefix>& prefixes) const {
  RouteWriter writer(router_);
  for (std::size_t i = 0; i < prefixes.size(); ++i) writer.set(prefixes[i], ways(prefixes[i], i));
  writer.flush();
}

NexthopKey FollowRouter::nexthop(std::size_t uplink, Family family) const {
  const Leg& leg = legs_.at(uplink).at(family == Family::v4 ? 0 : 1);
  return {leg.ifindex, leg.gateway};
}

}  // namespace hopwise::bench
