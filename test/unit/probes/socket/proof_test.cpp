// That a datagram's departure is told: which, when, by which interfaces, and before its reply.
#include <array>
#include <boost/asio/io_context.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <map>
#include <set>

#include "test/unit/probes/bench.hpp"
#include "test/unit/probes/socket/talk.hpp"

using namespace hopwise;
using namespace hopwise::probes;
using Protocol = DatagramSocket::Protocol;
using Left = DatagramSocket::Left;
using Arrived = DatagramSocket::Arrived;

TEST_CASE("a batch leaves, and each reply comes after its probe's departure",
          "[probes][socket][netns]") {
  NEEDS_ROOT();
  const Lan lan;
  for (const Tongue& tongue : kTongues) {
    CAPTURE(static_cast<int>(tongue.family), static_cast<int>(tongue.protocol));
    Talk talk(lan, tongue);
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
              CHECK(a.from_port == (tongue.protocol == Protocol::udp ? Talk::kPort : 0));
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
}

TEST_CASE("the departure tells which of two gateways on one interface got the probe",
          "[probes][socket][netns]") {
  NEEDS_ROOT();
  const Lan lan;
  for (const Tongue& tongue : kTongues) {
    CAPTURE(static_cast<int>(tongue.family), static_cast<int>(tongue.protocol));
    Talk talk(lan, tongue);
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
}

TEST_CASE("a departure tells all interfaces that the datagram was given to",
          "[probes][socket][netns]") {
  NEEDS_ROOT();
  const Tongue tongue = any_tongue();
  CAPTURE(static_cast<int>(tongue.family), static_cast<int>(tongue.protocol));
  const Lan lan;
  // As a VLAN and the device below it; and a tunnel, which wraps packets.
  const std::string device =
      GENERATE("link wan type macvlan mode bridge",
               "type vxlan id 7 local 10.9.0.254 remote 10.9.0.1 dstport 4789");
  lan.router.sh("ip link add name upper " + device + "; ip link set upper up; ip addr add " +
                "10.5.0.254/24 dev upper; ip addr add fd05::fe/64 dev upper nodad; ip neigh add " +
                "10.5.0.1 lladdr 02:00:00:00:00:07 dev upper; ip neigh add fd05::1 lladdr " +
                "02:00:00:00:00:07 dev upper");
  Talk talk(lan, tongue);
  auto datagram = talk.message(1);
  datagram.to = address(tongue.family == Family::v4 ? "10.5.0.1" : "fd05::1");
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
  const Lan lan;
  for (const Tongue& tongue : kTongues) {
    CAPTURE(static_cast<int>(tongue.family), static_cast<int>(tongue.protocol));
    Talk talk(lan, tongue);
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
}

TEST_CASE("who waits to read is woken by a departure, and again until it is read",
          "[probes][socket][netns]") {
  NEEDS_ROOT();
  const Tongue tongue = any_tongue();
  const Lan lan;
  Talk talk(lan, tongue);
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

TEST_CASE("a clock that is set does not move stamps, and departures are told still",
          "[probes][socket][netns]") {
  NEEDS_ROOT();
  const Duration step =
      GENERATE(Duration(std::chrono::seconds(-3600)), Duration(std::chrono::milliseconds(50)));
  const Lan lan;
  for (const Tongue& tongue : kTongues) {
    CAPTURE(static_cast<int>(tongue.family), static_cast<int>(tongue.protocol));
    Duration set{};
    Talk talk(lan, tongue, {.clocks = [&set] {
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
    if (tongue.protocol == Protocol::udp) talk.drain(events);
    REQUIRE(left);
    CHECK_FALSE(*left);
    REQUIRE(talk.drain_until(events, [&] { return arrived.has_value(); }));
    CHECK(arrived->source == TimestampSource::user);
    CHECK(arrived->at >= before);
    CHECK(arrived->at <= std::chrono::steady_clock::now());
  }
}
