// Frames over real (virtual) wires:
//
//   client --veth-- lan0 [steer] === router === wan0, wan1 --veth-- their peers, read here
//
// What a test run cannot show: that a redirected packet really leaves with the right MAC address,
// tags and aggregates in an skb's metadata, and frames that are shorter than an IP header.
#include <bpf/libbpf.h>
#include <linux/if_packet.h>
#include <net/ethernet.h>
#include <net/if.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>

#include "test/bpf/router.hpp"
#include "test/catch.hpp"

using namespace hopwise;
using namespace hopwise::test;
using dataplane::Role;

namespace {

constexpr std::array<std::uint8_t, 6> kLanMac{2, 0, 0, 0, 1, 1};

// A packet socket on one interface.
class Wire {
 public:
  explicit Wire(const std::string& interface, bool vnet_headers = false)
      : fd_(socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, htons(ETH_P_ALL))) {
    sockaddr_ll address{};
    address.sll_family = AF_PACKET;
    address.sll_protocol = htons(ETH_P_ALL);
    address.sll_ifindex = static_cast<int>(if_nametoindex(interface.c_str()));
    const int on = vnet_headers ? 1 : 0;
    REQUIRE(setsockopt(fd_, SOL_PACKET, PACKET_VNET_HDR, &on, sizeof(on)) == 0);
    REQUIRE(bind(fd_, reinterpret_cast<sockaddr*>(&address), sizeof(address)) == 0);
  }
  ~Wire() { close(fd_); }
  Wire(const Wire&) = delete;
  Wire& operator=(const Wire&) = delete;

  void send(const Bytes& frame) const {
    REQUIRE(::send(fd_, frame.data(), frame.size(), 0) == static_cast<ssize_t>(frame.size()));
  }

  // The next IPv4 packet, or IPv6 one with TCP: the kernel's own chatter is neither.
  [[nodiscard]] Bytes next_packet() const {
    pollfd ready{fd_, POLLIN, 0};
    while (poll(&ready, 1, 5000) == 1) {
      Bytes frame(16384);
      frame.resize(static_cast<std::size_t>(recv(fd_, frame.data(), frame.size(), 0)));
      const bool ip = frame[12] == 8 || (frame[12] == 0x86 && frame[20] == IPPROTO_TCP);
      if (ip) return frame;
    }
    return {};
  }

 private:
  int fd_;
};

void make_wires() {
  const auto run = PrivateNamespace::run;
  run("sysctl -qw net.ipv6.conf.default.disable_ipv6=0 net.ipv6.conf.default.accept_dad=0");
  run("ip link add lan0 address 02:00:00:00:01:01 type veth peer name client");
  run("ip link set lan0 up && ip link set client up");
  for (const char* wan : {"wan0", "wan1"})
    run(std::string("ip link add ") + wan + " type veth peer name " + wan +
        "-peer && ip link set " + wan + " up && ip link set " + wan + "-peer up");
  run("ip neigh add 192.0.2.1 lladdr 02:00:00:00:02:01 dev wan0");
  run("ip neigh add fe80::1 lladdr 02:00:00:00:02:02 dev wan1");
}

void add_nexthop(Router& router, std::uint32_t id, const std::string& interface,
                 const std::string& gateway) {
  const std::uint32_t ifindex = if_nametoindex(interface.c_str());
  REQUIRE(router.dataplane().set_nexthop(
      {NexthopId{id}, {ifindex, *IpAddress::parse(gateway)}, interface, gateway}));
  router.dataplane().set_nexthop_usable(NexthopId{id}, true);
}

std::uint64_t count(Router& router, const std::string& reason) {
  return router.dataplane().counters().packets_by_reason.at(reason);
}

void attach_lan(Router& router) {
  const auto errors = router.dataplane().attach({{if_nametoindex("lan0"), "lan0", Role::lan}});
  REQUIRE(errors.empty());
}

PacketSpec to_router(PacketSpec spec) {
  spec.mac = kLanMac;
  return spec;
}

}  // namespace

TEST_CASE("a steered packet leaves for its gateway's MAC address, of either family", "[bpf]") {
  const auto hook = GENERATE(dataplane::HookChoice::automatic, dataplane::HookChoice::clsact);
  dataplane::Options options;
  options.hook = hook;
  Router router(options);
  make_wires();
  add_nexthop(router, 1, "wan0", "192.0.2.1");
  add_nexthop(router, 2, "wan1", "fe80::1");
  router.group(1, {{1, 1}});
  router.group(2, {{2, 1}});
  router.route("203.0.113.0/24", 1);
  router.route("198.51.100.0/24", 2);  // IPv4 by an IPv6 gateway
  router.route("2001:db8:ff::/48", 2);
  attach_lan(router);

  const Wire client("client"), wan0("wan0-peer"), wan1("wan1-peer");
  PacketSpec spec = to_router({});
  const auto expect = [&](const Wire& wan, PacketSpec sent, std::uint8_t last_of_mac) {
    client.send(build(sent));
    const Bytes got = wan.next_packet();
    --sent.hops;
    const Bytes want = build(sent);
    REQUIRE(got.size() == want.size());
    CHECK(got[5] == last_of_mac);
    CHECK(Bytes(got.begin() + 12, got.end()) == Bytes(want.begin() + 12, want.end()));
  };
  expect(wan0, spec, 1);
  spec.destination = "198.51.100.9";
  expect(wan1, spec, 2);
  expect(wan1, to_v6(spec), 2);
}

TEST_CASE("with link-layer addresses kept here no neighbour is asked", "[bpf]") {
  Router router;
  make_wires();
  add_nexthop(router, 1, "wan0", "192.0.2.77");  // unknown to the kernel
  router.group(1, {{1, 1}});
  router.route("0.0.0.0/0", 1);
  router.route("::/0", 1);
  const dataplane::Link link{{2, 0, 0, 0, 2, 77}, {2, 0, 0, 0, 3, 3}};
  router.dataplane().set_nexthop_link(NexthopId{1}, link);
  attach_lan(router);
  const Wire client("client"), wan0("wan0-peer");
  PacketSpec spec = to_router({});
  client.send(build(spec));
  const Bytes got = wan0.next_packet();
  --spec.hops;
  Bytes want = build(spec);
  std::copy(link.gateway.begin(), link.gateway.end(), want.begin());
  std::copy(link.interface.begin(), link.interface.end(), want.begin() + 6);
  CHECK(got == want);
  CHECK(router.event("sent_direct") == 1);
  PrivateNamespace::run("! ip neigh show 192.0.2.77 | grep -q .");
}

TEST_CASE("local traffic is redirected once and passes the next interface untouched", "[bpf]") {
  Router router;
  make_wires();
  add_nexthop(router, 2, "wan1", "fe80::1");
  router.group(1, {{2, 1}});
  router.route("0.0.0.0/0", 1);
  PrivateNamespace::run("ip address add 192.0.2.2/24 dev wan0");
  PrivateNamespace::run("ip route add default via 192.0.2.1");
  const auto local = router.local_fd();
  for (const char* wan : {"wan0", "wan1"}) {
    bpf_tc_hook hook{};
    hook.sz = sizeof(hook);
    hook.ifindex = static_cast<int>(if_nametoindex(wan));
    hook.attach_point = BPF_TC_EGRESS;
    REQUIRE(bpf_tc_hook_create(&hook) == 0);
    bpf_tc_opts filter{};
    filter.sz = sizeof(filter);
    filter.prog_fd = local;
    REQUIRE(bpf_tc_attach(&hook, &filter) == 0);
  }
  const Wire wan1("wan1-peer");
  const int sender = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  sockaddr_in to{};
  to.sin_family = AF_INET;
  to.sin_port = htons(9);
  to.sin_addr.s_addr = htonl(0xcb007109);  // 203.0.113.9
  REQUIRE(sendto(sender, "x", 1, 0, reinterpret_cast<sockaddr*>(&to), sizeof(to)) == 1);
  close(sender);
  const Bytes got = wan1.next_packet();
  REQUIRE(got.size() >= kEthernetBytes + 20);
  CHECK(got[5] == 2);
  CHECK(got[kEthernetBytes + 8] == 64);  // of the sender's own, no hop counted
  CHECK(count(router, "steered") == 1);
}

TEST_CASE("headers that a driver left out of the linear part are brought in", "[bpf]") {
  Router router;
  make_wires();
  for (const char* device : {"lan0", "client", "wan0", "wan0-peer"})
    PrivateNamespace::run(std::string("ip link set mtu 9000 dev ") + device);
  add_nexthop(router, 1, "wan0", "192.0.2.1");
  router.group(1, {{1, 1}});
  router.route("0.0.0.0/0", 1);
  attach_lan(router);
  const Wire client("client", true), wan0("wan0-peer");
  for (const std::uint8_t protocol : {IPPROTO_TCP, IPPROTO_UDP})
    for (const std::uint8_t linear : Bytes{14, 20, 34, 42, 54, 60, 66, 100}) {
      PacketSpec spec = to_router({});
      spec.protocol = protocol;
      spec.payload = 6000;
      Bytes frame = build(spec);
      frame[kEthernetBytes + 20 + 12] = 0x80;            // a TCP header of 32 bytes
      Bytes message{0, 0, linear, 0, 0, 0, 0, 0, 0, 0};  // struct virtio_net_hdr
      message.insert(message.end(), frame.begin(), frame.end());
      client.send(message);
      const Bytes got = wan0.next_packet();
      INFO(int{linear} << " bytes, protocol " << int{protocol});
      REQUIRE(got.size() == frame.size());
      CHECK(Bytes(got.begin() + 34, got.end()) == Bytes(frame.begin() + 34, frame.end()));
    }
  CHECK(count(router, "steered") == 16);
}

TEST_CASE("frames cut off before the IP header's end are left to the kernel", "[bpf]") {
  Router router;
  make_wires();
  add_nexthop(router, 1, "wan0", "192.0.2.1");
  router.group(1, {{1, 1}});
  router.route("0.0.0.0/0", 1);
  router.route("::/0", 1);
  attach_lan(router);
  const Wire client("client");
  std::uint64_t sent = 0;
  for (const PacketSpec& spec : {to_router({}), to_router(to_v6({}))}) {
    const Bytes whole = build(spec);
    for (std::size_t length = kEthernetBytes + 1; length < whole.size(); ++length, ++sent)
      client.send({whole.begin(), whole.begin() + static_cast<std::ptrdiff_t>(length)});
  }
  CHECK(count(router, "malformed") == sent);
  CHECK(count(router, "steered") == 0);
}

TEST_CASE("a VLAN tag in the metadata leaves the packet to the kernel", "[bpf]") {
  Router router;
  make_wires();
  add_nexthop(router, 1, "wan0", "192.0.2.1");
  router.group(1, {{1, 1}});
  router.route("0.0.0.0/0", 1);
  attach_lan(router);
  const Wire client("client");
  Bytes frame = build(to_router({}));
  frame.insert(frame.begin() + 12, {0x81, 0, 0, 10});
  client.send(frame);
  CHECK(count(router, "vlan") == 1);
  CHECK(count(router, "steered") == 0);
}

TEST_CASE("an aggregate is judged by its segments, and counts as so many packets", "[bpf]") {
  Router router;
  make_wires();
  add_nexthop(router, 1, "wan0", "192.0.2.1");
  router.group(1, {{1, 1}});
  router.route("0.0.0.0/0", 1);
  attach_lan(router);
  const Wire client("client", true);
  PacketSpec spec = to_router({});
  spec.payload = 12 + 3000;  // the rest of a TCP header, then data
  const auto send_segments_of = [&](std::uint16_t bytes) {
    // struct virtio_net_hdr: needs a checksum, TCP over IPv4, then lengths in the host's order.
    const std::uint16_t lengths[] = {kEthernetBytes + 40, bytes, kEthernetBytes + 20, 16};
    Bytes message{1, 1};
    message.resize(2 + sizeof(lengths));
    std::memcpy(message.data() + 2, lengths, sizeof(lengths));
    Bytes frame = build(spec);
    frame[kEthernetBytes + 20 + 12] = 0x50;  // a TCP header of 20 bytes
    message.insert(message.end(), frame.begin(), frame.end());
    client.send(message);
  };
  send_segments_of(1000);
  CHECK(count(router, "steered") == 1);
  CHECK(router.dataplane().counters().paths.at(PathId{17}).forward_packets == 3);
  send_segments_of(1500);
  CHECK(count(router, "mtu") == 1);
  CHECK(count(router, "steered") == 1);
}
