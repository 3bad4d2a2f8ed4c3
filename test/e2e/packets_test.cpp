// Packets that need the kernel's help on the way: too large, cut in pieces, out of hops, tagged, or
// errors about others; and floods. A steered router treats each as a router without hopwise does.
#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <algorithm>
#include <atomic>
#include <cstring>
#include <nlohmann/json.hpp>
#include <random>
#include <thread>

#include "test/catch.hpp"
#include "test/e2e/router.hpp"

using namespace hopwise;
using namespace hopwise::e2e;

namespace {

// What a shell command in the client prints, however it ends.
std::string in_client(Router& router, const std::string& command) {
  return router.lab().client().run({"bash", "-c", "(" + command + ") 2>&1 || true"}).value();
}

std::string address(Family family) {
  return family == Family::v4 ? lab::kService4 : lab::kService6;
}

// All that upstream i's link has carried to the server of `protocol`, whatever the ports.
std::uint64_t carried(Router& router, std::size_t upstream, std::uint8_t protocol) {
  std::uint64_t packets = 0;
  const auto counters = router.lab().relay().counters(router.lab().core_link(upstream));
  for (const auto& [service, count] : counters.forward.by_service)
    if (service.first == protocol) packets += count.packets;
  return packets;
}

// TCP segments without an answer: each from another port and address of the LAN's.
class SynFlood {
 public:
  explicit SynFlood(Router& router)
      : thread_(router.lab().client().thread([this] { send_all(); })) {}
  ~SynFlood() {
    stop_ = true;
    thread_.join();
  }
  [[nodiscard]] std::uint64_t sent() const { return sent_; }

 private:
  struct [[gnu::packed]] Syn {
    std::uint8_t version = 0x45, tos = 0;
    std::uint16_t length = htons(40), id = 0, fragment = 0;
    std::uint8_t ttl = 64, protocol = IPPROTO_TCP;
    std::uint16_t checksum = 0;  // the kernel's to fill
    std::uint32_t source = 0, destination = 0;
    std::uint16_t source_port = 0, destination_port = htons(80);
    std::uint32_t sequence = 1, acknowledgement = 0;
    std::uint8_t offset = 5 << 4, flags = 2;
    std::uint16_t window = 0xffff, sum = 0, urgent = 0;
  };

  void send_all() {
    const int fd = ::socket(AF_INET, SOCK_RAW | SOCK_CLOEXEC, IPPROTO_RAW);
    sockaddr_in to{};
    to.sin_family = AF_INET;
    ::inet_pton(AF_INET, "203.0.113.77", &to.sin_addr);
    std::minstd_rand random(1);
    Syn syn;
    syn.destination = to.sin_addr.s_addr;
    while (fd >= 0 && !stop_) {
      syn.source = htonl(0x0a800000u | (static_cast<std::uint32_t>(random()) & 0x7fffff));
      syn.source_port = static_cast<std::uint16_t>(random());
      // Each again, as a host does that hears nothing: to the kernel's LRU it looks used.
      for (int again = 0; again < 3; ++again)
        if (::sendto(fd, &syn, sizeof(syn), 0, reinterpret_cast<sockaddr*>(&to), sizeof(to)) > 0)
          ++sent_;
    }
    ::close(fd);
  }

  std::atomic<bool> stop_ = false;
  std::atomic<std::uint64_t> sent_ = 0;
  std::thread thread_;
};

}  // namespace

TEST_CASE("path MTU discovery works through a steered router, both families", "[e2e]") {
  Router router(two_upstreams());
  router.start(std::nullopt);
  for (std::size_t i = 0; i < 2; ++i) {
    REQUIRE(router.lab().router().ip("link set " + router.lab().wan_device(i) + " mtu 1400"));
    REQUIRE(router.lab().upstream(i).ip("link set eth0 mtu 1400"));
  }
  for (const Family family : {Family::v4, Family::v6}) {
    const std::string to = address(family);
    // The first too large one is told of by the router itself, and the client's kernel learns.
    const auto too_large = in_client(router, "ping -n -M do -s 1400 -c 2 -i 0.2 -W 1 " + to);
    INFO(too_large);
    CHECK_THAT(too_large, Catch::Contains("mtu=1400") || Catch::Contains("mtu: 1400"));
    CHECK_THAT(in_client(router, "ping -n -M do -s 1300 -c 2 -i 0.2 -W 2 " + to),
               Catch::Contains(" 0% packet loss"));
  }
  CHECK(router.packets("mtu") >= 2);
  // A transfer in segments of the first hop's size gets through all the same.
  auto server =
      router.lab().start(router.lab().server(), {"iperf3", "-s", "-1", "-p", "5201"}, "s");
  REQUIRE(server.has_value());
  const auto transfer = [&] {
    return in_client(router, std::string("iperf3 -c ") + lab::kService4 + " -p 5201 -n 4M");
  };
  std::string printed;
  REQUIRE(lab::eventually(20s, [&] {
    printed = transfer();
    return printed.find("receiver") != std::string::npos;
  }));
}

TEST_CASE("all fragments of all datagrams between two hosts take one path", "[e2e]") {
  Router router(two_upstreams());
  router.start(std::nullopt);
  for (const Family family : {Family::v4, Family::v6}) {
    const bool v4 = family == Family::v4;
    auto receiver = router.lab().start(
        router.lab().server(),
        {"socat", "-u", v4 ? "UDP4-RECV:7000" : "UDP6-RECV:7000", "CREATE:/dev/null"}, "receiver");
    REQUIRE(receiver.has_value());
    const std::uint8_t kind = v4 ? 17 : 44;  // UDP; IPv6's fragment header
    const auto a = carried(router, 0, kind), b = carried(router, 1, kind);
    // Many source ports: by them the first fragments would go everywhere.
    in_client(router, "for port in {20000..20019}; do head -c 4000 /dev/zero | socat -b 4000 - " +
                          std::string(v4 ? "UDP4:203.0.113.9" : "'UDP6:[2001:db8:113::9]'") +
                          ":7000,sourceport=$port; done");
    std::uint64_t on_a = 0, on_b = 0;
    CHECK(lab::eventually(5s, [&] {
      on_a = carried(router, 0, kind) - a;
      on_b = carried(router, 1, kind) - b;
      return on_a + on_b >= 60;  // three fragments each
    }));
    CHECK((on_a == 0 || on_b == 0));
  }
}

TEST_CASE("a traceroute shows the router, then the upstream that carries the flow", "[e2e]") {
  Router router(two_upstreams());
  router.start(std::nullopt);
  for (const Family family : {Family::v4, Family::v6}) {
    const std::string to = address(family);
    const auto first = in_client(router, "ping -n -t 1 -c 1 -W 2 " + to);
    CHECK_THAT(first, Catch::Contains(family == Family::v4 ? "From 10.10.0.1" : "From fd00:10::1"));
    const auto second = in_client(router, "ping -n -t 2 -c 1 -W 2 " + to);
    CHECK_THAT(second, Catch::Contains(family == Family::v4 ? "From 10.9" : "From fd00:9"));
    CHECK_THAT(in_client(router, "ping -n -t 3 -c 1 -W 2 " + to), Catch::Contains("1 received"));
  }
  CHECK(router.packets("ttl") >= 2);
}

TEST_CASE("an ICMP error takes the path of the flow that it reports on", "[e2e]") {
  Router router(two_upstreams());
  router.start(config_with_anchors(router.lab()));
  for (int port = 21000; port < 21006; ++port) {
    const auto answer = router.explain("src=10.10.0.2&dst=203.0.113.9&proto=udp&sport=9&dport=" +
                                       std::to_string(port));
    const std::size_t expected = answer["nexthop"] == "isp-a" ? 0 : 1;
    const auto errors = [&](std::size_t i) { return carried(router, i, IPPROTO_ICMP); };
    // The probes are echoes too: they go both ways at one pace, so only the server's word counts.
    const auto heard = router.lab().server().run(
        {"python3", "-c",
         "import socket\n"
         "s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)\n"
         "s.bind(('203.0.113.9', " +
             std::to_string(port) +
             "))\n"
             "s.connect(('10.10.0.2', 9)); s.settimeout(3)\n"
             "s.setsockopt(0, 11, 1)\n"  // IP_RECVERR
             "s.send(b'x')\n"
             "import select\n"
             "p = select.poll(); p.register(s, select.POLLERR); p.poll(3000)\n"
             "data, control, flags, who = s.recvmsg(100, 512, 0x2000)\n"  // MSG_ERRQUEUE
             "print('heard', control[0][2][4:7].hex())\n"});
    INFO(answer.dump(2));
    REQUIRE(heard.has_value());
    CHECK_THAT(*heard, Catch::Contains("heard 020303"));  // by ICMP: port unreachable
    CHECK(errors(expected) > 0);
  }
  CHECK(router.packets("protocol") == 0);
}

TEST_CASE("tagged frames are the kernel's", "[e2e]") {
  Router router(two_upstreams());
  router.start(std::nullopt);
  in_client(router, "ping -c 1 -W 2 10.10.0.1");  // resolves the router's address
  const auto before = router.packets("steered");
  const auto printed = in_client(
      router,
      "python3 -c '\n"
      "import socket\n"
      "own = bytes.fromhex(open(\"/sys/class/net/eth0/address\").read().strip().replace(\":\", "
      "\"\"))\n"
      "import subprocess\n"
      "mac = subprocess.run([\"ip\", \"neigh\", \"show\", \"10.10.0.1\"], capture_output=True, "
      "text=True).stdout.split()[4]\n"
      "s = socket.socket(socket.AF_PACKET, socket.SOCK_RAW); s.bind((\"eth0\", 0))\n"
      "ip = bytes.fromhex(\"4500001c000100004011\") + bytes(2) + bytes([10,10,0,2, 203,0,113,9])\n"
      "for i in range(50): s.send(bytes.fromhex(mac.replace(\":\", \"\")) + own + "
      "bytes.fromhex(\"810000070800\") + ip + bytes(8))\n"
      "'");
  INFO(printed);
  CHECK(lab::eventually(5s, [&] { return router.packets("vlan") >= 50; }));
  CHECK(router.packets("steered") == before);
}

TEST_CASE("a flood of SYNs from random sources moves no established flow", "[e2e]") {
  Router router(two_upstreams());
  router.start(config_with_anchors(router.lab()));
  constexpr int kFlows = 16;
  constexpr int kFirstPort = 22000;
  // Flows that are known, and pause while the flood lasts.
  in_client(
      router,
      "python3 -c '\n"
      "import socket\n"
      "for port in range(22000, 22016):\n"
      "  s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); s.bind((\"10.10.0.2\", port))\n"
      "  for i in range(40): s.sendto(b\"x\", (\"203.0.113.9\", 9))\n"
      "'");
  const auto nexthops = [&] {
    std::vector<std::string> names;
    for (int i = 0; i < kFlows; ++i)
      names.push_back(router.explain("src=10.10.0.2&dst=203.0.113.9&proto=udp&dport=9&sport=" +
                                     std::to_string(kFirstPort + i))["nexthop"]);
    return names;
  };
  const auto before = nexthops();
  REQUIRE(std::count(before.begin(), before.end(), "isp-a") > 0);

  // New flows leave isp-a; those that are there stay, and would not if they were forgotten.
  REQUIRE(lab::eventually(
      10s, [&] { return router.nexthop(0, Family::v4)["probes"][0]["received"] > 25; }));
  router.lab().relay().set(router.lab().core_link(0), {.delay = 80ms});
  REQUIRE(lab::eventually(15s, [&] { return router.weight(0, Family::v4) < 0.2; }));
  CHECK(nexthops() == before);
  {
    SynFlood flood(router);
    // Several times what the tables hold.
    REQUIRE(lab::eventually(90s, [&] { return flood.sent() > 1'000'000; }));
  }
  CHECK(nexthops() == before);
  const Json status = router.status();
  const Json events = status["dataplane_events"];
  INFO(events.dump() << status["packets_by_reason"].dump());
  CHECK(events["flow_new"].get<std::uint64_t>() + events["flow_guarded"].get<std::uint64_t>() >
        262'144);
}
