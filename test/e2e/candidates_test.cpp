// A path that BGP did not select carries traffic where the operator allows it and it is better, and
// stops when BGP takes it back, in whatever way.
//
// The router's FRR has `maximum-paths 1`: of two equal paths it takes the one of the lower router
// id, isp-a, into the kernel, and tells hopwise both by add-path. Stops are judged between two
// stamps of the kernel's: that of the BGP message (or the session's end) on lo, which is routing's
// word, and that of the last packet at the upstream's end of the link.
#include <arpa/inet.h>
#include <linux/if_packet.h>
#include <net/ethernet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdio>
#include <cstring>
#include <nlohmann/json.hpp>
#include <stdexcept>
#include <thread>

#include "test/catch.hpp"
#include "test/e2e/router.hpp"
#include "test/lab/sightings.hpp"
#include "test/lab/speaker.hpp"

using namespace hopwise;
using namespace hopwise::e2e;

namespace {

constexpr std::uint16_t kPort = 1790;
constexpr Duration kPromise = 100ms;  // from routing's word to the last packet
constexpr const char* kAddPath =
    "router bgp 65000\n"
    " bgp bestpath compare-routerid\n"
    " neighbor 10.255.255.2 remote-as 65000\n"
    " neighbor 10.255.255.2 port 1790\n"
    " neighbor 10.255.255.2 update-source 10.255.255.1\n"
    " neighbor 10.255.255.2 timers 3 9\n"
    " neighbor 10.255.255.2 timers connect 1\n"
    " neighbor 10.255.255.2 advertisement-interval 0\n"
    " address-family ipv4 unicast\n"
    "  neighbor 10.255.255.2 activate\n"
    "  neighbor 10.255.255.2 addpath-tx-all-paths\n"
    " exit-address-family\n";

template <class T>
T must(Result<T> result) {
  if (!result) throw std::runtime_error(result.error().message);
  return std::move(*result);
}

/// What the routing daemon says to hopwise, with the kernel's stamps: packets on the router's lo.
class BgpWords {
 public:
  explicit BgpWords(const lab::Lab& lab) {
    lab.router()
        .thread([this] {
          fd_ = socket(AF_PACKET, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, htons(ETH_P_IP));
          const int on = 1, room = 4 << 20;
          setsockopt(fd_, SOL_SOCKET, SO_TIMESTAMPNS, &on, sizeof on);
          setsockopt(fd_, SOL_SOCKET, SO_RCVBUFFORCE, &room, sizeof room);
          sockaddr_ll lo{};
          lo.sll_family = AF_PACKET;
          lo.sll_protocol = htons(ETH_P_IP);
          lo.sll_ifindex = 1;
          if (bind(fd_, reinterpret_cast<sockaddr*>(&lo), sizeof lo) != 0) fd_ = -1;
        })
        .join();
    REQUIRE(fd_ >= 0);
  }
  ~BgpWords() { close(fd_); }
  BgpWords(const BgpWords&) = delete;
  BgpWords& operator=(const BgpWords&) = delete;

  /// The first UPDATE, NOTIFICATION, FIN or RST towards hopwise at or after `since`.
  std::optional<lab::StampNs> first(lab::StampNs since) {
    std::optional<lab::StampNs> found;
    std::array<std::uint8_t, 256> packet{};
    alignas(cmsghdr) std::array<char, 64> control{};
    for (;;) {
      iovec part{packet.data(), packet.size()};
      msghdr message{};
      message.msg_iov = &part;
      message.msg_iovlen = 1;
      message.msg_control = control.data();
      message.msg_controllen = control.size();
      const auto size = recvmsg(fd_, &message, 0);
      if (size < 40) return found;
      const auto at = stamp(message);
      if (!found && at >= since && says(packet.data(), static_cast<std::size_t>(size))) found = at;
    }
  }

 private:
  static lab::StampNs stamp(msghdr& message) {
    timespec at{};
    for (cmsghdr* w = CMSG_FIRSTHDR(&message); w != nullptr; w = CMSG_NXTHDR(&message, w))
      if (w->cmsg_level == SOL_SOCKET && w->cmsg_type == SO_TIMESTAMPNS)
        std::memcpy(&at, CMSG_DATA(w), sizeof at);
    return at.tv_sec * lab::StampNs{1'000'000'000} + at.tv_nsec;
  }
  static bool says(const std::uint8_t* ip, std::size_t size) {
    const std::size_t header = (ip[0] & 15U) * 4;
    if (ip[9] != IPPROTO_TCP || size < header + 20) return false;
    const std::uint8_t* tcp = ip + header;
    if ((tcp[2] << 8 | tcp[3]) != kPort) return false;
    if ((tcp[13] & 5U) != 0) return true;  // FIN, RST
    const std::size_t data = header + (tcp[12] >> 4U) * 4U;
    if (size < data + 19) return false;
    const std::uint8_t type = ip[data + 18];  // RFC 4271, section 4.1
    return type == 2 || type == 3;
  }

  int fd_ = -1;
};

/// `selected`: how far isp-a is, there and back twice.
lab::Topology topology(std::chrono::milliseconds selected) {
  lab::Topology t = two_upstreams();
  t.upstreams[0].impairment.delay = selected;
  t.upstreams[1].impairment.delay = 10ms;
  t.router_extra = kAddPath;
  return t;
}

Json config(const lab::Lab& lab) {
  Json config = config_with_anchors(lab);
  config["bgp"] = {{"listen", "10.255.255.2:1790"},
                   {"as", 65000},
                   {"router_id", "192.0.2.250"},
                   {"peers", {{{"address", "10.255.255.1"}}}}};
  config["candidates"] = {{"from", "bgp"}};
  return config;
}

/// The lab with hopwise beside FRR: the kernel has isp-a alone for IPv4, and BGP tells of both.
class Trial {
 public:
  explicit Trial(std::chrono::milliseconds selected)
      : router_(topology(selected)), words_(router_.lab()) {
    must(lab().router().run({"ip", "addr", "add", "10.255.255.1/30", "dev", "lo"}));
    configured_ = config(router_.lab());  // while both gateways are in the kernel
    must(lab().router().run({"vtysh", "-N", lab().router().name(), "-c", "configure terminal", "-c",
                             "router bgp 65000", "-c", "address-family ipv4 unicast", "-c",
                             "maximum-paths 1"}));
    INFO(must(router_.lab().router_speaker().ask("show bgp ipv4 unicast")));
    REQUIRE(lab::eventually(
        20s, [&] { return router_.lab().offered(Family::v4) == std::vector<std::size_t>{0}; }));
    router_.start(configured_);
    sightings_ = must(lab::Sightings::watch(router_.lab()));
    stream_ = router_.stream(Family::v4, 1000);
  }

  Router& router() { return router_; }
  lab::Lab& lab() { return router_.lab(); }
  [[nodiscard]] const Json& configured() const { return configured_; }

  [[nodiscard]] Json path(std::size_t upstream) const {
    const Json answer = router_.explain("src=10.10.0.2&dst=203.0.113.9&proto=udp&sport=9&dport=9");
    for (std::size_t n = 0; n < answer["paths"].size(); ++n)
      if (answer["nexthops"][n]["interface"] == router_.lab().wan_device(upstream))
        return answer["paths"][n];
    return nullptr;
  }
  [[nodiscard]] double share(std::size_t upstream) const {
    const Json found = path(upstream);
    return found.is_null() ? 0 : found["weight"].get<double>();
  }
  void carries(std::size_t upstream, double least, Duration timeout = 120s) {
    const bool does = lab::eventually(timeout, [&] { return share(upstream) >= least; });
    INFO(router_.status().dump(1) << router_.daemon().log());
    REQUIRE(does);
  }
  /// The candidate is there, measured, and idle.
  void knows_candidate() {
    const bool known = lab::eventually(30s, [&] {
      const Json found = path(1);
      return !found.is_null() && found["candidate"] == true;
    });
    INFO(router_.daemon().log());
    REQUIRE(known);
  }
  /// Flows keep the nexthop that they began with: these begin now.
  void begin_flows() {
    stream_.reset();
    stream_ = router_.stream(Family::v4, 1000);
  }
  [[nodiscard]] std::size_t seen(std::size_t upstream) const {
    const auto all = sightings_->all();
    return static_cast<std::size_t>(std::ranges::count_if(
        all, [&](const auto& s) { return s.upstream == upstream && s.family == Family::v4; }));
  }

  /// How long after routing's word the last packet of IPv4 reached isp-b.
  Duration stopped(const std::function<void()>& end) {
    begin_flows();
    const auto flowing = seen(1);
    REQUIRE(lab::eventually(20s, [&] { return seen(1) > flowing + 300; }));
    const auto began = lab::wall_now();
    end();
    std::optional<lab::StampNs> word;
    REQUIRE(lab::eventually(20s, [&] { return (word = words_.first(began)).has_value(); }));
    const auto last = [&] {
      lab::StampNs at = *word;
      for (const auto& seen : sightings_->all())
        if (seen.upstream == 1 && seen.family == Family::v4) at = std::max(at, seen.at);
      return at;
    };
    // Quiet for a second: it has ended.
    REQUIRE(lab::eventually(10s, [&] { return lab::wall_now() - last() > 1'000'000'000; }));
    CHECK(sightings_->missed() == 0);
    return std::chrono::nanoseconds(last() - *word);
  }
  /// `end` makes it stop in time; once more where the machine was too busy to run hopwise.
  void stops(const char* how, const std::function<void()>& end,
             const std::function<void()>& again) {
    Duration took = stopped(end);
    std::printf("%s: %.1f ms from routing's word to the last packet\n", how, seconds(took) * 1e3);
    if (took > kPromise) {
      again();
      carries(1, 0.8);
      took = stopped(end);
      std::printf("%s, again: %.1f ms\n", how, seconds(took) * 1e3);
    }
    INFO(how);
    CHECK(seconds(took) * 1e3 <= seconds(kPromise) * 1e3);
  }

 private:
  Json configured_;
  Router router_;
  BgpWords words_;
  std::unique_ptr<lab::Sightings> sightings_;
  std::unique_ptr<lab::PacketStream> stream_;
};

}  // namespace

TEST_CASE("a path that BGP did not select carries when it is better, and explain says so",
          "[e2e][candidates]") {
  Trial trial(10ms);
  trial.knows_candidate();
  CHECK(trial.share(0) == 1);
  CHECK(trial.share(1) == 0);
  CHECK(trial.seen(1) == 0);
  trial.lab().relay().set(trial.lab().core_link(0), {.delay = 70ms});
  trial.carries(1, 0.2);
  trial.begin_flows();
  const auto before = trial.seen(1);
  CHECK(lab::eventually(20s, [&] { return trial.seen(1) > before + 500; }));

  const Json path = trial.path(1);
  CHECK(path["kernel_weight"] == 0);
  CHECK(path["candidate"] == true);
  const auto group = trial.router().explain("src=10.10.0.2&dst=203.0.113.9&proto=udp")["group"];
  const auto told = trial.router().hopwise(
      {"explain", std::to_string(group.get<int>()), "--socket", trial.lab().hopwise_socket()});
  INFO(told.output);
  CHECK(told.output.find("candidate") != std::string::npos);
  const Json status = trial.router().status();
  CHECK(status["candidates"]["paths"]["taken"].get<int>() >= 1);
  CHECK(status["candidates"]["paths"]["in_use"].get<int>() >= 1);
  CHECK(status["bgp"]["peers"][0]["state"] == "established");
}

TEST_CASE("a candidate stops at once when BGP takes it back, and when its session ends",
          "[e2e][candidates]") {
  Trial trial(70ms);
  trial.knows_candidate();
  lab::Lab& lab = trial.lab();
  lab::Speaker& frr = lab.router_speaker();
  const auto back = [&] { trial.knows_candidate(); };

  trial.carries(1, 0.8);
  trial.stops(
      "withdrawn", [&] { REQUIRE(lab.withdraw(1)); },
      [&] {
        REQUIRE(lab.announce(1));
        back();
      });
  REQUIRE(lab.announce(1));
  back();
  trial.carries(1, 0.8);
  trial.stops(
      "session reset", [&] { must(frr.ask("clear bgp 10.255.255.2")); }, back);
  back();
  trial.carries(1, 0.8);
  trial.stops(
      "bgpd killed", [&] { REQUIRE(frr.kill("bgpd")); },
      [&] {
        REQUIRE(frr.start_again("bgpd"));
        back();
      });
}

TEST_CASE("after a restart of hopwise a candidate goes on carrying", "[e2e][candidates]") {
  Trial trial(70ms);
  trial.knows_candidate();
  trial.carries(1, 0.8);
  trial.router().daemon().stop(10s);
  trial.router().start(trial.configured());
  for (int i = 0; i < 40; ++i) {
    std::this_thread::sleep_for(500ms);
    const Json found = trial.path(1);
    if (!found.is_null()) CHECK(found["weight"].get<double>() >= 0.75);
  }
  trial.knows_candidate();
  CHECK(trial.share(1) >= 0.75);
}

TEST_CASE("what routing changes while BGP is awaited after a restart counts at once",
          "[e2e][candidates]") {
  Trial trial(70ms);
  trial.knows_candidate();
  trial.carries(1, 0.8);
  trial.router().daemon().stop(10s);
  Json deaf = trial.configured();
  deaf["bgp"]["listen"] = "10.255.255.2:1791";  // where FRR does not look for it
  trial.router().start(deaf);
  CHECK(trial.share(1) >= 0.75);
  REQUIRE(trial.lab().withdraw(0));
  const bool followed = lab::eventually(5s, [&] { return trial.path(0).is_null(); });
  INFO(trial.router().daemon().log());
  CHECK(followed);
}
