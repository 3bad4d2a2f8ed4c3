// The daemon's side of passive measurement: histograms follow the groups, readings are what came
// since the last one, and restarts lose nothing that matters.
#include <bpf/bpf.h>
#include <sched.h>
#include <unistd.h>

#include "test/bpf/conversation.hpp"
#include "test/catch.hpp"

using namespace hopwise;
using namespace hopwise::test;
using namespace std::chrono_literals;

namespace {

// A sample of about `rtt` for the path that the flow is on.
void exchange(Conversation& flow, std::uint16_t number, Duration rtt) {
  flow.ping(number);
  flow.age(rtt);
  flow.pong(number);
}

std::size_t histograms(Router& router) {
  hw_rtt_key key{};
  std::size_t count = 0;
  const int fd = router.map_fd("hw_rtt");
  for (int end = bpf_map_get_next_key(fd, nullptr, &key); end == 0;
       end = bpf_map_get_next_key(fd, &key, &key))
    ++count;
  return count;
}

void run_on_cpu(int cpu) {
  cpu_set_t only;
  CPU_ZERO(&only);
  CPU_SET(cpu, &only);
  REQUIRE(sched_setaffinity(0, sizeof(only), &only) == 0);
}

}  // namespace

TEST_CASE("a reading is of all CPUs, and of what came since the last one", "[bpf][passive]") {
  Router router;
  router.two_upstreams();
  Conversation flow(router, Family::v4, IPPROTO_ICMP);
  cpu_set_t before;
  REQUIRE(sched_getaffinity(0, sizeof(before), &before) == 0);
  std::uint16_t number = 0;
  for (int cpu = 0; cpu < CPU_SETSIZE; ++cpu) {
    if (!CPU_ISSET(cpu, &before)) continue;
    run_on_cpu(cpu);
    exchange(flow, ++number, 100ms);
    exchange(flow, ++number, 100ms);
  }
  REQUIRE(sched_setaffinity(0, sizeof(before), &before) == 0);
  const auto readings = router.dataplane().take_passive();
  REQUIRE(readings.paths.size() == 1);
  const PassiveRtt& rtt = readings.paths.at(PathId{flow.entry().path});
  CHECK(rtt.samples == number);
  CHECK(rtt.p50 >= 97ms);
  CHECK(rtt.p10 <= rtt.p50);
  CHECK(rtt.p50 <= rtt.p90);
  CHECK(rtt.p90 <= rtt.p99);
  CHECK(readings.control.empty());
  CHECK(router.dataplane().take_passive().paths.empty());
  exchange(flow, ++number, 10ms);
  CHECK(router.dataplane().take_passive().paths.at(PathId{flow.entry().path}).samples == 1);
}

TEST_CASE("histograms come and go with the groups", "[bpf][passive]") {
  Router router;
  CHECK(histograms(router) == 0);
  router.two_upstreams();
  CHECK(histograms(router) == 8);  // 4 paths, sound and weak
  router.nexthop(5, "192.0.2.5");
  router.group(3, {{1, 1}, {2, 1}, {5, 1}});
  CHECK(histograms(router) == 14);
  router.dataplane().remove_group(GroupId{1});
  CHECK(histograms(router) == 10);
  router.dataplane().remove_group(GroupId{2});
  CHECK(histograms(router) == 6);
  router.dataplane().remove_group(GroupId{3});
  CHECK(histograms(router) == 0);
}

TEST_CASE("a path whose number is given out again begins anew", "[bpf][passive]") {
  Router router;
  router.two_upstreams();
  router.nexthop(5, "192.0.2.5");
  Conversation flow(router, Family::v4, IPPROTO_ICMP);
  exchange(flow, 1, 50ms);
  router.dataplane().remove_group(GroupId{1});
  router.group(1, {{5, 1}});
  CHECK(router.dataplane().take_passive().paths.empty());
  exchange(flow, 2, 50ms);  // moves
  exchange(flow, 3, 50ms);
  const auto readings = router.dataplane().take_passive();
  REQUIRE(readings.paths.size() == 1);
  CHECK(readings.paths.begin()->second.samples == 2);
}

TEST_CASE("more paths than a batch holds are all read", "[bpf][passive]") {
  Router router;
  router.two_upstreams();
  for (std::uint32_t id = 3; id < 103; ++id) router.group(id, {{1, 1}, {2, 1}});
  const auto deadline = Router::now() + 30s;  // the kernel may be short of memory for a moment
  while (histograms(router) < 8 + 400 && Router::now() < deadline)
    (void)router.dataplane().take_passive();
  REQUIRE(histograms(router) == 8 + 400);
  const std::vector<hw_rtt> one(static_cast<std::size_t>(sysconf(_SC_NPROCESSORS_CONF)), [] {
    hw_rtt rtt{};
    rtt.bucket[200] = 1;
    rtt.samples[HW_RTT_SEQUENCE] = 1;
    return rtt;
  }());
  for (std::uint32_t id = 3; id < 103; ++id) {
    const hw_rtt_key key{id * 16 + 1, 0};
    REQUIRE(bpf_map_update_elem(router.map_fd("hw_rtt"), &key, one.data(), BPF_EXIST) == 0);
  }
  const auto readings = router.dataplane().take_passive();
  CHECK(readings.paths.size() == 100);
  for (const auto& [path, rtt] : readings.paths) CHECK(rtt.samples == one.size());
}

TEST_CASE("a histogram that is missing is made at the next reading", "[bpf][passive]") {
  Router router;
  router.two_upstreams();
  const hw_rtt_key key{17, 0};
  REQUIRE(bpf_map_delete_elem(router.map_fd("hw_rtt"), &key) == 0);
  (void)router.dataplane().take_passive();
  CHECK(histograms(router) == 8);
}

TEST_CASE("the next daemon counts what it finds as read", "[bpf][passive]") {
  Router router;
  router.two_upstreams();
  Conversation flow(router, Family::v4, IPPROTO_ICMP);
  exchange(flow, 1, 50ms);
  router.restart();
  CHECK(histograms(router) == 8);
  CHECK(router.dataplane().take_passive().paths.empty());
  exchange(flow, 2, 50ms);
  CHECK(router.dataplane().take_passive().paths.size() == 1);
  router.dataplane().remove_group(GroupId{1});
  CHECK(histograms(router) == 4);
}

TEST_CASE("control flows have a reading of their own", "[bpf][passive]") {
  dataplane::Options options;
  options.control_share = 0.5;
  Router router(options);
  router.two_upstreams();
  CHECK(histograms(router) == 8 + 4);
  std::uint64_t control = 0, steered = 0;
  for (std::uint16_t identifier = 1; identifier <= 20; ++identifier) {
    PacketSpec spec;
    spec.protocol = IPPROTO_ICMP;
    spec.source_port = identifier;
    router.steer(build(spec));
    router.observe(build(reversed(spec)));
    const auto entry = router.embryo(spec);
    REQUIRE(entry);
    ((entry->flags & HW_FLOW_CONTROL) != 0 ? control : steered) += 1;
  }
  REQUIRE(control > 0);
  REQUIRE(steered > 0);
  const auto readings = router.dataplane().take_passive();
  CHECK(readings.control.at(GroupId{1}).samples == control);
  std::uint64_t samples = 0;
  for (const auto& [path, rtt] : readings.paths) samples += rtt.samples;
  CHECK(samples == steered);
}

TEST_CASE("what is switched off leaves no trace", "[bpf][passive]") {
  dataplane::Options options;
  options.measure = false;
  options.escape = GENERATE(true, false);
  Router router(options);
  router.two_upstreams();
  Conversation flow(router, Family::v4);
  flow.send({.sequence = 1000, .flags = kSyn});
  flow.age(1s);
  flow.send({.sequence = 1000, .flags = kSyn});
  std::size_t escapes = 0;
  router.dataplane().take_escapes([&](const dataplane::Escape&) { ++escapes; });
  CHECK(escapes == (options.escape ? 1 : 0));
  flow.receive({.sequence = 1, .acknowledged = 1001, .flags = kSyn | kAck});
  flow.send({.sequence = 1001, .acknowledged = 2, .payload = 10});
  flow.receive({.sequence = 2, .acknowledged = 1011});
  CHECK(router.dataplane().take_passive().paths.empty());
  CHECK(flow.traffic().segments == 0);
}
