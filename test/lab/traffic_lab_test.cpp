// The traffic generator over an emulated link: what it says is what the link did.
#include <netinet/in.h>

#include <algorithm>

#include "test/catch.hpp"
#include "test/lab/link.hpp"
#include "test/lab/packet_stream.hpp"
#include "test/lab/process.hpp"
#include "test/lab/traffic.hpp"

using namespace hopwise;
using namespace hopwise::lab;
using namespace std::chrono_literals;

namespace {

// client (10.98.0.1) == link == server (10.98.0.2)
struct Wire {
  Namespace client = Namespace::create("traffic-c").value();
  Namespace server = Namespace::create("traffic-s").value();
  std::unique_ptr<Relay> relay = Relay::open().value();
  LinkId link = relay->connect({client, "wire"}, {server, "wire"}).value();
  IpAddress to = *IpAddress::parse("10.98.0.2");

  Wire() {
    client
        .ip("addr add 10.98.0.1/30 dev wire\n"
            "neigh replace 10.98.0.2 lladdr 02:68:77:00:00:0b dev wire")
        .value();
    server
        .ip("addr add 10.98.0.2/30 dev wire\n"
            "neigh replace 10.98.0.1 lladdr 02:68:77:00:00:0a dev wire")
        .value();
  }

  std::unique_ptr<Traffic> traffic() {
    return Traffic::start(
               client, server,
               {.server = to, .long_flows = 2, .new_flows_per_s = 20, .flow_kbytes = 20, .mbit = 8},
               std::chrono::steady_clock::now())
        .value();
  }
};

std::size_t completed(const TrafficRecord& record) {
  return static_cast<std::size_t>(std::ranges::count_if(record.short_flows, &ShortFlow::completed));
}

}  // namespace

TEST_CASE("short flows take the round trips that TCP needs, and all complete") {
  Wire wire;
  wire.relay->set(wire.link, {.delay = 20ms});
  const auto traffic = wire.traffic();
  REQUIRE(eventually(20s, [&] { return completed(traffic->record()) >= 40; }));
  const auto record = traffic->stop();
  CHECK(completed(record) == record.short_flows.size());
  for (const auto& flow : record.short_flows) {
    CHECK(*flow.connected - flow.begun >= 0.040);
    CHECK(*flow.ended - flow.begun >= 0.120);  // SYN, ten segments, the rest and its answer
  }
}

TEST_CASE("long flows keep to their pace") {
  Wire wire;
  const auto traffic = wire.traffic();
  const auto long_bytes = [](const TrafficRecord& record) {
    std::uint64_t sum = 0;
    for (const auto& flow : record.long_flows)
      sum += flow.progress.empty() ? 0 : flow.progress.back().acked;
    return sum;
  };
  // 8 Mbit/s less 20 flows of 20 kB a second: 600 kB/s for both.
  REQUIRE(eventually(20s, [&] { return long_bytes(traffic->record()) >= 1'800'000; }));
  const auto record = traffic->stop();
  const double took = record.long_flows[0].progress.back().at;
  CHECK(static_cast<double>(long_bytes(record)) / took == Approx(600e3).epsilon(0.15));
  for (const auto& flow : record.long_flows) CHECK(flow.failure.empty());
}

TEST_CASE("a flow that a black hole holds up is late, not lost") {
  Wire wire;
  const auto traffic = wire.traffic();
  REQUIRE(eventually(20s, [&] { return completed(traffic->record()) >= 10; }));
  wire.relay->set(wire.link, {.loss = 1});
  const auto before = completed(traffic->record());
  std::this_thread::sleep_for(1500ms);  // the length of the hole
  wire.relay->set(wire.link, {});
  REQUIRE(eventually(20s, [&] { return completed(traffic->record()) > before + 40; }));
  const auto record = traffic->stop();
  CHECK(completed(record) == record.short_flows.size());
  for (const auto& flow : record.long_flows) {
    CHECK(flow.longest_stall >= 1.4);
    CHECK(flow.failure.empty());
  }
}

TEST_CASE("a flow that nobody answers is lost") {
  Wire wire;
  const auto traffic = wire.traffic();
  REQUIRE(eventually(20s, [&] { return completed(traffic->record()) >= 10; }));
  wire.client.ip("route add unreachable 10.98.0.2/32").value();
  REQUIRE(eventually(
      20s, [&] { return std::ranges::any_of(traffic->record().short_flows, &ShortFlow::lost); }));
  wire.client.ip("route del unreachable 10.98.0.2/32").value();
}

TEST_CASE("a stream of datagrams counts exactly what the link lost") {
  Wire wire;
  wire.relay->set(wire.link, {.delay = 5ms, .jitter = 2ms});
  auto stream = PacketStream::start(wire.client, wire.server, {.server = wire.to}).value();
  REQUIRE(eventually(20s, [&] { return stream->counts().received >= 500; }));
  wire.relay->set(wire.link, {.delay = 5ms, .loss = 0.2});
  REQUIRE(eventually(20s, [&] { return stream->counts().received >= 1500; }));
  const auto counts = stream->stop();
  const auto arrived =
      wire.relay->counters(wire.link).forward.by_service.at({IPPROTO_UDP, StreamPlan{}.port});
  CHECK(counts.lost() > 0);
  CHECK(counts.lost() == counts.sent - arrived.packets);
  CHECK(counts.duplicated == 0);
  CHECK(counts.reordered == 0);
}
