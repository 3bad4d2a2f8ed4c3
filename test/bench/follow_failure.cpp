// A link fails under the Internet's table: how long until packets are sent there no more, from the
// moment at which the carrier is gone to the nexthop's bit in the pinned table. Beside it when the
// kernel's own event of it arrives, at a listener that does nothing else: nobody who follows
// rtnetlink can be sooner.
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/socket.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <functional>
#include <optional>
#include <stdexcept>

#include "test/bench/follow_parts.hpp"
#include "test/bench/visit.hpp"

namespace hopwise::bench {
namespace {

constexpr const char* kSection = "link failure: from the loss of the carrier";
constexpr auto kPatience = std::chrono::seconds(30);
constexpr std::uint64_t kStormPerSecond = 100'000;

/// The router's links, by netlink events.
class LinkListener {
 public:
  explicit LinkListener(const lab::Namespace& where) {
    const Visit visit(where);
    socket_ = dataplane::Handle(
        ::socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, NETLINK_ROUTE));
    sockaddr_nl address{};
    address.nl_family = AF_NETLINK;
    address.nl_groups = RTMGRP_LINK;
    if (bind(socket_.fd(), reinterpret_cast<sockaddr*>(&address), sizeof(address)) != 0)
      throw std::runtime_error(system_error("listen to links", errno).message);
  }

  /// Whether what has arrived says that the interface has no carrier.
  bool lost_carrier(std::uint32_t ifindex) {
    bool lost = false;
    alignas(nlmsghdr) std::array<char, 16384> buffer;
    for (;;) {
      const ssize_t length = recv(socket_.fd(), buffer.data(), buffer.size(), 0);
      if (length <= 0) return lost;
      auto left = static_cast<int>(length);
      for (const auto* message = reinterpret_cast<const nlmsghdr*>(buffer.data());
           mnl_nlmsg_ok(message, left); message = mnl_nlmsg_next(message, &left)) {
        if (message->nlmsg_type != RTM_NEWLINK) continue;
        const auto* link = static_cast<const ifinfomsg*>(mnl_nlmsg_get_payload(message));
        lost |=
            link->ifi_index == static_cast<int>(ifindex) && (link->ifi_flags & IFF_RUNNING) == 0;
      }
    }
  }

 private:
  dataplane::Handle socket_;
};

/// Sets links of a namespace up and down by one message each.
class LinkSwitch {
 public:
  explicit LinkSwitch(const lab::Namespace& where) {
    const Visit visit(where);
    socket_ = dataplane::Handle(::socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE));
    for (std::size_t i = 0; i < FollowRouter::kUplinks; ++i)
      ifindex_.at(i) = if_nametoindex(("far" + std::to_string(i)).c_str());
  }

  void set(std::size_t uplink, unsigned flags) const {
    struct {
      nlmsghdr header;
      ifinfomsg link;
    } request{};
    request.header = {sizeof(request), RTM_NEWLINK, NLM_F_REQUEST, 0, 0};
    request.link.ifi_index = static_cast<int>(ifindex_.at(uplink));
    request.link.ifi_change = IFF_UP;
    request.link.ifi_flags = flags;
    if (send(socket_.fd(), &request, sizeof(request), 0) < 0)
      throw std::runtime_error(system_error("set a link", errno).message);
  }

 private:
  dataplane::Handle socket_;
  std::array<std::uint32_t, FollowRouter::kUplinks> ifindex_{};
};

/// Times since the carrier was gone; `ordered_ms`: since the far end was told to go down.
struct Flap {
  double kernel_ms = 0, hopwise_ms = 0, ordered_ms = 0, back_ms = 0;
};

/// Whether an interface has a carrier, by its operational state: that changes before the kernel
/// deals with the routes of a link that went, and the ioctl takes no lock.
class Carrier {
 public:
  Carrier(const lab::Namespace& where, std::string interface) : interface_(std::move(interface)) {
    const Visit visit(where);
    socket_ = dataplane::Handle(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  }
  [[nodiscard]] bool there() const {
    ifreq request{};
    interface_.copy(request.ifr_name, sizeof(request.ifr_name) - 1);
    if (ioctl(socket_.fd(), SIOCGIFFLAGS, &request) != 0)
      throw std::runtime_error(system_error("ask for the flags of " + interface_, errno).message);
    return (request.ifr_flags & IFF_RUNNING) != 0;
  }

 private:
  std::string interface_;
  dataplane::Handle socket_;
};

/// Everything that a flap needs, and the flaps.
class Failure {
 public:
  Failure(const FollowRouter& router, const FollowDaemon& daemon)
      : router_(router),
        tables_(daemon.tables()),
        listener_(router.router()),
        links_(router.far()) {
    // The thread that looks sleeps 100 us between two looks, not 50 more.
    prctl(PR_SET_TIMERSLACK, 1000, 0, 0, 0);
  }

  [[nodiscard]] bool in_use(std::size_t uplink, Family family) const {
    const auto entry = tables_.nexthop(router_.nexthop(uplink, family));
    return entry && tables_.usable(*entry);
  }

  /// Of one that is in use.
  Flap down(std::size_t uplink) {
    const NexthopKey key = router_.nexthop(uplink, Family::v4);
    const auto entry = tables_.nexthop(key);
    static_cast<void>(listener_.lost_carrier(key.ifindex));
    const Carrier carrier(router_.router(), "wan" + std::to_string(uplink));
    std::optional<FollowClock::time_point> gone;
    std::optional<double> kernel, hopwise;
    const auto order = FollowClock::now();
    std::thread hand([&] { links_.set(uplink, 0); });  // the kernel lets go of it late
    while (!kernel || !hopwise) {
      if (!gone && !carrier.there()) gone = FollowClock::now();
      if (!hopwise && !tables_.usable(*entry)) hopwise = gone ? seconds_since(*gone) : 0;
      if (!kernel && listener_.lost_carrier(key.ifindex)) kernel = gone ? seconds_since(*gone) : 0;
      if (gone && FollowClock::now() > *gone + kPatience) break;
      std::this_thread::sleep_for(std::chrono::microseconds(100));
    }
    const double ordered = seconds_since(order);
    hand.join();
    const double never = std::chrono::duration<double>(kPatience).count();
    return {kernel.value_or(never) * 1e3, hopwise.value_or(never) * 1e3, ordered * 1e3, 0};
  }

  /// Brings it back, and waits until all of it is used again. Returns the milliseconds until then.
  double up(std::size_t uplink) {
    const auto begin = FollowClock::now();
    links_.set(uplink, IFF_UP);
    router_.restore_objects();  // the kernel has dropped those of an interface without a carrier
    while (FollowClock::now() < begin + kPatience &&
           (!in_use(uplink, Family::v4) || !in_use(uplink, Family::v6)))
      std::this_thread::sleep_for(std::chrono::milliseconds(1));
    return 1e3 * seconds_since(begin);
  }

 private:
  const FollowRouter& router_;
  FollowTables tables_;
  LinkListener listener_;
  LinkSwitch links_;
};

/// Changes routes, at a pace, on a thread of its own, until it ends.
class Storm {
 public:
  Storm(const FollowRouter& router, const std::vector<Prefix>& prefixes)
      : thread_([this, &router, &prefixes] {
          RouteWriter writer(router.router());
          const auto begin = FollowClock::now();
          for (std::size_t round = 1; !over_; ++round)
            for (std::size_t i = 0; i < prefixes.size() && !over_; ++i) {
              writer.set(prefixes[i], router.ways(prefixes[i], i + round));
              if (writer.written() % 100 != 0) continue;
              writer.flush();
              std::this_thread::sleep_until(begin + std::chrono::nanoseconds(1'000'000'000) *
                                                        writer.written() / kStormPerSecond);
            }
          writer.flush();
        }) {}
  ~Storm() {
    over_ = true;
    thread_.join();
  }

 private:
  std::atomic<bool> over_{false};
  std::thread thread_;
};

void tell(Report& report, const std::string& row, const std::vector<Flap>& flaps) {
  std::vector<double> kernel, hopwise, behind, ordered, back;
  for (const Flap& flap : flaps) {
    kernel.push_back(flap.kernel_ms);
    hopwise.push_back(flap.hopwise_ms);
    ordered.push_back(flap.ordered_ms);
    back.push_back(flap.back_ms);
    behind.push_back(std::max(0.0, flap.hopwise_ms - flap.kernel_ms));
  }
  const auto add = [&](const std::string& who, const std::vector<double>& runs) {
    report.add({kSection, row, who + " p50, ms", spread({quantile(runs, 0.5)})});
    report.add({kSection, row, who + " p99, ms", spread({quantile(runs, 0.99)})});
    report.add({kSection, row, who + " max, ms", spread({quantile(runs, 1)})});
  };
  add("kernel's event", kernel);
  add("data path", hopwise);
  report.add({kSection, row, "behind the event, p99, ms", spread({quantile(behind, 0.99)})});
  report.add({kSection, row, "both, from the order, p99, ms", spread({quantile(ordered, 0.99)})});
  report.add({kSection, row, "back in use, max, ms", spread({quantile(back, 1)})});
  report.add({kSection, row, "flaps", spread({static_cast<double>(flaps.size())})});
  report.judge({"link failure to data path, p99, " + row, Bound::at_most, 20,
                quantile(hopwise, 0.99), "ms"});
}

std::vector<Flap> flaps(const FollowRouter& router, const FollowDaemon& daemon, int count,
                        const std::function<void()>& before) {
  Failure failure(router, daemon);
  std::vector<Flap> all;
  for (int i = 0; i < count; ++i) {
    const std::size_t uplink = static_cast<std::size_t>(i) % FollowRouter::kUplinks;
    before();
    if (!failure.in_use(uplink, Family::v4)) continue;  // it never came back, as is told below
    Flap flap = failure.down(uplink);
    std::this_thread::sleep_for(std::chrono::milliseconds(50));
    flap.back_ms = failure.up(uplink);
    all.push_back(flap);
  }
  return all;
}

// At another moment of the dump each time.
void into_a_resync(const FollowRouter& router, const FollowDaemon& daemon, int i) {
  until_calm(daemon);
  begin_resync(router, daemon);
  std::this_thread::sleep_for(std::chrono::milliseconds(37 * i % 500));
}

}  // namespace

void measure_follow_failure(Report& report, Effort effort) {
  const bool full = effort == Effort::full;
  report.explain(
      kSection,
      "The veth's far end is set down; one uplink of four, used by half of the routes. "
      "Storm: " +
          std::to_string(kStormPerSecond) +
          " routes a second change meanwhile. Resync: at any moment of a full dump. "
          "The kernel tells of it after it has dealt with the routes. Looked at each 0.1 ms.");
  const auto prefixes = follow_prefixes(size_of(effort));
  for (const Form form : {Form::multipath, Form::objects}) {
    progress(std::string("failure: ") + text(form));
    const FollowRouter router(form);
    // As operators are told to have it: one event, not one for each route, when objects change.
    router.router().sysctl("net/ipv4/nexthop_compat_mode", "0").value();
    router.fill(prefixes);
    const FollowDaemon daemon(router);
    until_calm(daemon);
    const std::string name = text(form);
    const int count = full ? 24 : 8;
    tell(report, name + ", idle", flaps(router, daemon, count, [&] { until_calm(daemon); }));
    {
      const Storm storm(router, prefixes);
      tell(report, name + ", storm", flaps(router, daemon, count, [] {
             std::this_thread::sleep_for(std::chrono::milliseconds(300));
           }));
    }
    until_calm(daemon);
    int i = 0;
    tell(report, name + ", resync",
         flaps(router, daemon, count / 2, [&] { into_a_resync(router, daemon, i++); }));
  }
}

}  // namespace hopwise::bench
