#include "core/cli/flow_list.hpp"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <random>

#include "test/catch.hpp"

using namespace hopwise;
using namespace std::chrono_literals;
using cli::FlowList;
using cli::FlowOrder;

namespace {

const std::vector<cli::NamedNexthop> kNexthops{{NexthopId{1}, "isp-a", "192.0.2.1"}};

FlowRecord flow_of(std::uint16_t port) {
  FlowRecord flow;
  flow.tuple = {*IpAddress::parse("10.0.0.2"), *IpAddress::parse("203.0.113.9"), 6, port, 443};
  flow.group = GroupId{1};
  flow.nexthop = NexthopId{1};
  flow.answered = true;
  return flow;
}

std::vector<std::uint16_t> ports(const FlowList& list) {
  std::vector<std::uint16_t> ports;
  for (const FlowRecord& flow : list.flows()) ports.push_back(flow.tuple.source_port);
  return ports;
}

FlowRecord eventful() {
  FlowRecord flow = flow_of(40000);
  flow.age = 3725s;
  flow.idle = 200ms;
  flow.moved = Duration(3s);
  flow.packets = 12345;
  flow.bytes = 9'999'999;
  flow.reverse_packets = 8000;
  flow.reverse_bytes = 500'000;
  flow.rtt = Duration(23'100us);
  flow.rtt_deviation = 1200us;
  flow.segments = 1000;
  flow.retransmitted = 25;
  flow.escapes = 2;
  return flow;
}

}  // namespace

TEST_CASE("flows are in order by what was asked for, most first") {
  FlowRecord heavy = flow_of(1), slow = flow_of(2), lossy = flow_of(3), old = flow_of(4);
  heavy.bytes = 10;
  heavy.reverse_bytes = 1000;
  slow.rtt = Duration(50ms);
  slow.packets = 7;
  slow.reverse_packets = 8;
  lossy.retransmitted = 3;
  lossy.rtt = Duration(1ms);
  lossy.idle = 9s;
  old.age = 1h;
  old.packets = 14;
  const auto first_by = [&](FlowOrder order) {
    FlowList list(order, 10);
    for (const FlowRecord& flow : {heavy, slow, lossy, old}) list.add(flow);
    return ports(list).front();
  };
  CHECK(first_by(FlowOrder::bytes) == 1);
  CHECK(first_by(FlowOrder::packets) == 2);
  CHECK(first_by(FlowOrder::rtt) == 2);
  CHECK(first_by(FlowOrder::retransmissions) == 3);
  CHECK(first_by(FlowOrder::age) == 4);
  CHECK(first_by(FlowOrder::idle) == 3);
}

TEST_CASE("flows that tie are in the same order however they come") {
  FlowList up(FlowOrder::rtt, 4), down(FlowOrder::rtt, 4);
  for (std::uint16_t n = 1; n <= 9; ++n) up.add(flow_of(n));
  for (std::uint16_t n = 9; n >= 1; --n) down.add(flow_of(n));
  CHECK(ports(up) == std::vector<std::uint16_t>{1, 2, 3, 4});
  CHECK(ports(down) == ports(up));
}

TEST_CASE("a short list of many flows is the head of all of them in order") {
  std::mt19937 random(7);
  std::vector<FlowRecord> all;
  for (int n = 0; n < 5000; ++n) {
    FlowRecord flow = flow_of(static_cast<std::uint16_t>(n));
    flow.bytes = random() % 1000;
    all.push_back(flow);
  }
  const std::size_t limit = GENERATE(1, 2, 50, 4999, 5000, 10'000);
  FlowList list(FlowOrder::bytes, limit);
  for (const FlowRecord& flow : all) list.add(flow);
  std::stable_sort(all.begin(), all.end(),
                   [](const auto& a, const auto& b) { return a.bytes > b.bytes; });
  all.resize(std::min(limit, all.size()));
  CHECK(list.added() == 5000);
  const auto listed = list.flows();
  REQUIRE(listed.size() == all.size());
  for (std::size_t i = 0; i < all.size(); ++i)
    if (listed[i].tuple.source_port != all[i].tuple.source_port) FAIL("differs at " << i);
}

TEST_CASE("flows read as a table with a line on how many there are") {
  FlowList list(FlowOrder::bytes, 4);
  list.add(eventful());
  FlowRecord control = flow_of(2);
  control.tuple.source = *IpAddress::parse("2001:db8::2");
  control.tuple.destination = *IpAddress::parse("2001:db8:ff::9");
  control.tuple.protocol = 17;
  control.control = true;
  control.nexthop.reset();
  control.bytes = 900;
  list.add(control);
  FlowRecord unanswered = flow_of(3);
  unanswered.answered = false;
  unanswered.tuple.protocol = 1;
  unanswered.tuple.destination_port = 0;
  unanswered.nexthop = NexthopId{9};
  unanswered.group.reset();
  unanswered.bytes = 60;
  unanswered.packets = 1;
  list.add(unanswered);
  const auto text = cli::render_flows(cli::to_json(list, kNexthops));
  REQUIRE(text);
  CHECK(*text == R"(3 flows match, by bytes:

PROTO  SOURCE           DESTINATION           GROUP  NEXTHOP              AGE   IDLE         OUT                 BACK               RTT  SENT AGAIN  NOTE
tcp    10.0.0.2:40000   203.0.113.9:443           1  isp-a         1 h 02 min  0.2 s  12.3 k pkt  10.0 MB  8.00 k pkt  500 kB  23.10 ms  25 (2.5 %)  moved 3.0 s ago, escaped 2 times
udp    [2001:db8::2]:2  [2001:db8:ff::9]:443      1  the kernel's       0.0 s  0.0 s       0 pkt    900 B       0 pkt     0 B         -           -  control group
icmp   10.0.0.2:3       203.0.113.9               -  nexthop-9          0.0 s  0.0 s       1 pkt     60 B       0 pkt     0 B         -           -  no answer yet
)");
}

TEST_CASE("a list that was cut short says of how many") {
  FlowList list(FlowOrder::age, 2);
  const auto first_line = [&] {
    const auto text = cli::render_flows(cli::to_json(list, {}));
    REQUIRE(text);
    return text->substr(0, text->find('\n'));
  };
  CHECK(first_line() == "no flow matches");
  list.add(flow_of(1));
  CHECK(first_line() == "1 flow matches, by age:");
  list.add(flow_of(2));
  CHECK(first_line() == "2 flows match, by age:");
  list.add(flow_of(3));
  CHECK(first_line() == "3 flows match; the first 2, by age:");
}

TEST_CASE("the JSON of flows has every figure with its unit, and null for what is not known") {
  FlowList list(FlowOrder::bytes, 4);
  list.add(eventful());
  FlowRecord bare = flow_of(7);
  bare.tuple.protocol = 47;
  bare.nexthop = NexthopId{9};
  bare.group.reset();
  list.add(bare);
  const auto json = nlohmann::json::parse(cli::to_json(list, kNexthops));
  CHECK(json.at("matched") == 2);
  CHECK(json.at("sort") == "bytes");
  CHECK(json.at("flows").at(0) == nlohmann::json::parse(R"({
    "protocol": "tcp", "source": "10.0.0.2", "source_port": 40000,
    "destination": "203.0.113.9", "destination_port": 443,
    "group": 1, "nexthop": "isp-a", "nexthop_id": 1, "control": false, "answered": true,
    "age_s": 3725.0, "idle_s": 0.2, "moved_ago_s": 3.0, "escapes": 2,
    "forward_packets": 12345, "forward_bytes": 9999999,
    "reverse_packets": 8000, "reverse_bytes": 500000,
    "rtt_ms": 23.1, "rtt_deviation_ms": 1.2, "segments": 1000, "retransmitted_segments": 25})"));
  const auto& other = json.at("flows").at(1);
  CHECK(other.at("protocol") == "47");
  CHECK(other.at("nexthop").is_null());
  CHECK(other.at("nexthop_id") == 9);
  for (const char* unknown : {"group", "moved_ago_s", "rtt_ms", "rtt_deviation_ms"})
    CHECK(other.at(unknown).is_null());
}

TEST_CASE("a list of another shape is an error") {
  for (const char* other : {"", "{}", "[]", "{\"matched\": 1, \"sort\": \"age\", \"flows\": [1]}"})
    CHECK(cli::render_flows(other).has_error());
}
