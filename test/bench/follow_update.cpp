// A single route changes, a thousand times a second: how long until packets follow it, from the
// kernel's acknowledgement to the slot of the pinned table that has the new group.
#include <algorithm>
#include <deque>
#include <random>
#include <stdexcept>

#include "test/bench/follow_parts.hpp"

namespace hopwise::bench {
namespace {

constexpr const char* kSection = "update to data path";
constexpr auto kPace = std::chrono::milliseconds(1);
constexpr double kNever_ms = 10'000;

struct Pending {
  IpAddress address;
  FollowTables::Set set;
  FollowClock::time_point acknowledged;
};

/// /24s and /48s: none of ours lies in them often, so their first address is their own.
std::vector<std::size_t> changing(const std::vector<Prefix>& prefixes, std::size_t count) {
  std::vector<std::size_t> found;
  for (std::size_t i = 0; i < prefixes.size(); ++i)
    if (prefixes[i].length == (prefixes[i].address.is_v4() ? 24 : 48)) found.push_back(i);
  std::shuffle(found.begin(), found.end(), std::mt19937_64(1));
  found.resize(std::min(found.size(), count));
  return found;
}

class Updates {
 public:
  Updates(const FollowRouter& router, const FollowDaemon& daemon)
      : router_(router), tables_(daemon.tables()), writer_(router.router()) {}

  /// Each of these changes to another set, one a millisecond. Returns each one's delay, in ms.
  std::vector<double> run(const std::vector<Prefix>& prefixes,
                          const std::vector<std::size_t>& which) {
    const auto begin = FollowClock::now();
    for (std::size_t k = 0; k < which.size(); ++k) {
      const Prefix& prefix = prefixes[which[k]];
      // A /24's longer routes have their own sets.
      const auto before = tables_.set_of(tables_.group_of(prefix.address));
      const Ways& ways = router_.ways(prefix, which[k] + 1);
      const auto wanted = FollowTables::set_of(ways);
      while (FollowClock::now() < begin + kPace * k) look();
      writer_.set(prefix, ways);
      writer_.flush();
      if (before == FollowTables::set_of(router_.ways(prefix, which[k])))
        pending_.push_back({prefix.address, wanted, FollowClock::now()});
      look();
    }
    const auto end = FollowClock::now() + std::chrono::milliseconds(static_cast<int>(kNever_ms));
    while (!pending_.empty() && FollowClock::now() < end) look();
    for (std::size_t i = 0; i < pending_.size(); ++i) delays_ms_.push_back(kNever_ms);
    pending_.clear();
    return std::exchange(delays_ms_, {});
  }

 private:
  // Oldest first: the daemon takes them in the order in which they came.
  void look() {
    while (!pending_.empty()) {
      const Pending& oldest = pending_.front();
      if (tables_.set_of(tables_.group_of(oldest.address)) != oldest.set) return;
      delays_ms_.push_back(1e3 * seconds_since(oldest.acknowledged));
      pending_.pop_front();
    }
  }

  const FollowRouter& router_;
  FollowTables tables_;
  RouteWriter writer_;
  std::deque<Pending> pending_;
  std::vector<double> delays_ms_;
};

}  // namespace

void measure_follow_update(Report& report, Effort effort) {
  const bool full = effort == Effort::full;
  report.explain(kSection,
                 "One route of the full table at a time, to another set of uplinks, 1,000 "
                 "a second; a thread of the benchmark looks at its slot all the time.");
  const auto prefixes = follow_prefixes(size_of(effort));
  const auto which = changing(prefixes, full ? 20'000 : 2'000);
  for (const Form form : {Form::multipath, Form::objects}) {
    progress(std::string("update: ") + text(form));
    const FollowRouter router(form);
    router.fill(prefixes);
    const FollowDaemon daemon(router);
    until_calm(daemon);
    const auto delays = Updates(router, daemon).run(prefixes, which);
    if (delays.size() < which.size() / 2) throw std::runtime_error("too few updates were seen");
    const auto add = [&](const char* column, double share) {
      report.add({kSection, text(form), column, spread({quantile(delays, share)})});
    };
    add("p50, ms", 0.5);
    add("p99, ms", 0.99);
    add("max, ms", 1);
    report.add({kSection, text(form), "updates", spread({static_cast<double>(delays.size())})});
    report.judge({std::string("update to data path, p99, ") + text(form), Bound::at_most, 10,
                  quantile(delays, 0.99), "ms"});
  }
}

}  // namespace hopwise::bench
