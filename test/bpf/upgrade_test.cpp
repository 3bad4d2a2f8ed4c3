// One daemon after another under traffic: of the same ABI, of another, and one that cannot attach.
//
//   client --veth-- lan0 [steer] === router === wan0, wan1 --veth-- their peers
//
// The router does not forward by itself: a packet that misses the programs for an instant is lost,
// and less leaves by the uplinks than came in.
#include <bpf/bpf.h>
#include <linux/if_packet.h>
#include <net/ethernet.h>
#include <net/if.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <filesystem>
#include <fstream>
#include <map>
#include <thread>

#include "core/dataplane/attach.hpp"
#include "core/dataplane/handle.hpp"
#include "core/dataplane/pins.hpp"
#include "test/bpf/router.hpp"
#include "test/catch.hpp"

using namespace hopwise;
using namespace hopwise::test;
using dataplane::Dataplane;
using dataplane::HookChoice;
using dataplane::Role;
using namespace std::chrono_literals;
namespace fs = std::filesystem;

namespace {

constexpr std::uint16_t kFlows = 64;

// Frames that a veth was given to send, and those that its peer's queue had no room for: on a busy
// machine some have not, which is nobody's fault here. Nothing but the stream is on these wires:
// IPv6 is off and the neighbours are permanent.
struct Sent {
  std::uint64_t delivered = 0;
  std::uint64_t dropped = 0;
};
Sent sent_by(const std::string& interface) {
  std::ifstream devices("/proc/thread-self/net/dev");
  for (std::string word; devices >> word;) {
    if (word != interface + ':') continue;
    std::array<std::uint64_t, 12> figures{};
    for (std::uint64_t& figure : figures) devices >> figure;
    return {figures[9], figures[11]};
  }
  return {};
}

std::uint64_t entered() {
  return sent_by("client").delivered;
}
std::uint64_t left() {
  const Sent first = sent_by("wan0"), second = sent_by("wan1");
  return first.delivered + first.dropped + second.delivered + second.dropped;
}

template <class Fact>
bool comes_true(Fact fact) {
  const auto deadline = Router::now() + 10s;
  while (!fact()) {
    if (Router::now() > deadline) return false;
    usleep(1000);
  }
  return true;
}

// Packets of kFlows flows from the client, without end.
class Stream {
 public:
  Stream() : socket_(::socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0)) {
    sockaddr_ll address{};
    address.sll_family = AF_PACKET;
    address.sll_ifindex = static_cast<int>(if_nametoindex("client"));
    REQUIRE(bind(socket_.fd(), reinterpret_cast<sockaddr*>(&address), sizeof(address)) == 0);
    thread_ = std::thread([this] { run(); });
    go_on();
  }
  ~Stream() {
    stop_ = true;
    thread_.join();
  }

  /// Returns when many more packets of each flow have been sent.
  void go_on() const {
    const std::uint64_t before = sent_;
    REQUIRE(comes_true([&] { return sent_ >= before + 20ULL * kFlows; }));
  }
  void end() {
    stop_ = true;
    REQUIRE(comes_true([&] { return ended_.load(); }));
  }

 private:
  void run() {
    std::vector<Bytes> frames;
    for (std::uint16_t n = 0; n < kFlows; ++n) {
      PacketSpec spec;
      spec.protocol = IPPROTO_UDP;
      spec.source_port = static_cast<std::uint16_t>(5000 + n);
      spec.mac = {2, 0, 0, 0, 1, 1};
      frames.push_back(build(spec));
    }
    while (!stop_) {
      for (const Bytes& frame : frames)
        if (send(socket_.fd(), frame.data(), frame.size(), 0) > 0) ++sent_;
      usleep(500);
    }
    ended_ = true;
  }

  dataplane::Handle socket_;
  std::atomic<bool> stop_ = false, ended_ = false;
  std::atomic<std::uint64_t> sent_ = 0;
  std::thread thread_;
};

// A router on veth pairs, and its daemons.
class Site {
 public:
  Site() {
    const auto run = PrivateNamespace::run;
    run("sysctl -qw net.ipv6.conf.default.disable_ipv6=1 net.ipv4.ip_forward=0");
    run("ip link add lan0 address 02:00:00:00:01:01 type veth peer name client");
    run("ip link set lan0 up && ip link set client up");
    for (const std::string wan : {"wan0", "wan1"}) {
      run("ip link add " + wan + " type veth peer name " + wan + "-peer");
      run("ip link set " + wan + " up && ip link set " + wan + "-peer up");
    }
    run("ip neigh add 192.0.2.1 lladdr 02:00:00:00:02:01 dev wan0");
    run("ip neigh add 198.51.100.1 lladdr 02:00:00:00:02:02 dev wan1");
    options_.pin_root = "/sys/fs/bpf/hopwise-test-" + std::to_string(getpid());
    options_.lease = 600s;
    options_.escape = false;
  }
  ~Site() {
    dataplane_.reset();
    (void)dataplane::detach_all(options_.pin_root);
  }

  Dataplane& start(HookChoice hook) {
    dataplane_.reset();
    options_.hook = hook;
    auto opened = Dataplane::open(options_);
    if (!opened) FAIL(opened.error().message);
    dataplane_ = std::move(*opened);
    nexthop(1, "wan0", "192.0.2.1");
    nexthop(2, "wan1", "198.51.100.1");
    REQUIRE(dataplane_->set_group(
        {GroupId{1}, {{PathId{1}, NexthopId{1}, 1}, {PathId{2}, NexthopId{2}, 1}}}));
    REQUIRE(dataplane_->set_route(*Prefix::parse("0.0.0.0/0"), GroupId{1}));
    dataplane_->renew_lease(Router::now());
    for (const Error& error : dataplane_->attach(wanted())) FAIL(error.message);
    return *dataplane_;
  }
  // What a daemon of another ABI leaves looks like this one's, but for the folder's name.
  void become(const std::string& abi) {
    dataplane_.reset();
    fs::rename(here(dataplane::abi_name()), here(abi));
  }

  [[nodiscard]] static std::vector<Dataplane::Attachment> wanted() {
    std::vector<Dataplane::Attachment> wanted;
    for (const auto& [name, role] : {std::pair("lan0", Role::lan),
                                     {"lan0", Role::lan_return},
                                     {"wan0", Role::wan},
                                     {"wan0", Role::local},
                                     {"wan1", Role::wan}})
      wanted.push_back({if_nametoindex(name), name, role});
    return wanted;
  }
  [[nodiscard]] fs::path here(const std::string& abi) const {
    return fs::directory_iterator(options_.pin_root)->path() / abi;
  }
  [[nodiscard]] std::map<std::uint16_t, FlowRecord> flows() const {
    std::map<std::uint16_t, FlowRecord> flows;
    REQUIRE(dataplane::read_flows(
        options_.pin_root, {}, Router::now(),
        [&](const FlowRecord& flow) { flows.emplace(flow.tuple.source_port, flow); }));
    return flows;
  }
  [[nodiscard]] const std::string& pin_root() const { return options_.pin_root; }

 private:
  void nexthop(std::uint32_t id, const std::string& interface, const std::string& gateway) {
    REQUIRE(
        dataplane_->set_nexthop({NexthopId{id},
                                 {if_nametoindex(interface.c_str()), *IpAddress::parse(gateway)},
                                 interface,
                                 gateway}));
    dataplane_->set_nexthop_usable(NexthopId{id}, true);
  }

  PrivateNamespace namespace_;
  dataplane::Options options_;
  std::unique_ptr<Dataplane> dataplane_;
};

std::vector<std::string> describe(const std::vector<dataplane::Hook>& hooks) {
  std::vector<std::string> lines;
  for (const auto& hook : hooks) lines.push_back(text(hook) + ' ' + std::to_string(hook.link_id));
  return lines;
}

void expect_all_steered(Stream& stream) {
  stream.end();
  REQUIRE(entered() > 0);
  comes_true([&] { return left() >= entered(); });
  CHECK(left() == entered());
}

}  // namespace

TEST_CASE("a restart under traffic loses no packet and no flow", "[bpf]") {
  const auto first = GENERATE(HookChoice::automatic, HookChoice::clsact);
  const auto second = GENERATE(HookChoice::automatic, HookChoice::clsact);
  Site site;
  site.start(first);
  const auto hooks = describe(dataplane::find_hooks());
  CHECK(hooks.size() == Site::wanted().size());
  Stream stream;
  const auto before = site.flows();
  REQUIRE(before.size() == kFlows);
  for (int restarts = 0; restarts < 5; ++restarts) {
    auto& dataplane = site.start(second);
    CHECK(dataplane.adopted().groups.size() == 1);
    stream.go_on();
  }
  if (first == second) CHECK(describe(dataplane::find_hooks()) == hooks);
  CHECK(dataplane::find_hooks().size() == Site::wanted().size());
  expect_all_steered(stream);

  std::uint64_t packets = 0;
  for (const auto& [port, flow] : site.flows()) {
    CHECK(flow.nexthop == before.at(port).nexthop);
    packets += flow.packets;
  }
  CHECK(packets == left());  // counted on through every restart
}

TEST_CASE("an upgrade to another ABI and the way back lose no packet", "[bpf]") {
  const auto first = GENERATE(HookChoice::automatic, HookChoice::clsact);
  const auto second = GENERATE(HookChoice::automatic, HookChoice::clsact);
  Site site;
  site.start(first);
  Stream stream;
  const std::string own = dataplane::abi_name();
  for (const std::string other : {"v1", "v9", "v1"}) {  // from an older, and back from a newer
    site.become(other);
    const auto hooks = describe(dataplane::find_hooks());
    stream.go_on();  // without a daemon
    auto& dataplane = site.start(second);
    CHECK(dataplane.adopted().groups.empty());
    CHECK(dataplane.adopted().set_aside.empty());
    CHECK_FALSE(fs::exists(site.here(other)));
    CHECK(fs::exists(site.here(own)));
    if (first == second) CHECK(describe(dataplane::find_hooks()) == hooks);  // in place
    CHECK(dataplane::find_hooks().size() == Site::wanted().size());
    stream.go_on();
  }
  expect_all_steered(stream);
  CHECK(site.flows().size() == kFlows);
}

TEST_CASE("where the new programs cannot be attached, the old ones go on", "[bpf]") {
  const auto first = GENERATE(HookChoice::automatic, HookChoice::clsact);
  const auto second = GENERATE(HookChoice::automatic, HookChoice::clsact);
  Site site;
  site.start(first);
  const std::string own = dataplane::abi_name(), other = GENERATE("v1", "");
  Stream stream;
  if (!other.empty()) {
    site.become(other);
    fs::create_directory(site.here(own));
  }
  const auto hooks = describe(dataplane::find_hooks());
  {
    dataplane::Attachments unable(site.here(own), {}, second);
    CHECK(unable.set(Site::wanted()).size() == Site::wanted().size());
    CHECK(unable.set(Site::wanted()).size() == Site::wanted().size());  // and again
    CHECK(unable.status().empty());
  }
  CHECK(describe(dataplane::find_hooks()) == hooks);
  if (!other.empty()) CHECK(fs::exists(site.here(other) / "hw_flows"));  // to come back to
  stream.go_on();
  site.start(second);
  if (!other.empty()) CHECK_FALSE(fs::exists(site.here(other)));
  CHECK(dataplane::find_hooks().size() == Site::wanted().size());
  stream.go_on();
  expect_all_steered(stream);
}

TEST_CASE("the stream of these tests would notice a gap", "[bpf]") {
  Site site;
  auto& dataplane = site.start(HookChoice::automatic);
  Stream stream;
  REQUIRE(dataplane::detach_all(site.pin_root()).has_value());
  stream.go_on();
  for (const Error& error : dataplane.attach(Site::wanted())) FAIL(error.message);
  stream.go_on();
  stream.end();
  REQUIRE(left() > 0);
  CHECK(left() < entered());
}
