// The flow tables, read as `hopwise flows` does: whole, in no time, and without a trace.
#include <arpa/inet.h>
#include <bpf/bpf.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstring>
#include <filesystem>
#include <iostream>
#include <set>

#include "core/dataplane/flows.hpp"
#include "core/dataplane/handle.hpp"
#include "core/dataplane/pins.hpp"
#include "test/bpf/router.hpp"
#include "test/catch.hpp"

using namespace hopwise;
using namespace hopwise::test;
using dataplane::FlowFilter;
using dataplane::Handle;
using namespace std::chrono_literals;
namespace fs = std::filesystem;

namespace {

std::string pin(const Router& router, const char* name) {
  return fs::directory_iterator(router.pin_root())->path() / dataplane::abi_name() / name;
}

Handle table(const Router& router, const char* name) {
  Handle map(bpf_obj_get(pin(router, name).c_str()));
  REQUIRE(map);
  return map;
}

hw_flow_key key_number(std::uint32_t n) {
  hw_flow_key key{};
  const std::uint32_t source = htonl(0x0a000000 + n), destination = htonl(0xcb007109);
  std::memcpy(key.source, &source, 4);
  std::memcpy(key.destination, &destination, 4);
  key.source_port = htons(40000);
  key.destination_port = htons(443);
  key.family = 4;
  key.protocol = IPPROTO_TCP;
  return key;
}

void put(const Handle& map, const hw_flow_key& key, const hw_flow& flow) {
  REQUIRE(bpf_map_update_elem(map.fd(), &key, &flow, BPF_ANY) == 0);
}

// Flows `from` and on, in the order of their age.
void fill(const Handle& map, std::uint32_t from, std::uint32_t count) {
  std::vector<hw_flow_key> keys;
  for (std::uint32_t n = 0; n < count; ++n) keys.push_back(key_number(from + n));
  const std::vector<hw_flow> flows(count);
  __u32 done = count;
  REQUIRE(bpf_map_update_batch(map.fd(), keys.data(), flows.data(), &done, nullptr) == 0);
  REQUIRE(done == count);
}

std::size_t present(const Handle& map, std::uint32_t from, std::uint32_t count) {
  std::size_t found = 0;
  dataplane::read_entries(map.fd(), 4096, [&](const hw_flow_key& key, const hw_flow&) {
    std::uint32_t source = 0;
    std::memcpy(&source, key.source, 4);
    found += ntohl(source) - 0x0a000000 - from < count ? 1 : 0;
  });
  return found;
}

std::vector<FlowRecord> read(const Router& router, const FlowFilter& filter = {}) {
  std::vector<FlowRecord> flows;
  REQUIRE(dataplane::read_flows(router.pin_root(), filter, TimePoint(100s),
                                [&](const FlowRecord& flow) { flows.push_back(flow); }));
  return flows;
}

constexpr std::uint64_t kSecond = 1'000'000'000;

}  // namespace

TEST_CASE("a flow's entry is read with all that was seen of it", "[bpf]") {
  Router router;
  router.two_upstreams();
  hw_flow flow{};
  flow.path = 17;  // of group 1
  flow.nexthop = 1;
  flow.started_ns = 40 * kSecond;
  flow.last_seen_ns = 99 * kSecond;
  flow.moved_ns = 90 * kSecond;
  flow.packets = 10;
  flow.bytes = 1000;
  flow.reverse_packets = 20;
  flow.reverse_bytes = 2000;
  flow.flags = HW_FLOW_ANSWERED;
  flow.escapes = 2;
  flow.seen.rtt_us = 1500;
  flow.seen.rtt_deviation_us = 250;
  flow.seen.segments = 9;
  flow.seen.retransmitted = 3;
  put(table(router, "hw_flows"), key_number(5), flow);

  const auto flows = read(router);
  REQUIRE(flows.size() == 1);
  const FlowRecord& seen = flows[0];
  CHECK(seen.tuple.source.text() == "10.0.0.5");
  CHECK(seen.tuple.destination.text() == "203.0.113.9");
  CHECK(seen.tuple.source_port == 40000);
  CHECK(seen.tuple.destination_port == 443);
  CHECK(seen.group == GroupId{1});
  CHECK(seen.nexthop == NexthopId{1});
  CHECK_FALSE(seen.control);
  CHECK(seen.answered);
  CHECK(seen.age == 60s);
  CHECK(seen.idle == 1s);
  CHECK(seen.moved == Duration(10s));
  CHECK(seen.packets == 10);
  CHECK(seen.bytes == 1000);
  CHECK(seen.reverse_packets == 20);
  CHECK(seen.reverse_bytes == 2000);
  CHECK(seen.rtt == Duration(1500us));
  CHECK(seen.rtt_deviation == 250us);
  CHECK(seen.segments == 9);
  CHECK(seen.retransmitted == 3);
  CHECK(seen.escapes == 2);
}

TEST_CASE("control flows, echoes, IPv6 and paths that are gone are told as what they are",
          "[bpf]") {
  Router router;
  router.two_upstreams();
  const Handle flows = table(router, "hw_flows");
  hw_flow_key key{};
  key.family = 6;
  key.protocol = IPPROTO_ICMPV6;
  key.source[0] = key.destination[0] = 0x20;
  key.source_port = key.destination_port = htons(77);
  hw_flow control{};
  control.path = HW_CONTROL_PATH(2);
  control.flags = HW_FLOW_CONTROL;
  put(flows, key, control);
  hw_flow gone{};
  gone.path = 4000;
  gone.nexthop = 9;
  put(flows, key_number(1), gone);
  hw_flow wild{};
  wild.path = 0xffffffff;
  put(flows, key_number(2), wild);

  FlowFilter echoes;
  echoes.port = 77;
  const auto echo = read(router, echoes);
  REQUIRE(echo.size() == 1);
  CHECK(echo[0].tuple.source.text() == "2000::");
  CHECK(echo[0].tuple.source_port == 77);
  CHECK(echo[0].tuple.destination_port == 0);
  CHECK(echo[0].control);
  CHECK(echo[0].group == GroupId{2});
  CHECK_FALSE(echo[0].nexthop);
  FlowFilter icmp;
  icmp.protocol = IPPROTO_ICMP;
  CHECK(read(router, icmp).size() == 1);

  FlowFilter tcp;
  tcp.protocol = 6;
  const auto lost = read(router, tcp);
  REQUIRE(lost.size() == 2);
  CHECK_FALSE(lost[0].group);
  CHECK_FALSE(lost[1].group);
}

TEST_CASE("a filter lets through what matches all of it", "[bpf]") {
  Router router;
  router.two_upstreams();
  const Handle flows = table(router, "hw_flows");
  for (std::uint32_t n = 0; n < 8; ++n) {
    hw_flow flow{};
    flow.path = 17 + n % 2;
    flow.nexthop = 1 + n % 2;
    flow.last_seen_ns = (100 - n) * kSecond;
    put(flows, key_number(n), flow);
  }
  const auto count = [&](auto set) {
    FlowFilter filter;
    set(filter);
    return read(router, filter).size();
  };
  CHECK(count([](FlowFilter&) {}) == 8);
  CHECK(count([](FlowFilter& f) { f.source = Prefix::parse("10.0.0.0/30"); }) == 4);
  CHECK(count([](FlowFilter& f) { f.destination = Prefix::parse("203.0.113.9/32"); }) == 8);
  CHECK(count([](FlowFilter& f) { f.destination = Prefix::parse("203.0.114.0/24"); }) == 0);
  CHECK(count([](FlowFilter& f) { f.protocol = IPPROTO_UDP; }) == 0);
  CHECK(count([](FlowFilter& f) { f.port = 443; }) == 8);
  CHECK(count([](FlowFilter& f) { f.port = 444; }) == 0);
  CHECK(count([](FlowFilter& f) { f.nexthop = NexthopId{2}; }) == 4);
  CHECK(count([](FlowFilter& f) { f.group = GroupId{1}; }) == 8);
  CHECK(count([](FlowFilter& f) { f.group = GroupId{2}; }) == 0);
  CHECK(count([](FlowFilter& f) { f.idle_below = 3s; }) == 3);
  CHECK(count([](FlowFilter& f) {
          f.idle_below = 3s;
          f.nexthop = NexthopId{1};
        }) == 2);
}

TEST_CASE("flows without an answer are read too, and one that was promoted only once", "[bpf]") {
  Router router;
  hw_flow fresh{};
  hw_flow promoted{};
  promoted.flags = HW_FLOW_ANSWERED;
  put(table(router, "hw_embryos"), key_number(1), fresh);
  put(table(router, "hw_embryos"), key_number(2), fresh);
  put(table(router, "hw_flows"), key_number(2), promoted);
  const auto flows = read(router);
  REQUIRE(flows.size() == 2);
  for (const FlowRecord& flow : flows)
    CHECK(flow.answered == (flow.tuple.source.text() == "10.0.0.2"));
}

TEST_CASE("a batch that is too small for a bucket grows", "[bpf]") {
  Router router;
  const Handle flows = table(router, "hw_flows");
  fill(flows, 0, 20'000);
  std::set<std::string> seen;
  std::size_t calls = 0;
  REQUIRE(dataplane::read_entries(flows.fd(), 1, [&](const hw_flow_key& key, const hw_flow&) {
    ++calls;
    seen.insert(dataplane::tuple_of(key).source.text());
  }));
  CHECK(calls == 20'000);
  CHECK(seen.size() == 20'000);
}

TEST_CASE("a full table is read in well under a second", "[bpf]") {
  Router router;
  const Handle map = table(router, "hw_flows");
  fill(map, 0, HW_MAX_FLOWS);
  std::size_t flows = 0;
  const auto before = Router::now();
  REQUIRE(
      dataplane::read_flows(router.pin_root(), {}, before, [&](const FlowRecord&) { ++flows; }));
  const double took = milliseconds(Router::now() - before);
  std::cout << "read_flows: " << flows << " flows in " << took << " ms\n";
  CHECK(flows > HW_MAX_FLOWS * 9 / 10);  // an LRU evicts a little before it is full
}

// The oldest of a full table are the first to go, unless they were used. If reading counted as use,
// all would be alike and the used ones would go with the rest.
TEST_CASE("reading makes no flow look used", "[bpf]") {
  constexpr std::uint32_t kUsed = 1000;
  const int readings = GENERATE(0, 5);
  CAPTURE(readings);
  Router router;
  router.two_upstreams();
  const Handle map = table(router, "hw_flows");
  fill(map, 0, HW_MAX_FLOWS);
  for (std::uint32_t n = 2 * kUsed; n < 3 * kUsed; ++n) {
    PacketSpec answer;
    answer.source = "203.0.113.9";
    answer.destination = "10.0." + std::to_string(n >> 8) + '.' + std::to_string(n & 255);
    answer.source_port = 443;
    answer.destination_port = 40000;
    router.observe(build(answer));
  }
  REQUIRE(present(map, 2 * kUsed, kUsed) == kUsed);
  for (int i = 0; i < readings; ++i) read(router);
  fill(map, HW_MAX_FLOWS, HW_MAX_FLOWS / 2);
  CHECK(present(map, 2 * kUsed, kUsed) > kUsed * 95 / 100);  // a CPU in need takes any
  CHECK(present(map, 0, kUsed) == 0);
  CHECK(present(map, 3 * kUsed, kUsed) == 0);
}

TEST_CASE("where no hopwise has run, reading flows says so", "[bpf]") {
  const std::string root = "/sys/fs/bpf/hopwise-test-" + std::to_string(getpid());
  PrivateNamespace here;
  const auto nothing = dataplane::read_flows(root, {}, TimePoint(), [](const FlowRecord&) {});
  REQUIRE(nothing.has_error());
  CHECK(nothing.error().message.find("no hopwise has run in this network namespace") !=
        std::string::npos);
}

TEST_CASE("a table of another shape is not read", "[bpf]") {
  Router router;
  router.crash();
  fs::remove(pin(router, "hw_flows"));
  const Handle other(bpf_map_create(BPF_MAP_TYPE_HASH, "other", 4, 8, 10, nullptr));
  REQUIRE(bpf_obj_pin(other.fd(), pin(router, "hw_flows").c_str()) == 0);
  const auto refused =
      dataplane::read_flows(router.pin_root(), {}, TimePoint(), [](const FlowRecord&) {});
  REQUIRE(refused.has_error());
  CHECK(refused.error().message.find("no flow table of this version") != std::string::npos);
}

TEST_CASE("without privileges reading flows says what it needs", "[bpf]") {
  Router router;
  const pid_t child = fork();
  if (child == 0) {
    const bool dropped = setgid(65534) == 0 && setuid(65534) == 0;
    const auto flows =
        dataplane::read_flows(router.pin_root(), {}, TimePoint(), [](const FlowRecord&) {});
    const bool honest = !flows && flows.error().message.find("run as root") != std::string::npos;
    _exit(dropped && honest ? 0 : 1);
  }
  int status = -1;
  REQUIRE(waitpid(child, &status, 0) == child);
  CHECK(status == 0);
}
