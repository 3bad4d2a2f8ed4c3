#include "core/cli/verify.hpp"

#include <ifaddrs.h>
#include <net/if.h>
#include <netinet/in.h>
#include <sys/resource.h>
#include <sys/socket.h>

#include <algorithm>
#include <bit>
#include <boost/asio/io_context.hpp>
#include <cerrno>
#include <ostream>
#include <set>
#include <thread>
#include <unordered_map>

#include "core/cli/flow_query.hpp"
#include "core/cli/standing.hpp"
#include "core/cli/verify_report.hpp"
#include "core/daemon/host.hpp"
#include "core/routes/follower.hpp"

namespace hopwise::cli {
namespace {

using dataplane::Difference;
using dataplane::Expectation;
using dataplane::ExpectedNexthop;
using dataplane::ExpectedProgram;
using dataplane::ExpectedSet;
using dataplane::GatewayState;

constexpr int kEqual = 0, kDiffers = 1, kUsage = 2;
// Between two looks: a dump costs the kernel something too.
constexpr Duration kPause = std::chrono::milliseconds(200);
// At most, for events that came during a look.
constexpr Duration kFollow = std::chrono::seconds(1);

TimePoint now() {
  return std::chrono::steady_clock::now();
}

std::uint64_t peak_memory_bytes() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  return static_cast<std::uint64_t>(usage.ru_maxrss) * 1024;
}

struct SetHash {
  std::size_t operator()(const ExpectedSet& set) const {
    std::size_t hash = set.size();
    for (const ExpectedNexthop& nexthop : set)
      hash = (hash * 31 + std::hash<NexthopKey>{}(nexthop.key)) * 31 + nexthop.weight;
    return hash;
  }
};

/// The prefixes that the interfaces are connected to, by their addresses.
class Connected {
 public:
  Connected() {
    ifaddrs* all = nullptr;
    if (getifaddrs(&all) != 0) return;
    for (const ifaddrs* one = all; one != nullptr; one = one->ifa_next)
      if (const auto prefix = prefix_of(*one))
        prefixes_[if_nametoindex(one->ifa_name)].push_back(*prefix);
    freeifaddrs(all);
  }
  [[nodiscard]] bool contains(const NexthopKey& key) const {
    if (key.gateway.is_link_local()) return true;
    const auto known = prefixes_.find(key.ifindex);
    return known != prefixes_.end() &&
           std::any_of(known->second.begin(), known->second.end(),
                       [&](const Prefix& prefix) { return prefix.contains(key.gateway); });
  }

 private:
  static std::optional<IpAddress> address_of(const sockaddr* address) {
    if (address == nullptr) return std::nullopt;
    if (address->sa_family == AF_INET)
      return IpAddress::from_bytes(Family::v4,
                                   &reinterpret_cast<const sockaddr_in*>(address)->sin_addr);
    if (address->sa_family == AF_INET6)
      return IpAddress::from_bytes(Family::v6,
                                   &reinterpret_cast<const sockaddr_in6*>(address)->sin6_addr);
    return std::nullopt;
  }
  static std::optional<Prefix> prefix_of(const ifaddrs& entry) {
    const auto address = address_of(entry.ifa_addr), mask = address_of(entry.ifa_netmask);
    if (!address || !mask) return std::nullopt;
    int length = 0;
    for (const std::uint8_t byte : mask->bytes) length += std::popcount(byte);
    return Prefix::covering(*address, length);
  }

  std::unordered_map<std::uint32_t, std::vector<Prefix>> prefixes_;
};

/// A dump of the kernel's routing, and what follows from it.
class Dumped {
 public:
  explicit Dumped(const config::Config& config)
      : config_(config), follower_(io_, config.routes, events()) {}

  Result<> dump();
  Expectation expectation();
  /// Without those at places whose route has changed since the dump: what they say is of two
  /// moments.
  std::vector<Difference> of_one_moment(std::vector<Difference> found);

 private:
  routes::Events events() {
    return {.route = [this](const routes::Route& route) { changed(route.prefix); },
            .withdrawn = [this](const Prefix& prefix) { changed(prefix); },
            .interface = [](const routes::Interface&) {},
            .interface_gone = [](std::uint32_t) {},
            .neighbour = [this](const NexthopKey&,
                                const routes::Neighbour& neighbour) { neighbour_ = neighbour; },
            .trouble = [](const Error&) {}};
  }
  void changed(const Prefix& prefix) {
    if (dumped_) changed_.insert(prefix);
  }
  GatewayState gateway(const NexthopKey& key);
  std::vector<ExpectedProgram> programs(const dataplane::Uplinks& uplinks);

  const config::Config& config_;
  boost::asio::io_context io_{1};
  routes::Follower follower_;
  routes::Neighbour neighbour_;  // of the last that was asked for
  bool dumped_ = false;
  std::set<Prefix> changed_;  // since then
  Connected connected_;
};

Result<> Dumped::dump() {
  auto started = follower_.start();
  dumped_ = started.has_value();
  return started;
}

std::vector<Difference> Dumped::of_one_moment(std::vector<Difference> found) {
  const TimePoint end = now() + kFollow;
  while (io_.poll() > 0 && now() < end) continue;
  if (changed_.empty()) return found;
  std::erase_if(found, [this](const Difference& difference) {
    if (!difference.place) return false;
    for (int length = difference.place->bits(); length >= 0; --length)
      if (changed_.contains(Prefix::covering(*difference.place, length))) return true;
    return false;
  });
  return found;
}

Expectation Dumped::expectation() {
  Expectation expectation;
  std::unordered_map<ExpectedSet, std::uint32_t, SetHash> known{{{}, 0}};
  const bool forwards4 = kernel_forwards(Family::v4), forwards6 = kernel_forwards(Family::v6);
  ExpectedSet set;
  follower_.each([&](const routes::Route& route) {
    set.clear();
    const bool forwarded = route.prefix.address.is_v4() ? forwards4 : forwards6;
    if (forwarded && config_.route_filter.accepts(route.prefix))
      for (const auto& nexthop : route.nexthops()) {
        if (!set.empty() && set.back().key == nexthop.key)
          set.back().weight += nexthop.weight;  // a gateway that is listed twice
        else
          set.push_back({nexthop.key, nexthop.weight});
      }
    const auto [found, added] =
        known.try_emplace(set, static_cast<std::uint32_t>(expectation.sets.size()));
    if (added) expectation.sets.push_back(set);
    expectation.add(route.prefix, found->second);
  });
  expectation.gateway = [this](const NexthopKey& key) { return gateway(key); };
  expectation.programs = [this](const auto& uplinks) { return programs(uplinks); };
  return expectation;
}

GatewayState Dumped::gateway(const NexthopKey& key) {
  const auto& interfaces = follower_.interfaces();
  const auto interface = interfaces.find(key.ifindex);
  if (interface == interfaces.end()) return {};
  follower_.watch(key);  // tells at once
  follower_.unwatch(key);
  GatewayState state{.interface_known = true,
                     .interface = interface->second.name,
                     .link_up = interface->second.up,
                     .neighbour_resolved = neighbour_.resolved,
                     .on_link = connected_.contains(key)};
  if (state.ready() && interface->second.ethernet && interface->second.address &&
      neighbour_.address)
    state.link =
        dataplane::Link{*neighbour_.address, *interface->second.address, interface->second.mtu};
  return state;
}

// The roles as core/daemon/README.md and config's `lan_interfaces` tell them.
std::vector<ExpectedProgram> Dumped::programs(const dataplane::Uplinks& uplinks) {
  using dataplane::Role;
  std::vector<ExpectedProgram> all;
  if (uplinks.used.empty() && uplinks.unused.empty()) return all;
  const bool by_mark = uplinks.actuator == dataplane::Actuator::mark;
  for (const auto& [ifindex, interface] : follower_.interfaces()) {
    const bool used = uplinks.used.contains(ifindex);
    const bool uplink = used || uplinks.unused.contains(ifindex);
    const auto add = [&, index = ifindex, &link = interface](Role role, bool required) {
      all.push_back({{index, link.name, role}, required && !uplinks.used.empty() && link.ethernet});
    };
    if (uplink && !by_mark) add(Role::wan, used);
    if (uplink && !by_mark && config_.local_traffic) add(Role::local, used);
    const auto& named = config_.lan_interfaces;
    const bool lan = named.empty()
                         ? !used && interface.can_be_lan() && forwards_from(interface.name)
                         : std::ranges::find(named, interface.name) != named.end();
    if (!lan) continue;
    add(Role::lan, !uplink || !named.empty());
    if (by_mark) add(Role::lan_return, !uplink || !named.empty());
  }
  return all;
}

Result<VerifyReport> look_until_settled(const config::Config& config, Duration wait) {
  VerifyReport report;
  Standing standing(wait);
  const TimePoint first = now();
  for (;;) {
    const TimePoint began = now();
    Dumped kernel(config);
    if (const auto dumped = kernel.dump(); !dumped) return dumped.error();
    Expectation expectation = kernel.expectation();
    const TimePoint dumped = now();
    auto found = dataplane::verify(config.dataplane.pin_root, expectation, dumped);
    if (!found) return found.error();
    const TimePoint ended = now();
    report.dump = dumped - began;
    report.comparison = ended - dumped;
    report.last = std::move(*found);
    const auto all = report.last.differences.kept();
    const auto settled = kernel.of_one_moment(all);
    const auto next = standing.look(settled, began, ended);
    report.changing = all.size() - settled.size();
    report.took = ended - first;
    if (next == Standing::Next::settled) break;
    // After a long look no time would be won by a short pause: it takes one more look.
    std::this_thread::sleep_for(ended - began > wait ? wait : std::min(kPause, wait));
  }
  report.faults = standing.faults();
  report.changing += standing.changing();
  report.looks = standing.looks();
  report.memory_bytes = peak_memory_bytes();
  return report;
}

}  // namespace

int run_verify(const VerifyLine& line, const config::Config& config, std::ostream& out,
               std::ostream& err) {
  const auto wait = line.wait == "0" ? std::optional(Duration::zero()) : typed_time(line.wait);
  if (!wait) {
    err << "hopwise: --wait: \"" << line.wait << "\" is no time (0, 500ms, 1s, 2m)\n";
    return kUsage;
  }
  auto report = look_until_settled(config, *wait);
  if (!report) {
    err << "hopwise: " << report.error().message << '\n';
    return kDiffers;
  }
  report->configuration = line.configuration;
  out << (line.json ? to_json(*report) + '\n' : to_text(*report));
  return report->equal() ? kEqual : kDiffers;
}

}  // namespace hopwise::cli
