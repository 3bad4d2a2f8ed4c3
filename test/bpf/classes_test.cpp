// Classes of traffic: which packets are of which, whose weights they follow, and what becomes of a
// group that is only decided about.
#include <algorithm>

#include "test/bpf/router.hpp"
#include "test/catch.hpp"

using namespace hopwise;
using namespace hopwise::test;
using dataplane::Affinity;
using dataplane::Use;

namespace {

constexpr std::uint8_t kExpedited = 46;

std::uint64_t dscps(std::initializer_list<int> numbers) {
  std::uint64_t mask = 0;
  for (const int number : numbers) mask |= 1ULL << number;
  return mask;
}

// Each family has a group for all, and one for each of two classes, over the same three nexthops;
// each group's weights lead to one of them.
struct ThreeClasses {
  explicit ThreeClasses(Affinity affinity, const dataplane::Options& options = {})
      : router(options) {
    for (std::uint32_t i = 1; i <= 3; ++i) {
      router.nexthop(i, "192.0.2." + std::to_string(i));
      router.nexthop(i + 3, "2001:db8:2::" + std::to_string(i));
    }
    for (std::uint32_t id = 1; id <= 6; ++id) {
      const std::uint32_t first = id <= 3 ? 1 : 4;
      groups.push_back(router.group(id, {{first, 1}, {first + 1, 1}, {first + 2, 1}}));
      lead(id, (id - 1) % 3);
      router.dataplane().set_affinity(GroupId{id}, affinity, {});
    }
    const GroupId v4[] = {GroupId{2}, GroupId{3}}, v6[] = {GroupId{5}, GroupId{6}};
    REQUIRE(router.dataplane().set_class_groups(GroupId{1}, v4));
    REQUIRE(router.dataplane().set_class_groups(GroupId{4}, v6));
    router.route("0.0.0.0/0", 1);
    router.route("::/0", 4);
  }
  void lead(std::uint32_t group, std::size_t nexthop) {
    std::vector<double> weights(3);
    weights[nexthop] = 1;
    router.publish(groups.at(group - 1), weights, {true, true, true});
  }
  void rules(const std::vector<ClassRule>& rules) {
    REQUIRE(router.dataplane().set_classes(rules));
  }
  // By the nexthop that it takes.
  std::uint32_t class_of(const PacketSpec& spec) {
    const std::uint32_t nexthop = router.nexthop_of(spec);
    REQUIRE(nexthop != 0);
    return (nexthop - 1) % 3;
  }
  [[nodiscard]] std::uint64_t packets(std::uint32_t path) {
    return router.dataplane().counters().paths.at(PathId{path}).forward_packets;
  }
  Router router;
  std::vector<Group> groups;
};

PacketSpec with_dscp(std::uint8_t dscp) {
  PacketSpec spec;
  spec.dscp = dscp;
  return spec;
}

PacketSpec datagram(std::uint16_t source_port, std::uint16_t destination_port) {
  PacketSpec spec;
  spec.protocol = IPPROTO_UDP;
  spec.source_port = source_port;
  spec.destination_port = destination_port;
  return spec;
}

PacketSpec echo() {
  PacketSpec spec;
  spec.protocol = IPPROTO_ICMP;
  return spec;
}

}  // namespace

TEST_CASE("without rules every packet is of no class", "[bpf][classes]") {
  ThreeClasses three(Affinity::bucket);
  CHECK(three.class_of(with_dscp(kExpedited)) == 0);
  three.rules({{.dscp = dscps({46})}});
  CHECK(three.class_of(with_dscp(kExpedited)) == 1);
  three.rules({});
  CHECK(three.class_of(with_dscp(kExpedited)) == 0);
}

TEST_CASE("the DSCP tells the class, in both families, whatever ECN says", "[bpf][classes]") {
  ThreeClasses three(Affinity::bucket);
  three.rules({{.dscp = dscps({46, 34})}, {.traffic_class = 2, .dscp = dscps({0, 63})}});
  for (int dscp = 0; dscp < 64; ++dscp) {
    const PacketSpec spec = with_dscp(static_cast<std::uint8_t>(dscp));
    const std::uint32_t wanted = dscp == 46 || dscp == 34 ? 1 : dscp == 0 || dscp == 63 ? 2 : 0;
    INFO("DSCP " << dscp);
    CHECK(three.class_of(spec) == wanted);
    CHECK(three.class_of(to_v6(spec)) == wanted);
  }
}

TEST_CASE("a rule may look at the protocol, ICMP's of both families", "[bpf][classes]") {
  ThreeClasses three(Affinity::bucket);
  three.rules({{.protocol = IPPROTO_UDP}, {.traffic_class = 2, .protocol = IPPROTO_ICMP}});
  CHECK(three.class_of({}) == 0);
  CHECK(three.class_of(datagram(1, 2)) == 1);
  CHECK(three.class_of(echo()) == 2);
  CHECK(three.class_of(to_v6({})) == 0);
  CHECK(three.class_of(to_v6(datagram(1, 2))) == 1);
  CHECK(three.class_of(to_v6(echo())) == 2);
}

TEST_CASE("a rule may look at ports, both ends of a range included", "[bpf][classes]") {
  ThreeClasses three(Affinity::bucket);
  three.rules({{.protocol = IPPROTO_UDP, .destination_port = PortRange{5060, 5061}},
               {.traffic_class = 2, .source_port = PortRange{256, 256}}});
  for (const bool v6 : {false, true}) {
    const auto of = [&](const PacketSpec& spec) { return three.class_of(v6 ? to_v6(spec) : spec); };
    CHECK(of(datagram(1, 5059)) == 0);
    CHECK(of(datagram(1, 5060)) == 1);
    CHECK(of(datagram(1, 5061)) == 1);
    CHECK(of(datagram(1, 5062)) == 0);
    CHECK(of(datagram(5060, 1)) == 0);
    CHECK(of(datagram(256, 1)) == 2);
    CHECK(of(datagram(255, 1)) == 0);
    CHECK(of(datagram(1, 256)) == 0);
    PacketSpec tcp = datagram(256, 5060);
    tcp.protocol = IPPROTO_TCP;
    CHECK(of(tcp) == 2);
    PacketSpec ping = echo();  // an identifier is no port
    ping.source_port = 256;
    CHECK(of(ping) == 0);
  }
}

TEST_CASE("a rule may look at either end's prefix", "[bpf][classes]") {
  ThreeClasses three(Affinity::bucket);
  three.rules({{.source = Prefix::parse("10.1.0.0/31")},
               {.traffic_class = 2, .destination = Prefix::parse("203.0.113.8/30")},
               {.traffic_class = 1, .destination = Prefix::parse("2001:db8:ff::8/125")},
               {.traffic_class = 2, .source = Prefix::parse("2001:db8:1:8000::/49")}});
  const auto of = [&](const std::string& source, const std::string& destination) {
    PacketSpec spec;
    spec.source = source;
    spec.destination = destination;
    return three.class_of(spec);
  };
  CHECK(of("10.1.0.1", "203.0.113.9") == 1);
  CHECK(of("10.1.0.2", "203.0.113.9") == 2);
  CHECK(of("10.1.0.2", "203.0.113.12") == 0);
  CHECK(of("10.1.0.2", "203.0.113.7") == 0);
  CHECK(of("2001:db8:1::2", "2001:db8:ff::f") == 1);
  CHECK(of("2001:db8:1::2", "2001:db8:ff::10") == 0);
  CHECK(of("2001:db8:1:8000::2", "2001:db8:ff::10") == 2);
  CHECK(of("2001:db8:1:7fff::2", "2001:db8:ff::10") == 0);
}

TEST_CASE("a prefix of no length is of its family alone", "[bpf][classes]") {
  ThreeClasses three(Affinity::bucket);
  three.rules({{.destination = Prefix::parse("::/0")}});
  CHECK(three.class_of({}) == 0);
  CHECK(three.class_of(to_v6({})) == 1);
}

TEST_CASE("the first rule that matches decides, and all of a rule must match", "[bpf][classes]") {
  ThreeClasses three(Affinity::bucket);
  three.rules({{.traffic_class = 2, .dscp = dscps({46}), .protocol = IPPROTO_UDP},
               {.traffic_class = 1, .dscp = dscps({46})},
               {.traffic_class = 2, .protocol = IPPROTO_TCP}});
  PacketSpec voice = datagram(1, 2);
  voice.dscp = kExpedited;
  CHECK(three.class_of(voice) == 2);
  CHECK(three.class_of(with_dscp(kExpedited)) == 1);
  CHECK(three.class_of({}) == 2);
  CHECK(three.class_of(datagram(1, 2)) == 0);
}

TEST_CASE("as many rules as fit are looked at, and one more is refused", "[bpf][classes]") {
  ThreeClasses three(Affinity::bucket);
  std::vector<ClassRule> rules;
  for (std::uint16_t port = 1; port <= HW_MAX_CLASS_RULES; ++port)
    rules.push_back({.destination_port = PortRange{port, port}});
  rules.back().traffic_class = 2;
  three.rules(rules);
  CHECK(three.class_of(datagram(9, 1)) == 1);
  CHECK(three.class_of(datagram(9, 31)) == 1);
  CHECK(three.class_of(datagram(9, 32)) == 2);
  CHECK(three.class_of(datagram(9, 33)) == 0);
  rules.push_back({});
  CHECK_FALSE(three.router.dataplane().set_classes(rules));
  CHECK(three.class_of(datagram(9, 32)) == 2);
  CHECK_FALSE(three.router.dataplane().set_classes({{.traffic_class = 8}}));
  CHECK_FALSE(three.router.dataplane().set_classes({{.traffic_class = 0}}));
  CHECK_FALSE(three.router.dataplane().set_classes(
      {{.source = Prefix::parse("10.0.0.0/8"), .destination = Prefix::parse("::/0")}}));
}

TEST_CASE("fragments fit no rule with ports, the first included", "[bpf][classes]") {
  ThreeClasses three(Affinity::bucket);
  three.rules(
      {{.destination_port = PortRange{1, 65535}}, {.traffic_class = 2, .protocol = IPPROTO_UDP}});
  for (const Fragment piece : {Fragment{0, true}, Fragment{8, true}, Fragment{16, false}}) {
    PacketSpec spec = datagram(1000, 2000);
    CHECK(three.class_of(spec) == 1);
    spec.fragment = piece;
    CHECK(three.class_of(spec) == 2);
    CHECK(three.class_of(to_v6(spec)) == 2);
  }
}

TEST_CASE("an ICMP error is of the class of what it reports on", "[bpf][classes]") {
  ThreeClasses three(Affinity::bucket);
  three.rules(
      {{.dscp = dscps({46})}, {.traffic_class = 2, .destination_port = PortRange{5060, 5060}}});
  for (const bool v6 : {false, true}) {
    PacketSpec plain = datagram(1000, 5060), marked = datagram(1000, 80);
    marked.dscp = kExpedited;
    const std::string from = v6 ? "2001:db8:1::2" : "10.1.0.2";
    const auto error = [&](PacketSpec spec) {  // by a client, about what came to it
      return three.class_of(error_about(reversed(v6 ? to_v6(spec) : spec), {.from = from}));
    };
    CHECK(error(plain) == 2);
    CHECK(error(marked) == 1);
    CHECK(error(datagram(1000, 80)) == 0);
  }
}

TEST_CASE("a class without a group of its own is its group's traffic", "[bpf][classes]") {
  ThreeClasses three(Affinity::bucket);
  three.rules({{.dscp = dscps({46})}, {.traffic_class = 7, .dscp = dscps({34})}});
  CHECK(three.class_of(with_dscp(34)) == 0);
  const GroupId none[] = {GroupId{}, GroupId{3}};
  REQUIRE(three.router.dataplane().set_class_groups(GroupId{1}, none));
  CHECK(three.class_of(with_dscp(kExpedited)) == 0);
  const GroupId gone[] = {GroupId{99}};
  REQUIRE(three.router.dataplane().set_class_groups(GroupId{1}, gone));
  CHECK(three.class_of(with_dscp(kExpedited)) == 0);
  CHECK_FALSE(three.router.dataplane().set_class_groups(GroupId{99}, none));
}

TEST_CASE("a flow that changes its class stays on its nexthop, and is the class' traffic",
          "[bpf][classes]") {
  ThreeClasses three(Affinity::flow);
  three.rules({{.dscp = dscps({46})}});
  REQUIRE(three.class_of({}) == 0);  // its nexthop is 1
  CHECK(three.router.nexthop_of(with_dscp(kExpedited)) == 1);
  CHECK(three.router.flow({})->nexthop == 1);
  CHECK(three.router.flow({})->path == 2 * 16 + 1);
  CHECK(three.packets(2 * 16 + 1) == 1);
  PacketSpec other = with_dscp(kExpedited);
  other.source_port = 4711;
  CHECK(three.router.nexthop_of(other) == 2);
  CHECK(three.router.event("flow_moved") == 0);
}

TEST_CASE("what is told of a flow's class is what the programs do", "[bpf][classes]") {
  ThreeClasses three(Affinity::bucket);
  three.rules({{.traffic_class = 2, .destination_port = PortRange{5060, 5060}},
               {.traffic_class = 1, .dscp = dscps({46})}});
  FlowTuple tuple{*IpAddress::parse("10.1.0.2"), *IpAddress::parse("203.0.113.9"), IPPROTO_UDP, 1,
                  5060};
  three.router.dataplane().renew_lease(Router::now());
  auto placed = three.router.dataplane().place(tuple, Router::now());
  CHECK(placed.traffic_class == 2);
  CHECK(placed.class_rule == 1);
  CHECK(placed.group == GroupId{3});
  CHECK(placed.nexthop == NexthopId{3});
  tuple.destination_port = 80;
  placed = three.router.dataplane().place(tuple, Router::now());
  CHECK(placed.class_rule == 0);
  CHECK(placed.group == GroupId{1});
  tuple.dscp = kExpedited;
  placed = three.router.dataplane().place(tuple, Router::now());
  CHECK(placed.class_rule == 2);
  CHECK(placed.nexthop == NexthopId{2});
}

TEST_CASE("classes, rules and dry run outlive the daemon", "[bpf][classes]") {
  ThreeClasses three(Affinity::bucket);
  three.rules({{.dscp = dscps({46})}, {.traffic_class = 2, .protocol = IPPROTO_UDP}});
  three.router.dataplane().set_use(GroupId{3}, Use::dry_run);
  three.router.restart();
  CHECK(three.class_of(with_dscp(kExpedited)) == 1);
  CHECK(three.router.steer(build(datagram(1, 2))).reason == "control");
  three.rules({{.traffic_class = 2, .dscp = dscps({46})}});
  CHECK(three.router.steer(build(with_dscp(kExpedited))).reason == "control");
  three.router.dataplane().set_use(GroupId{3}, Use::steer);
  CHECK(three.class_of(with_dscp(kExpedited)) == 2);
}

TEST_CASE("an adopted group tells whose traffic it carries", "[bpf][classes]") {
  Router router;
  router.nexthop(1, "192.0.2.1");
  const Group voice{GroupId{1}, {{PathId{1}, NexthopId{1}, 1}}, {.traffic_class = 3}};
  Group prefix{GroupId{2}, {{PathId{2}, NexthopId{1}, 1}}, {}};
  prefix.variant.destination = Prefix::parse("198.51.100.0/24");
  REQUIRE(router.dataplane().set_group(voice));
  REQUIRE(router.dataplane().set_group(prefix));
  router.restart();
  prefix.variant.destination = Prefix{};  // which it was, the tables do not tell
  CHECK(router.dataplane().adopted().groups == std::vector{voice, prefix});
}

TEST_CASE("in dry run a group's flows are the kernel's, and measured", "[bpf][classes]") {
  ThreeClasses three(Affinity::flow);
  PacketSpec early;
  REQUIRE(three.class_of(early) == 0);
  three.router.dataplane().set_use(GroupId{1}, Use::dry_run);
  PacketSpec fresh;
  fresh.source_port = 4711;
  for (const PacketSpec& spec : {early, fresh}) {
    const Outcome outcome = three.router.steer(build(spec));
    CHECK(outcome.reason == "control");
    CHECK(outcome.verdict == kPassed);
    CHECK(outcome.bytes == build(spec));
    CHECK(three.router.flow(spec)->nexthop == 0);
    CHECK((three.router.flow(spec)->flags & HW_FLOW_CONTROL) != 0);
  }
  CHECK(three.router.dataplane().counters().control.at(GroupId{1}).forward_packets == 2);
  CHECK(three.router.steer(build(to_v6({}))).reason == "steered");

  three.router.dataplane().set_use(GroupId{1}, Use::steer);
  CHECK(three.class_of(early) == 0);
  CHECK((three.router.flow(early)->flags & HW_FLOW_CONTROL) == 0);
}

TEST_CASE("a flow that marks bind to its nexthop stays there in dry run", "[bpf][classes]") {
  dataplane::Options options;
  options.actuator = dataplane::Actuator::mark;
  ThreeClasses three(Affinity::flow, options);
  const PacketSpec bound = datagram(1, 2), fresh = datagram(3, 4);
  const Outcome before = three.router.steer(build(bound));
  REQUIRE(before.mark != 0);
  three.router.dataplane().set_use(GroupId{1}, Use::dry_run);
  CHECK(three.router.steer(build(bound)).mark == before.mark);
  const Outcome outcome = three.router.steer(build(fresh));
  CHECK(outcome.reason == "control");
  CHECK(outcome.mark == 0);
}
