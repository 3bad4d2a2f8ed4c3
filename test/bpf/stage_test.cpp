// The staging device: where its program sends what is marked, and that nothing else gets past it.
#include "core/dataplane/stage.hpp"

#include <bpf/bpf.h>
#include <net/if.h>

#include "test/bpf/interfaces.hpp"
#include "test/catch.hpp"

using namespace hopwise;
using namespace hopwise::test;
using dataplane::HookChoice;
using dataplane::Stage;

namespace {

constexpr int kShot = 2;  // TC_ACT_SHOT
constexpr std::uint32_t kMark = 0x68770000;

struct Ran {
  int verdict = -1;
  std::uint32_t mark = 0;
  Bytes bytes;
};

Ran run(const Stage& stage, const Bytes& packet, std::uint32_t mark) {
  Bytes out(packet.size() + 256);
  __sk_buff before{}, after{};
  before.mark = mark;
  before.ifindex = 1;
  bpf_test_run_opts run{};
  run.sz = sizeof(run);
  run.data_in = packet.data();
  run.data_size_in = static_cast<__u32>(packet.size());
  run.data_out = out.data();
  run.data_size_out = static_cast<__u32>(out.size());
  run.ctx_in = &before;
  run.ctx_size_in = sizeof(before);
  run.ctx_out = &after;
  run.ctx_size_out = sizeof(after);
  run.repeat = 1;
  REQUIRE(bpf_prog_test_run_opts(stage.program_fd(), &run) == 0);
  out.resize(run.data_size_out);
  return {static_cast<int>(run.retval), after.mark, out};
}

struct Staged {
  explicit Staged(HookChoice hook = HookChoice::automatic) : stage(Stage::Options{kMark, hook}) {
    const auto raised = stage.raise();
    INFO((raised ? "" : raised.error().message));
    REQUIRE(raised.has_value());
    ifindex = *raised;
  }
  void lead(std::uint32_t id, std::uint32_t to, const char* gateway) {
    REQUIRE(stage.set(NexthopId{id}, {to, IpAddress::parse(gateway).value()}));
  }
  std::uint64_t count(const std::string& what) const { return stage.counters().at(what); }

  PrivateNamespace space;
  Stage stage;
  std::uint32_t ifindex = 0;
};

bool has(const std::string& name) {
  return if_nametoindex(name.c_str()) != 0;
}

}  // namespace

TEST_CASE("a marked packet goes to its nexthop as it is, its mark taken off", "[bpf][staging]") {
  Staged staged;
  staged.lead(1, 1, "192.0.2.1");
  staged.lead(2, 1, "2001:db8::1");
  staged.lead(3, 1, "0.0.0.0");  // no gateway: the destination is on the link
  const std::vector<std::pair<PacketSpec, std::uint32_t>> ways{
      {PacketSpec{}, 1}, {PacketSpec{}, 2}, {to_v6({}), 2}, {PacketSpec{}, 3}, {to_v6({}), 3}};
  for (const auto& [spec, id] : ways) {
    const Ran ran = run(staged.stage, build(spec), kMark + id);
    CHECK(ran.verdict == kRedirect);
    CHECK(ran.mark == 0);
    CHECK(ran.bytes == build(spec));
  }
  CHECK(staged.count("sent") == ways.size());
  CHECK(staged.count("unknown") == 0);
}

TEST_CASE("what has no nexthop, or one that cannot carry it, ends in the device and is counted",
          "[bpf][staging]") {
  Staged staged;
  staged.lead(1, 1, "192.0.2.1");
  staged.lead(2, 4711, "192.0.2.1");  // an interface that is gone
  PacketSpec other;
  const auto ends = [&](const Bytes& packet, std::uint32_t mark, std::uint64_t counted) {
    const std::uint64_t before = staged.count("unknown");
    CHECK(run(staged.stage, packet, mark).verdict == kShot);
    CHECK(staged.count("unknown") == before + counted);
  };
  ends(build(other), kMark + 9, 1);
  ends(build(other), 1, 1);
  ends(build(other), 0, 0);  // the kernel's own chatter: no probe
  ends(build(to_v6({})), kMark + 1, 1);
  ends(build(other), kMark + 2, 1);
  staged.stage.remove(NexthopId{1});
  ends(build(other), kMark + 1, 1);
  CHECK(staged.count("sent") == 0);
}

TEST_CASE("a probe larger than its interface takes is counted, not lost in silence",
          "[bpf][staging]") {
  Staged staged;
  make_veth("wan0");
  PrivateNamespace::run("ip link set wan0 mtu 1000");
  staged.lead(1, if_nametoindex("wan0"), "192.0.2.1");
  PacketSpec spec;
  Bytes packet = build(spec);
  CHECK(run(staged.stage, packet, kMark + 1).verdict == kRedirect);
  packet.resize(1000 + 14);
  CHECK(run(staged.stage, packet, kMark + 1).verdict == kRedirect);
  packet.resize(1000 + 15);
  CHECK(run(staged.stage, packet, kMark + 1).verdict == kShot);
  CHECK(staged.count("too_big") == 1);
  CHECK(staged.count("sent") == 2);
}

TEST_CASE("the staging device says nothing, answers nothing, and is no LAN", "[bpf][staging]") {
  const auto hook = GENERATE(HookChoice::automatic, HookChoice::clsact);
  Staged staged(hook);
  for (const char* name : {"hwprobe0", "hwprobe1"}) {
    const std::string device = name;
    PrivateNamespace::run("ip link show " + device + " | grep -q NOARP");
    PrivateNamespace::run("ip link show " + device + " | grep -q LOWER_UP");
    PrivateNamespace::run("test -z \"$(ip -o addr show dev " + device + ")\"");
    PrivateNamespace::run("test $(cat /proc/sys/net/ipv4/conf/" + device + "/forwarding) = 0");
    PrivateNamespace::run("test $(cat /proc/sys/net/ipv6/conf/" + device + "/forwarding) = 0");
  }
  CHECK(staged.stage.raise().value() == staged.ifindex);
  CHECK(describe(dataplane::find_hooks()).empty());  // Attachments must not sweep it
}

TEST_CASE("a staging device that is not whole is made anew, and its nexthops stay",
          "[bpf][staging]") {
  const auto hook = GENERATE(HookChoice::automatic, HookChoice::clsact);
  Staged staged(hook);
  staged.lead(1, 1, "192.0.2.1");
  SECTION("deleted") {
    PrivateNamespace::run("ip link del hwprobe0");
  }
  SECTION("down") {
    PrivateNamespace::run("ip link set hwprobe0 down");
  }
  SECTION("its peer is down") {
    PrivateNamespace::run("ip link set hwprobe1 down");
  }
  SECTION("renamed") {
    PrivateNamespace::run("ip link set hwprobe0 down; ip link set hwprobe0 name elsewhere0");
    PrivateNamespace::run("ip link set hwprobe1 down; ip link set hwprobe1 name elsewhere1");
  }
  SECTION("without its program") {
    if (hook == HookChoice::clsact) PrivateNamespace::run("tc qdisc del dev hwprobe0 clsact");
    if (hook == HookChoice::automatic && has_tcx())
      for (__u32 id = 0; bpf_link_get_next_id(id, &id) == 0;) {
        const dataplane::Handle link(bpf_link_get_fd_by_id(id));
        if (dataplane::hangs_on(link.fd(), staged.ifindex, dataplane::Role::local))
          bpf_link_detach(link.fd());
      }
  }
  const auto again = staged.stage.raise();
  REQUIRE(again.has_value());
  CHECK(*again != staged.ifindex);
  CHECK(if_nametoindex("hwprobe0") == *again);
  CHECK(staged.stage.raise().value() == *again);
  CHECK(run(staged.stage, build({}), kMark + 1).verdict == kRedirect);
}

TEST_CASE("the staging device goes with its owner, and a leftover by the next or by detach",
          "[bpf][staging]") {
  const PrivateNamespace space;
  {
    Stage stage({});
    CHECK_FALSE(has("hwprobe0"));
    REQUIRE(stage.raise().has_value());
    CHECK(has("hwprobe0"));
    stage.lower();
    CHECK_FALSE(has("hwprobe0"));
    REQUIRE(stage.raise().has_value());
  }
  CHECK_FALSE(has("hwprobe0"));
  const std::string leftover = "ip link add hwprobe0 type veth peer name hwprobe1";
  PrivateNamespace::run(leftover);
  {
    const Stage stage({});
    CHECK_FALSE(has("hwprobe1"));
  }
  PrivateNamespace::run(leftover);
  const auto removed = dataplane::detach_all("");
  REQUIRE(removed.has_value());
  CHECK(*removed == std::vector<std::string>{"removed the staging device hwprobe0"});
  CHECK_FALSE(has("hwprobe0"));
}

TEST_CASE("a device of that name that is not ours is left alone, and named", "[bpf][staging]") {
  const PrivateNamespace space;
  PrivateNamespace::run("ip link add hwprobe0 type bridge");
  {
    Stage stage({});
    const auto raised = stage.raise();
    REQUIRE(raised.has_error());
    CHECK_THAT(raised.error().message, Catch::Contains("hwprobe0") && Catch::Contains("rename"));
  }
  CHECK(has("hwprobe0"));
  CHECK(dataplane::detach_all("").has_error());
}
