#include "probes/socket/datagram_socket.hpp"

#include <linux/sock_diag.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <set>

#include "test/unit/probes/bench.hpp"
#include "test/unit/probes/socket/talk.hpp"

using namespace hopwise;
using namespace hopwise::probes;
using Protocol = DatagramSocket::Protocol;
using Left = DatagramSocket::Left;
using Arrived = DatagramSocket::Arrived;

namespace {

// What the kernel counts as dropped at the socket.
std::uint32_t drop_count(int fd) {
  std::array<std::uint32_t, SK_MEMINFO_VARS> memory{};
  socklen_t size = sizeof(memory);
  REQUIRE(getsockopt(fd, SOL_SOCKET, SO_MEMINFO, memory.data(), &size) == 0);
  return memory[SK_MEMINFO_DROPS];
}

}  // namespace

TEST_CASE("a datagram that fails does not keep the next ones", "[probes][socket][netns]") {
  NEEDS_ROOT();
  const Lan lan;
  for (const Tongue& tongue : kTongues) {
    CAPTURE(static_cast<int>(tongue.family), static_cast<int>(tongue.protocol));
    Talk talk(lan, tongue);
    std::vector<DatagramSocket::Outgoing> batch;
    for (std::uint32_t i = 0; i < 100; i++) batch.push_back(talk.message(i));
    // Addresses that are not ours: in the beginning, two in a row, in the end.
    for (const std::size_t failing : {0, 40, 41, 99})
      batch[failing].from = address(tongue.family == Family::v4 ? "192.0.2.7" : "2001:db8:7::7");
    const auto errors = talk.send(batch);
    std::set<std::uint32_t> answered;
    for (std::size_t i = 0; i < errors.size(); i++) {
      CAPTURE(i);
      const bool failing = i == 0 || i == 40 || i == 41 || i == 99;
      CHECK((errors[i] == 0) == !failing);
    }
    const DatagramSocket::Events events{
        .left = [](const Left&) {},
        .arrived = [&](const Arrived& a) { answered.insert(talk.number(a).value()); }};
    CHECK(talk.drain_until(events, [&] { return answered.size() == 96; }));
    CHECK_FALSE(answered.contains(40));
  }
}

TEST_CASE("source address, TTL, traffic class and flow label are as asked for",
          "[probes][socket][netns]") {
  NEEDS_ROOT();
  const Tongue tongue = any_tongue();
  CAPTURE(static_cast<int>(tongue.family), static_cast<int>(tongue.protocol));
  const bool v4 = tongue.family == Family::v4;
  const Lan lan;
  lan.router.sh("ip addr add 10.9.0.77/24 dev wan; ip addr add fd09::77/64 dev wan nodad");
  Talk talk(lan, tongue);
  auto datagram = talk.message(1);
  datagram.from = address(v4 ? "10.9.0.77" : "fd09::77");
  datagram.ttl = 17;
  datagram.traffic_class = 0xb8;
  datagram.flow_label = 0x12345;
  // What gateway a sees of it.
  const NetNamespace::Visit visit(lan.a);
  const int tap = socket(AF_PACKET, SOCK_DGRAM | SOCK_NONBLOCK, htons(v4 ? 0x0800 : 0x86dd));
  REQUIRE(tap >= 0);
  CHECK(talk.send({datagram}) == std::vector{0});
  std::array<std::uint8_t, 128> seen{};
  const auto limit = std::chrono::steady_clock::now() + std::chrono::seconds(10);
  const auto is_it = [&] {
    const auto count = recv(tap, seen.data(), seen.size(), 0);
    return count > 0 && seen[v4 ? 8 : 7] == 17;
  };
  bool found = false;
  while (!found && std::chrono::steady_clock::now() < limit) found = is_it();
  close(tap);
  REQUIRE(found);
  CHECK(IpAddress::from_bytes(tongue.family, &seen[v4 ? 12 : 8]) == *datagram.from);
  if (v4)
    CHECK(seen[1] == 0xb8);
  else
    CHECK(std::vector(seen.begin(), seen.begin() + 4) ==
          std::vector<std::uint8_t>{0x6b, 0x81, 0x23, 0x45});
}

TEST_CASE("foreign traffic does not come in", "[probes][socket][netns]") {
  NEEDS_ROOT();
  const Lan lan;
  for (const Tongue& tongue : kTongues) {
    CAPTURE(static_cast<int>(tongue.family), static_cast<int>(tongue.protocol));
    Talk talk(lan, tongue);
    const std::string to = tongue.family == Family::v4 ? "10.9.0.1" : "fd09::1";
    // Echo replies to another, resets for another's connection, unreachable ports of another.
    lan.router.sh("ping -q -c 20 -i 0.01 " + to +
                  " >/dev/null; bash -c 'for i in 1 2 3 4; do (: > /dev/tcp/" + to +
                  "/9); (echo > /dev/udp/" + to + "/9); done' 2>/dev/null || true");
    std::size_t count = 0;
    const DatagramSocket::Events events{.left = [](const Left&) {},
                                        .arrived =
                                            [&](const Arrived& a) {
                                              count++;
                                              CHECK(talk.number(a) == 7);
                                            }};
    CHECK(talk.send({talk.message(7)}) == std::vector{0});
    CHECK(talk.drain_until(events, [&] { return count > 0; }));
    CHECK(count == 1);
  }
}

TEST_CASE("errors about TCP and UDP from our ports come in on the ICMP socket",
          "[probes][socket][netns]") {
  NEEDS_ROOT();
  const Family family = GENERATE(Family::v4, Family::v6);
  const Protocol protocol = GENERATE(Protocol::tcp, Protocol::udp);
  const bool v4 = family == Family::v4;
  CAPTURE(v4, static_cast<int>(protocol));
  const Lan lan;
  Talk ours(lan, {family, protocol});
  Talk foreign(lan, {family, protocol});
  Talk icmp(lan, {family, Protocol::icmp}, {.ports = ours.socket.ports()});
  REQUIRE(ours.socket.port() != foreign.socket.port());
  // A TTL of 1 ends at the gateway, which must then not be the anchor itself.
  lan.a.sh(
      "ip addr del 203.0.113.1/32 dev lo; ip addr del 2001:db8::1/128 dev lo; ip route add "
      "203.0.113.0/24 via 10.9.0.2; ip -6 route add 2001:db8::/64 via fd09::2; sysctl -qw "
      "net.ipv4.ip_forward=1 net.ipv6.conf.all.forwarding=1");
  for (Talk* talk : {&foreign, &ours}) {
    auto datagram = talk->message(1);
    datagram.ttl = 1;
    CHECK(talk->send({datagram}) == std::vector{0});
  }
  std::vector<std::uint16_t> quoted;
  const std::size_t at = v4 ? 20 + 28 : 48;  // the quoted source port
  const DatagramSocket::Events events{
      .left = [](const Left&) {},
      .arrived =
          [&](const Arrived& a) {
            REQUIRE(a.bytes.size() > at + 1);
            CHECK(a.bytes[v4 ? 20 : 0] == (v4 ? 11 : 3));
            quoted.push_back(static_cast<std::uint16_t>(a.bytes[at] << 8U | a.bytes[at + 1]));
          }};
  CHECK(icmp.drain_until(events, [&] { return !quoted.empty(); }));
  CHECK(quoted == std::vector{ours.socket.port()});
}

TEST_CASE("replies that the kernel had no room for are noticed once", "[probes][socket][netns]") {
  NEEDS_ROOT();
  const Tongue tongue{GENERATE(Family::v4, Family::v6), Protocol::icmp};
  const Lan lan;
  Talk talk(lan, tongue, {.receive_bytes = 4096});
  const DatagramSocket::Events none{.left = [](const Left&) {}, .arrived = [](const Arrived&) {}};
  std::vector<DatagramSocket::Outgoing> batch;
  for (std::uint32_t i = 0; i < 100; i++) batch.push_back(talk.message(i));
  bool dropped = false;
  const auto limit = std::chrono::steady_clock::now() + std::chrono::seconds(10);
  while (!dropped && std::chrono::steady_clock::now() < limit) {
    talk.send(batch);
    dropped = !talk.drain(none);
  }
  CHECK(dropped);
  CHECK(talk.drain_until(none, [&] { return talk.drain(none); }));
  CHECK(talk.drain(none));
}

TEST_CASE("a damaged datagram is no sign of too little room", "[probes][socket][netns]") {
  NEEDS_ROOT();
  const Lan lan;
  Talk talk(lan, {Family::v6, Protocol::icmp});
  const DatagramSocket::Events none{.left = [](const Left&) {}, .arrived = [](const Arrived&) {}};
  // An echo reply with a wrong checksum, and its IPv6 header, from gateway a.
  std::vector<std::uint8_t> packet(48);
  packet[0] = 0x60;
  packet[5] = 8;
  packet[6] = IPPROTO_ICMPV6;
  packet[7] = 64;
  std::copy_n(address("fd09::1").bytes.begin(), 16, packet.begin() + 8);
  std::copy_n(address("fd09::fe").bytes.begin(), 16, packet.begin() + 24);
  packet[40] = 129;
  sockaddr_in6 to{};
  to.sin6_family = AF_INET6;
  std::copy_n(&packet[24], 16, to.sin6_addr.s6_addr);
  const auto before = drop_count(talk.socket.fd());
  const NetNamespace::Visit visit(lan.a);
  const int raw = socket(AF_INET6, SOCK_RAW, IPPROTO_RAW);
  const auto limit = std::chrono::steady_clock::now() + std::chrono::seconds(10);
  while (drop_count(talk.socket.fd()) == before && std::chrono::steady_clock::now() < limit)
    sendto(raw, packet.data(), packet.size(), 0, reinterpret_cast<const sockaddr*>(&to),
           sizeof(to));
  close(raw);
  REQUIRE(drop_count(talk.socket.fd()) != before);
  CHECK(talk.drain(none));
}

TEST_CASE("an interface that vanishes is an error of the datagrams", "[probes][socket][netns]") {
  NEEDS_ROOT();
  const Tongue tongue = any_tongue();
  CAPTURE(static_cast<int>(tongue.family), static_cast<int>(tongue.protocol));
  const Lan lan;
  Talk talk(lan, tongue);
  const DatagramSocket::Events none{.left = [](const Left&) {}, .arrived = [](const Arrived&) {}};
  REQUIRE(talk.send({talk.message(1)}) == std::vector{0});
  lan.router.sh("ip link del wan");
  const auto errors = talk.send({talk.message(2), talk.message(3)});
  CHECK(errors[0] != 0);
  CHECK(errors[1] != 0);
  talk.drain(none);
  CHECK(talk.drain(none));
}

TEST_CASE("what there is no room for is an error of those datagrams, and only until there is",
          "[probes][socket][netns]") {
  NEEDS_ROOT();
  const Lan lan;
  for (const Tongue& tongue : kTongues) {
    CAPTURE(static_cast<int>(tongue.family), static_cast<int>(tongue.protocol));
    Talk talk(lan, tongue);
    const int least = 1;
    REQUIRE(setsockopt(talk.socket.fd(), SOL_SOCKET, SO_SNDBUF, &least, sizeof(least)) == 0);
    // They wait in the kernel for a neighbour that nobody is.
    std::vector<DatagramSocket::Outgoing> batch;
    for (std::uint32_t i = 0; i < 30; i++) {
      batch.push_back(talk.message(i));
      batch.back().mark = 0;
      batch.back().to = address(tongue.family == Family::v4 ? "10.9.0.99" : "fd09::99");
    }
    const auto errors = talk.send(batch);
    CHECK(errors.front() == 0);
    CHECK((errors.back() == EAGAIN || errors.back() == ENOBUFS));
    lan.router.sh("ip neigh flush dev wan nud all; ip -6 neigh flush dev wan nud all");
    std::size_t answered = 0;
    const DatagramSocket::Events events{.left = [](const Left&) {},
                                        .arrived = [&](const Arrived&) { answered++; }};
    CHECK(talk.drain_until(events, [&] {
      if (answered == 0) talk.send({talk.message(100)});
      return answered > 0;
    }));
  }
}

TEST_CASE("a port that is held is given to nobody else", "[probes][socket][netns]") {
  NEEDS_ROOT();
  const Family family = GENERATE(Family::v4, Family::v6);
  const Lan lan;
  const Talk talk(lan, {family, Protocol::tcp});
  REQUIRE(talk.socket.port() != 0);
  const std::array<std::uint16_t, 1> taken{talk.socket.port()};
  const auto again =
      DatagramSocket::open({.family = family, .protocol = Protocol::tcp, .ports = taken});
  REQUIRE_FALSE(again.has_value());
  CHECK(again.error().message.find(std::to_string(taken[0])) != std::string::npos);
  // Of the other family it is free.
  const auto other = DatagramSocket::open({.family = family == Family::v4 ? Family::v6 : Family::v4,
                                           .protocol = Protocol::tcp,
                                           .ports = taken});
  INFO((other ? "" : other.error().message));
  REQUIRE(other.has_value());
  CHECK(other->port() == taken[0]);
}
