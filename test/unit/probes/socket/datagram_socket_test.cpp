#include "probes/socket/datagram_socket.hpp"

#include <linux/sock_diag.h>
#include <net/if.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <cerrno>
#include <map>
#include <set>

#include "test/unit/probes/bench.hpp"
#include "test/unit/probes/socket/talk.hpp"

using namespace hopwise;
using namespace hopwise::probes;
using Protocol = DatagramSocket::Protocol;
using Left = DatagramSocket::Left;
using Arrived = DatagramSocket::Arrived;

namespace {

Way any_way() {
  return {GENERATE(Family::v4, Family::v6), GENERATE(Protocol::icmp, Protocol::tcp, Protocol::udp)};
}

std::uint32_t ifindex(const Lan& lan, const char* interface) {
  const NetNamespace::Visit visit(lan.router);
  return if_nametoindex(interface);
}

// What the kernel counts as dropped at the socket.
std::uint32_t drop_count(int fd) {
  std::array<std::uint32_t, SK_MEMINFO_VARS> memory{};
  socklen_t size = sizeof(memory);
  REQUIRE(getsockopt(fd, SOL_SOCKET, SO_MEMINFO, memory.data(), &size) == 0);
  return memory[SK_MEMINFO_DROPS];
}

}  // namespace

TEST_CASE("a batch leaves, and each reply comes after its probe's departure",
          "[probes][socket][netns]") {
  NEEDS_ROOT();
  const Way way = any_way();
  CAPTURE(static_cast<int>(way.family), static_cast<int>(way.protocol));
  const Lan lan;
  Talk talk(lan, way);
  constexpr std::uint32_t kCount = 200;
  std::vector<DatagramSocket::Outgoing> batch;
  for (std::uint32_t i = 0; i < kCount; i++) batch.push_back(talk.message(i));
  const auto wan = ifindex(lan, "wan");
  const auto gateway = mac(lan.a, "eth0");

  std::map<std::uint32_t, TimePoint> left;
  std::set<std::uint32_t> answered;
  const DatagramSocket::Events events{
      .left =
          [&](const Left& l) {
            const auto number = talk.number(l);
            REQUIRE(number);
            REQUIRE(l.at);
            CHECK(left.emplace(*number, *l.at).second);
            CHECK(l.by(wan, gateway));
            CHECK_FALSE(l.by(wan + 1, gateway));
            CHECK_FALSE(l.by(wan, mac(lan.b, "eth0")));
            CHECK(l.hops.size() == 1);
            REQUIRE(l.queued);
            CHECK(*l.queued >= Duration::zero());
          },
      .arrived =
          [&](const Arrived& a) {
            const auto number = talk.number(a);
            REQUIRE(number);
            REQUIRE(left.contains(*number));
            CHECK(a.at >= left[*number]);
            CHECK(a.source == TimestampSource::kernel);
            CHECK(a.from == talk.anchor());
            CHECK(a.from_port == (way.protocol == Protocol::udp ? Talk::kPort : 0));
            CHECK(a.ttl == 64);
            answered.insert(*number);
          }};
  // The neighbour's queue would drop all but a hundred while it is being resolved.
  REQUIRE(talk.send({batch.front()}) == std::vector{0});
  REQUIRE(talk.drain_until(events, [&] { return answered.size() == 1; }));
  batch.erase(batch.begin());
  CHECK(talk.send(batch) == std::vector(batch.size(), 0));
  CHECK(talk.drain_until(events, [&] { return answered.size() == kCount; }));
  CHECK(left.size() == kCount);
}

TEST_CASE("the departure tells which of two gateways on one interface got the probe",
          "[probes][socket][netns]") {
  NEEDS_ROOT();
  const Way way = any_way();
  CAPTURE(static_cast<int>(way.family), static_cast<int>(way.protocol));
  const Lan lan;
  Talk talk(lan, way);
  auto to_a = talk.message(1);
  auto to_b = talk.message(2);
  to_b.mark = 2;
  CHECK(talk.send({to_a, to_b}) == std::vector{0, 0});
  const auto wan = ifindex(lan, "wan");
  std::map<std::uint32_t, bool> by_a, by_b;
  const auto a = mac(lan.a, "eth0"), b = mac(lan.b, "eth0");
  const DatagramSocket::Events events{.left =
                                          [&](const Left& l) {
                                            by_a[*talk.number(l)] = l.by(wan, a);
                                            by_b[*talk.number(l)] = l.by(wan, b);
                                          },
                                      .arrived = [](const Arrived&) {}};
  CHECK(talk.drain_until(events, [&] { return by_a.size() == 2; }));
  CHECK(by_a == std::map<std::uint32_t, bool>{{1, true}, {2, false}});
  CHECK(by_b == std::map<std::uint32_t, bool>{{1, false}, {2, true}});
}

TEST_CASE("a departure tells all interfaces that the datagram was given to",
          "[probes][socket][netns]") {
  NEEDS_ROOT();
  const Way way = any_way();
  CAPTURE(static_cast<int>(way.family), static_cast<int>(way.protocol));
  const Lan lan;
  // As a VLAN and the device below it; and a tunnel, which wraps packets.
  const std::string device =
      GENERATE("link wan type macvlan mode bridge",
               "type vxlan id 7 local 10.9.0.254 remote 10.9.0.1 dstport 4789");
  lan.router.sh("ip link add name upper " + device + "; ip link set upper up; ip addr add " +
                "10.5.0.254/24 dev upper; ip addr add fd05::fe/64 dev upper nodad; ip neigh add " +
                "10.5.0.1 lladdr 02:00:00:00:00:07 dev upper; ip neigh add fd05::1 lladdr " +
                "02:00:00:00:00:07 dev upper");
  Talk talk(lan, way);
  auto datagram = talk.message(1);
  datagram.to = address(way.family == Family::v4 ? "10.5.0.1" : "fd05::1");
  datagram.mark = 0;
  const auto upper = ifindex(lan, "upper"), wan = ifindex(lan, "wan");
  bool told = false;
  const DatagramSocket::Events events{
      .left =
          [&](const Left& left) {
            told = true;
            CHECK(talk.number(left) == 1U);
            CHECK(left.hops.size() == 2);
            CHECK(left.by(upper, EthernetAddress{2, 0, 0, 0, 0, 7}));
            CHECK(left.by(wan, {}));
            CHECK_FALSE(left.by(upper, mac(lan.a, "eth0")));
          },
      .arrived = [](const Arrived&) {}};
  CHECK(talk.send({datagram}) == std::vector{0});
  CHECK(talk.drain_until(events, [&] { return told; }));
}

TEST_CASE("a departure alone is told of what needs no wait told", "[probes][socket][netns]") {
  NEEDS_ROOT();
  const Way way = any_way();
  CAPTURE(static_cast<int>(way.family), static_cast<int>(way.protocol));
  const Lan lan;
  Talk talk(lan, way);
  auto datagram = talk.message(1);
  datagram.stamps = Stamps::departure;
  std::size_t told = 0;
  const auto wan = ifindex(lan, "wan");
  const DatagramSocket::Events events{.left =
                                          [&](const Left& left) {
                                            told++;
                                            CHECK(talk.number(left) == 1U);
                                            CHECK(left.at);
                                            CHECK_FALSE(left.queued);
                                            CHECK(left.by(wan, mac(lan.a, "eth0")));
                                          },
                                      .arrived = [](const Arrived&) {}};
  CHECK(talk.send({datagram}) == std::vector{0});
  CHECK(talk.drain_until(events, [&] { return told > 0; }));
}

TEST_CASE("who waits to read is woken by a departure, and again until it is read",
          "[probes][socket][netns]") {
  NEEDS_ROOT();
  const Way way = any_way();
  const Lan lan;
  Talk talk(lan, way);
  lan.a.sh("ip addr del 203.0.113.1/32 dev lo; ip addr del 2001:db8::1/128 dev lo");  // no answers
  boost::asio::io_context io{1};
  boost::asio::posix::stream_descriptor readable(io, dup(talk.socket.fd()));
  std::size_t woken = 0;
  const auto wait = [&] {
    readable.async_wait(boost::asio::posix::descriptor_base::wait_read,
                        [&](const boost::system::error_code& error) { woken += error ? 0 : 1; });
    io.restart();
    io.run_for(std::chrono::seconds(10));
  };
  CHECK(talk.send({talk.message(1)}) == std::vector{0});
  wait();
  CHECK(woken == 1);
  wait();
  CHECK(woken == 2);
  std::size_t left = 0;
  CHECK(talk.drain_until({.left = [&](const Left&) { left++; }, .arrived = [](const Arrived&) {}},
                         [&] { return left == 1; }));
}

TEST_CASE("a datagram that fails does not keep the next ones", "[probes][socket][netns]") {
  NEEDS_ROOT();
  const Way way = any_way();
  CAPTURE(static_cast<int>(way.family), static_cast<int>(way.protocol));
  const Lan lan;
  Talk talk(lan, way);
  std::vector<DatagramSocket::Outgoing> batch;
  for (std::uint32_t i = 0; i < 100; i++) batch.push_back(talk.message(i));
  // Addresses that are not ours: in the beginning, two in a row, in the end.
  for (const std::size_t failing : {0, 40, 41, 99})
    batch[failing].from = address(way.family == Family::v4 ? "192.0.2.7" : "2001:db8:7::7");
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

TEST_CASE("source address, TTL, traffic class and flow label are as asked for",
          "[probes][socket][netns]") {
  NEEDS_ROOT();
  const Way way = any_way();
  CAPTURE(static_cast<int>(way.family), static_cast<int>(way.protocol));
  const bool v4 = way.family == Family::v4;
  const Lan lan;
  lan.router.sh("ip addr add 10.9.0.77/24 dev wan; ip addr add fd09::77/64 dev wan nodad");
  Talk talk(lan, way);
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
  CHECK(IpAddress::from_bytes(way.family, &seen[v4 ? 12 : 8]) == *datagram.from);
  if (v4)
    CHECK(seen[1] == 0xb8);
  else
    CHECK(std::vector(seen.begin(), seen.begin() + 4) ==
          std::vector<std::uint8_t>{0x6b, 0x81, 0x23, 0x45});
}

TEST_CASE("foreign traffic does not come in", "[probes][socket][netns]") {
  NEEDS_ROOT();
  const Way way = any_way();
  CAPTURE(static_cast<int>(way.family), static_cast<int>(way.protocol));
  const Lan lan;
  Talk talk(lan, way);
  const std::string to = way.family == Family::v4 ? "10.9.0.1" : "fd09::1";
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
  const Way way{GENERATE(Family::v4, Family::v6), Protocol::icmp};
  const Lan lan;
  Talk talk(lan, way, {.receive_bytes = 4096});
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

TEST_CASE("a clock that is set does not move stamps, and departures are told still",
          "[probes][socket][netns]") {
  NEEDS_ROOT();
  const Way way = any_way();
  const Duration step =
      GENERATE(Duration(std::chrono::seconds(-3600)), Duration(std::chrono::milliseconds(50)));
  const Lan lan;
  Duration set{};
  Talk talk(lan, way, {.clocks = [&set] {
              ClockPair now = ClockPair::now();
              now.wall += set;
              return now;
            }});
  std::optional<std::optional<TimePoint>> left;
  std::optional<Arrived> arrived;
  const DatagramSocket::Events events{.left = [&](const Left& l) { left = l.at; },
                                      .arrived = [&](const Arrived& a) { arrived = a; }};
  const auto exchange = [&] {
    left.reset();
    arrived.reset();
    REQUIRE(talk.send({talk.message(1)}) == std::vector{0});
    REQUIRE(talk.drain_until(events, [&] { return arrived.has_value(); }));
    REQUIRE(left);
  };
  exchange();
  CHECK(*left);
  CHECK(arrived->source == TimestampSource::kernel);

  set = step;
  const TimePoint before = std::chrono::steady_clock::now();
  REQUIRE(talk.send({talk.message(1)}) == std::vector{0});
  left.reset();
  arrived.reset();
  // All in the turn that meets the step.
  lan.router.sh("sleep 0.05");
  talk.drain(events);
  if (way.protocol == Protocol::udp) talk.drain(events);
  REQUIRE(left);
  CHECK_FALSE(*left);
  REQUIRE(talk.drain_until(events, [&] { return arrived.has_value(); }));
  CHECK(arrived->source == TimestampSource::user);
  CHECK(arrived->at >= before);
  CHECK(arrived->at <= std::chrono::steady_clock::now());
}

TEST_CASE("an interface that vanishes is an error of the datagrams", "[probes][socket][netns]") {
  NEEDS_ROOT();
  const Way way = any_way();
  CAPTURE(static_cast<int>(way.family), static_cast<int>(way.protocol));
  const Lan lan;
  Talk talk(lan, way);
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
  const Way way = any_way();
  CAPTURE(static_cast<int>(way.family), static_cast<int>(way.protocol));
  const Lan lan;
  Talk talk(lan, way);
  const int least = 1;
  REQUIRE(setsockopt(talk.socket.fd(), SOL_SOCKET, SO_SNDBUF, &least, sizeof(least)) == 0);
  // They wait in the kernel for a neighbour that nobody is.
  std::vector<DatagramSocket::Outgoing> batch;
  for (std::uint32_t i = 0; i < 30; i++) {
    batch.push_back(talk.message(i));
    batch.back().mark = 0;
    batch.back().to = address(way.family == Family::v4 ? "10.9.0.99" : "fd09::99");
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
