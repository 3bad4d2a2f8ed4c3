#include "test/bench/internet.hpp"

#include <arpa/inet.h>
#include <netinet/in.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <random>
#include <span>
#include <unordered_set>

namespace hopwise::bench {
namespace {

using Random = std::mt19937_64;

struct Share {
  std::uint8_t length;
  int permille;
};

// Shares of the global tables in 2024-2026, rounded (CIDR report, bgp.potaroo.net).
constexpr std::array<Share, 17> kLengths4{{{24, 630},
                                           {23, 98},
                                           {22, 105},
                                           {21, 50},
                                           {20, 43},
                                           {19, 25},
                                           {18, 14},
                                           {17, 8},
                                           {16, 13},
                                           {15, 2},
                                           {14, 1},
                                           {13, 1},
                                           {25, 2},
                                           {26, 2},
                                           {28, 3},
                                           {30, 1},
                                           {32, 2}}};
constexpr std::array<Share, 12> kLengths6{{{48, 465},
                                           {32, 120},
                                           {44, 95},
                                           {40, 95},
                                           {36, 55},
                                           {29, 25},
                                           {46, 30},
                                           {47, 30},
                                           {45, 15},
                                           {33, 30},
                                           {42, 20},
                                           {64, 20}}};

// What the regional registries give out of: 12 bits each.
constexpr std::array<std::uint16_t, 6> kRegistries6{0x2400, 0x2600, 0x2800, 0x2a00, 0x2a10, 0x2c00};

std::uint8_t draw_length(std::span<const Share> shares, Random& random) {
  auto left = static_cast<int>(random() % 1000);
  for (const Share& share : shares) {
    left -= share.permille;
    if (left < 0) return share.length;
  }
  return shares.front().length;
}

void fill(IpAddress& address, std::size_t from, Random& random) {
  for (std::size_t i = from; i < address.size(); ++i)
    address.bytes[i] = static_cast<std::uint8_t>(random());
}

IpAddress draw4(Random& random) {
  IpAddress address;
  do fill(address, 0, random);
  while (address.bytes[0] == 0 || address.bytes[0] == 10 || address.bytes[0] == 127 ||
         address.bytes[0] >= 224);
  return address;
}

// About 25,000 networks have an allocation; their more specific routes lie close together in it.
IpAddress draw6(Random& random) {
  IpAddress address;
  address.family = Family::v6;
  Random allocation(random() % 25'000);
  const std::uint16_t registry = kRegistries6[allocation() % kRegistries6.size()];
  address.bytes[0] = static_cast<std::uint8_t>(registry >> 8);
  address.bytes[1] = static_cast<std::uint8_t>(registry | (allocation() & 0x0f));
  address.bytes[2] = static_cast<std::uint8_t>(allocation());
  address.bytes[3] = static_cast<std::uint8_t>(allocation());
  fill(address, 4, random);
  if (random() % 4 != 0) address.bytes[4] = static_cast<std::uint8_t>(random() % 4);
  return address;
}

std::uint16_t header_sum(const bench_flow& flow, const std::uint8_t* from, const std::uint8_t* to) {
  const std::uint32_t transport = (flow.protocol == IPPROTO_TCP ? 32 : 8) + BENCH_PAYLOAD;
  std::uint32_t sum = 0x4500 + 20 + transport + 0x4000 + (64U << 8 | flow.protocol);
  for (std::size_t i = 0; i < 4; i += 2)
    sum += (static_cast<std::uint32_t>(from[i]) << 8 | from[i + 1]) +
           (static_cast<std::uint32_t>(to[i]) << 8 | to[i + 1]);
  while (sum >> 16 != 0) sum = (sum & 0xffff) + (sum >> 16);
  return htons(static_cast<std::uint16_t>(~sum));
}

// A random address that the route covers: the bits beyond its length are drawn.
IpAddress inside(const Prefix& route, Random& random) {
  IpAddress address = route.address;
  for (std::size_t bit = route.length; bit < static_cast<std::size_t>(address.bits()); bit += 1)
    if ((random() & 1) != 0) address.bytes[bit / 8] |= static_cast<std::uint8_t>(0x80 >> bit % 8);
  return address;
}

}  // namespace

std::vector<Prefix> internet(Family family, std::size_t count) {
  Random random(family == Family::v4 ? 4 : 6);
  const std::span<const Share> shares =
      family == Family::v4 ? std::span<const Share>(kLengths4) : kLengths6;
  std::vector<Prefix> routes;
  std::unordered_set<Prefix> known;
  routes.reserve(count);
  known.reserve(count);
  while (routes.size() < count) {
    const IpAddress address = family == Family::v4 ? draw4(random) : draw6(random);
    const Prefix route = Prefix::covering(address, draw_length(shares, random));
    if (known.insert(route).second) routes.push_back(route);
  }
  return routes;
}

std::vector<bench_flow> flows_to(const std::vector<Prefix>& routes, std::size_t count,
                                 std::uint8_t protocol) {
  Random random(count);
  std::vector<bench_flow> flows(count);
  for (bench_flow& flow : flows) {
    const IpAddress to = inside(routes[random() % routes.size()], random);
    IpAddress from = to;
    fill(from, 0, random);
    if (to.is_v4())
      from.bytes[0] = 10;
    else
      std::copy_n(std::array<std::uint8_t, 4>{0xfd, 0, 0, 0x10}.begin(), 4, from.bytes.begin());
    std::memcpy(flow.source, from.bytes.data(), from.size());
    std::memcpy(flow.destination, to.bytes.data(), to.size());
    flow.source_port = static_cast<std::uint16_t>(random() | 0x0004);
    flow.destination_port = htons(443);
    flow.family = to.is_v4() ? 4 : 6;
    flow.protocol = protocol;
    if (!to.is_v4()) continue;
    flow.ip_sum = header_sum(flow, flow.source, flow.destination);
    flow.ip_sum_back = header_sum(flow, flow.destination, flow.source);
  }
  return flows;
}

}  // namespace hopwise::bench
