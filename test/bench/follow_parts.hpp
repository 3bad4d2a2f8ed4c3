// What the parts of test/bench/routes share beside the router and its daemon.
#pragma once

#include <chrono>
#include <string>
#include <vector>

#include "test/bench/follow_router.hpp"
#include "test/bench/report.hpp"

namespace hopwise::bench {

using FollowClock = std::chrono::steady_clock;

inline double seconds_since(FollowClock::time_point begin) {
  return std::chrono::duration<double>(FollowClock::now() - begin).count();
}

/// The value below which `share` of the runs are; `runs` are not empty.
double quantile(std::vector<double> runs, double share);

/// A dump of both families' main tables into nothing.
struct BareDump {
  double seconds = 0;
  std::size_t messages = 0;
};
BareDump bare_dump(const lab::Namespace& where);

/// Makes the daemon dump everything anew, and returns when that has begun. Throws where nothing
/// begins for minutes: dumps are kept apart by some times their length.
void begin_resync(const FollowRouter& router, const FollowDaemon& daemon);
/// Waits until none is under way and the daemon has little to do. `each` is called now and then.
template <class Each>
void until_calm(const FollowDaemon& daemon, const Each& each);
inline void until_calm(const FollowDaemon& daemon) {
  until_calm(daemon, [] {});
}

}  // namespace hopwise::bench

#include <thread>

template <class Each>
void hopwise::bench::until_calm(const FollowDaemon& daemon, const Each& each) {
  double before = daemon.cpu_s();
  auto since = FollowClock::now();
  for (;;) {
    each();
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
    const auto sockets = daemon.sockets();
    const bool busy = sockets.dumping || sockets.backlog_bytes != 0;
    if (!busy && seconds_since(since) < 0.5) continue;
    const double now = daemon.cpu_s();
    if (!busy && now - before < 0.1) return;
    before = now;
    since = FollowClock::now();
  }
}
