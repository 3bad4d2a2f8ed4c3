#include "test/bench/steering.hpp"

#include <chrono>

#include "test/bench/internet.hpp"

namespace hopwise::bench {
namespace {

using dataplane::Dataplane;

void set_nexthops(Dataplane& dataplane, std::span<const Uplink> uplinks, std::size_t family) {
  for (std::size_t i = 0; i < uplinks.size(); ++i) {
    const std::string& gateway = uplinks[i].gateways.at(family);
    const NexthopId id{static_cast<std::uint32_t>(family * uplinks.size() + i + 1)};
    dataplane
        .set_nexthop({id,
                      {uplinks[i].ifindex, IpAddress::parse(gateway).value()},
                      uplinks[i].interface,
                      gateway})
        .value();
    dataplane.set_nexthop_usable(id, true);
    dataplane.set_nexthop_link(id, uplinks[i].link);
  }
}

void set_groups(Dataplane& dataplane, std::size_t uplinks, std::size_t family,
                dataplane::Affinity affinity) {
  for (std::uint32_t i = 1; i <= kGroups; ++i) {
    const auto id = static_cast<std::uint32_t>(family * kGroups + i);
    Group group{GroupId{id}, {}};
    for (std::uint32_t k = 0; k < uplinks; ++k)
      group.paths.push_back({PathId{id * 16 + k},
                             NexthopId{static_cast<std::uint32_t>(family * uplinks + k + 1)}, 1});
    dataplane.set_group(group).value();
    dataplane.set_affinity(group.id, affinity, Duration(0));
  }
}

}  // namespace

std::unique_ptr<Dataplane> steering(const dataplane::Options& options, dataplane::Affinity affinity,
                                    std::span<const Uplink> uplinks) {
  auto dataplane = std::move(Dataplane::open(options).value());
  for (const std::size_t family : {0U, 1U}) {
    if (uplinks.front().gateways.at(family).empty()) continue;
    set_nexthops(*dataplane, uplinks, family);
    set_groups(*dataplane, uplinks.size(), family, affinity);
  }
  dataplane->renew_lease(std::chrono::steady_clock::now());
  return dataplane;
}

void set_routes(Dataplane& dataplane, std::span<const Prefix> routes) {
  for (std::size_t i = 0; i < routes.size(); ++i) {
    const std::uint32_t first = routes[i].address.is_v4() ? 1 : kGroups + 1;
    dataplane.set_route(routes[i], GroupId{first + static_cast<std::uint32_t>(i % kGroups)})
        .value();
  }
}

}  // namespace hopwise::bench
