// Routes change as fast as the kernel takes them: what rate of changes does the daemon follow, and
// is anything lost in the end? A writer changes routes to other sets, withdraws some and announces
// them again, at full speed and at a pace; the time from its first change until every prefix is in
// the programs' tables as it is in the kernel, is what following took. Beside it, a listener that
// only reads the same events, and the changes that found no room in the daemon's socket.
#include <sys/socket.h>

#include <linux/rtnetlink.h>
#include <poll.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <random>
#include <stdexcept>

#include "test/bench/follow_parts.hpp"
#include "test/bench/visit.hpp"

namespace hopwise::bench {
namespace {

constexpr const char* kSection = "sustained changes of routes";
constexpr auto kPatience = std::chrono::seconds(60);
constexpr double kPaced = 100'000;

/// Reads events of routes and counts them: what the kernel can tell anybody.
class Listener {
 public:
  explicit Listener(const lab::Namespace& where) {
    const Visit visit(where);
    socket_ = dataplane::Handle(::socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE));
    const int bytes = 32 << 20;
    setsockopt(socket_.fd(), SOL_SOCKET, SO_RCVBUFFORCE, &bytes, sizeof(bytes));
    sockaddr_nl address{};
    address.nl_family = AF_NETLINK;
    address.nl_groups = RTMGRP_IPV4_ROUTE | RTMGRP_IPV6_ROUTE;
    if (bind(socket_.fd(), reinterpret_cast<sockaddr*>(&address), sizeof(address)) != 0)
      throw std::runtime_error(system_error("listen to routes", errno).message);
    thread_ = std::thread([this] { read(); });
  }
  ~Listener() {
    over_ = true;
    thread_.join();
  }
  [[nodiscard]] std::uint64_t overruns() const { return overruns_; }

 private:
  void read() {
    std::vector<char> buffer(1 << 20);
    while (!over_) {
      pollfd ready{socket_.fd(), POLLIN, 0};
      if (poll(&ready, 1, 100) == 1 && recv(socket_.fd(), buffer.data(), buffer.size(), 0) < 0 &&
          errno == ENOBUFS)
        ++overruns_;
    }
  }
  dataplane::Handle socket_;
  std::atomic<bool> over_{false};
  std::atomic<std::uint64_t> overruns_{0};
  std::thread thread_;
};

/// What the routes are now, and changes of them in which every tenth is withdrawn and announced.
class Churn {
 public:
  Churn(const FollowRouter& router, const std::vector<Prefix>& prefixes)
      : router_(router), prefixes_(prefixes), order_(prefixes.size()), set_(prefixes.size()) {
    for (std::size_t i = 0; i < prefixes.size(); ++i) {
      order_[i] = i;
      set_[i] = i;
    }
    std::shuffle(order_.begin(), order_.end(), std::mt19937_64(5));
  }

  /// `changes` of them; `per_second` 0: as fast as it goes. Returns the seconds it took.
  double run(std::size_t changes, double per_second) {
    RouteWriter writer(router_.router());
    const auto begin = FollowClock::now();
    for (std::size_t k = 0; k < changes; ++k, ++next_) {
      change(writer, order_[next_ % order_.size()]);
      if (per_second == 0 || (k + 1) % 200 != 0) continue;
      writer.flush();
      std::this_thread::sleep_until(
          begin + std::chrono::duration_cast<FollowClock::duration>(
                      std::chrono::duration<double>(static_cast<double>(k + 1) / per_second)));
    }
    writer.flush();
    return seconds_since(begin);
  }

  [[nodiscard]] Expected expected() const {
    std::vector<const Ways*> ways;
    for (std::size_t i = 0; i < prefixes_.size(); ++i)
      ways.push_back(set_[i] == kNone ? nullptr : &router_.ways(prefixes_[i], set_[i]));
    return {prefixes_, ways};
  }
  [[nodiscard]] std::size_t present() const {
    return static_cast<std::size_t>(
        std::count_if(set_.begin(), set_.end(), [](std::size_t set) { return set != kNone; }));
  }
  /// As run() will leave it after so many changes more, without any.
  void foresee(std::size_t changes) {
    for (std::size_t k = 0; k < changes; ++k) step(order_[(next_ + k) % order_.size()], next_ + k);
  }

 private:
  static constexpr std::size_t kNone = ~std::size_t{0};

  void step(std::size_t i, std::size_t k) {
    const bool withdraw = k % 10 == 0 && set_[i] != kNone;
    set_[i] = withdraw ? kNone : i + k;
  }
  void change(RouteWriter& writer, std::size_t i) {
    step(i, next_);
    if (set_[i] == kNone)
      writer.remove(prefixes_[i]);
    else
      writer.set(prefixes_[i], router_.ways(prefixes_[i], set_[i]));
  }

  const FollowRouter& router_;
  const std::vector<Prefix>& prefixes_;
  std::vector<std::size_t> order_, set_;
  std::size_t next_ = 0;
};

struct Outcome {
  double written_per_s = 0, followed_per_s = 0, behind_s = 0, drops = 0, resyncs = 0, cpu = 0;
  std::size_t wrong = 0;
};

Outcome follow(const FollowRouter& router, const FollowDaemon& daemon, Churn& churn,
               std::size_t changes, double per_second) {
  Churn ahead = churn;
  ahead.foresee(changes);
  const Expected expected = ahead.expected();
  const auto tables = daemon.tables();
  until_calm(daemon);
  const auto before = daemon.sockets();
  const std::size_t resyncs = daemon.logged("dropped events");
  const double cpu = daemon.cpu_s();
  const auto begin = FollowClock::now();
  const double took = churn.run(changes, per_second);
  Outcome outcome;
  const bool settled = expected.settle(tables, FollowClock::now() + kPatience);
  const double all = seconds_since(begin);
  if (bare_dump(router.router()).messages < churn.present())
    throw std::runtime_error("the kernel has not taken all changes");
  outcome.written_per_s = static_cast<double>(changes) / took;
  outcome.followed_per_s = settled ? static_cast<double>(changes) / all : 0;
  outcome.behind_s = all - took;
  outcome.cpu = (daemon.cpu_s() - cpu) / all;
  until_calm(daemon);
  outcome.wrong = expected.wrong(tables);
  outcome.drops = static_cast<double>(daemon.sockets().drops - before.drops);
  outcome.resyncs = static_cast<double>(daemon.logged("dropped events") - resyncs);
  return outcome;
}

void tell(Report& report, const std::string& row, const Outcome& outcome) {
  const auto add = [&](const char* column, double value) {
    report.add({kSection, row, column, spread({value})});
  };
  add("written, 1/s", outcome.written_per_s);
  add("followed, 1/s", outcome.followed_per_s);
  add("equal after, s", outcome.behind_s);
  add("events without room", outcome.drops);
  add("overruns told", outcome.resyncs);
  add("CPUs", outcome.cpu);
  add("addresses wrong in the end", static_cast<double>(outcome.wrong));
  report.judge({"changes: addresses wrong in the end, " + row, Bound::at_most, 0,
                static_cast<double>(outcome.wrong), ""});
}

}  // namespace

void measure_follow_rate(Report& report, Effort effort) {
  const bool full = effort == Effort::full;
  report.explain(kSection,
                 "Random routes of the full table to other sets; every tenth is withdrawn, and "
                 "announced at its next turn. Equal: the first and the last address of every "
                 "prefix find what the kernel has. Followed: until then. The target is 100,000 a "
                 "second, or 90 % of what the kernel itself takes with a bare listener.");
  const auto prefixes = follow_prefixes(size_of(effort));
  const std::size_t fast = full ? 2'000'000 : 200'000, paced = full ? 2'000'000 : 200'000;
  for (const Form form : {Form::multipath, Form::objects}) {
    progress(std::string("rate: ") + text(form));
    const FollowRouter router(form);
    router.fill(prefixes);
    const std::string name = text(form);
    Churn churn(router, prefixes);
    double possible = 0;  // changes a second that this kernel takes on this machine
    {
      const Listener listener(router.router());
      possible = static_cast<double>(fast) / churn.run(fast, 0);
      report.add({kSection, "a bare listener, " + name, "written, 1/s", spread({possible})});
      report.add({kSection, "a bare listener, " + name, "overruns told",
                  spread({static_cast<double>(listener.overruns())})});
    }
    const FollowDaemon daemon(router);
    tell(report, name + ", 100,000/s", follow(router, daemon, churn, paced, kPaced));
    const Outcome flood = follow(router, daemon, churn, fast, 0);
    tell(report, name + ", flood", flood);
    report.judge({"changes followed, to the last, of a flood, " + name, Bound::at_least,
                  std::min(kPaced, 0.9 * possible), flood.followed_per_s, "/s"});
  }
}

}  // namespace hopwise::bench
