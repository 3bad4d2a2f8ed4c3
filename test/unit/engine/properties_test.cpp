// What holds whatever comes: promises that every decision keeps, and changes of the input that must
// not change what is decided.
#include <algorithm>
#include <cmath>
#include <functional>
#include <map>
#include <sstream>

#include "core/simulation/replay.hpp"
#include "test/catch.hpp"
#include "test/unit/engine/random_run.hpp"

using namespace hopwise;
using namespace hopwise::engine;

namespace {

/// Kept promises of one engine, checked at each decision.
class Promises {
 public:
  explicit Promises(const Options& options) : options_(options) {}

  void changed(const Group& group) { groups_[group.id] = group; }
  void check(const Engine& engine, const std::vector<Decision>& decisions) {
    for (const Decision& d : decisions) {
      REQUIRE(d.id == ++ids_);
      REQUIRE_FALSE(text(d.reason).empty());
      const Group& group = groups_.at(d.group);
      REQUIRE(d.paths.size() == group.paths.size());
      for (std::size_t i = 0; i < d.paths.size(); ++i) {
        REQUIRE(d.paths[i].path == group.paths[i].id);
        REQUIRE(std::isfinite(d.paths[i].cost));
        const auto former = weights_.find(d.paths[i].path);
        if (d.reason != Reason::initial) REQUIRE(d.paths[i].before == former->second);
      }
      for (const PathShare& p : d.paths) weights_[p.path] = p.after;
      decided_[d.group] = true;
    }
    for (const auto& [id, group] : groups_)
      if (decided_[id]) check(engine, group);
  }

 private:
  void check(const Engine& engine, const Group& group) {
    double sum = 0, kernel = 0;
    bool usable = false;
    const auto paths = engine.group(group.id);
    for (const Path& path : group.paths) kernel += path.kernel_weight;
    for (std::size_t i = 0; i < paths.size(); ++i) {
      const PathView& p = paths[i];
      REQUIRE(p.weight == weights_.at(p.path));  // nothing moves without a decision
      REQUIRE(std::isfinite(p.cost));
      if (!p.usable) REQUIRE(p.weight == 0);
      const double floor = std::min(options_.floor, group.paths[i].kernel_weight / kernel);
      if (p.usable) REQUIRE(p.weight >= floor * (1 - 1e-9));
      usable = usable || p.usable;
      sum += p.weight;
    }
    REQUIRE(std::abs(sum - (usable ? 1 : 0)) < 1e-9);
  }

  const Options& options_;
  std::uint64_t ids_ = 0;
  std::map<GroupId, Group> groups_;
  std::map<GroupId, bool> decided_;
  std::map<PathId, double> weights_;
};

/// What they have in common that is compared: when, why, and to what weights.
void require_same(const std::vector<Decision>& a, const std::vector<Decision>& b, double within) {
  for (std::size_t i = 0; i < std::min(a.size(), b.size()); ++i) {
    INFO(i << " at " << seconds(a[i].at - at(0)) << " " << text(a[i].reason) << " " << a[i].evidence
           << " | " << seconds(b[i].at - at(0)) << " " << text(b[i].reason) << " "
           << b[i].evidence);
    REQUIRE(a[i].at == b[i].at);
    REQUIRE(a[i].reason == b[i].reason);
    REQUIRE(a[i].paths.size() == b[i].paths.size());
    for (std::size_t p = 0; p < a[i].paths.size(); ++p)
      REQUIRE(std::abs(a[i].paths[p].after - b[i].paths[p].after) <= within);
  }
  REQUIRE(a.size() == b.size());
}

template <class Change>
RandomRun changed(RandomRun run, Change change) {
  for (auto& tick : run.ticks)
    for (Input& input : tick) std::visit(change, input);
  return run;
}

struct AnyInput {
  template <class T>
  void operator()(T& /*input*/) const {}
};
template <class... Ts>
struct Overloaded : Ts... {
  using Ts::operator()...;
};
template <class... Ts>
Overloaded(Ts...) -> Overloaded<Ts...>;

constexpr std::uint32_t kRuns = 12;
constexpr int kSeconds = 240;

}  // namespace

TEST_CASE("whatever comes, weights sum to one, floors hold and nothing moves unsaid",
          "[engine][properties]") {
  std::size_t decided = 0;
  for (std::uint32_t seed = 1; seed <= 2 * kRuns; ++seed) {
    INFO("seed " << seed);
    const RandomRun run = random_run(seed, kSeconds);
    Engine engine(run.options);
    Promises promises(run.options);
    for (std::size_t t = 0; t < run.ticks.size(); ++t) {
      const TimePoint now = at(static_cast<double>(t) / 10);
      for (const Input& input : run.ticks[t]) {
        if (const auto* group = std::get_if<Group>(&input)) promises.changed(*group);
        tell(engine, input, now);
      }
      const auto decisions = engine.decide(now);
      decided += decisions.size();
      promises.check(engine, decisions);
    }
  }
  CHECK(decided > 1000);  // else nothing was tried
}

TEST_CASE("the same input gives the same decisions", "[engine][properties]") {
  for (std::uint32_t seed = 1; seed <= 3; ++seed) {
    const RandomRun run = random_run(seed, kSeconds);
    const auto first = decisions_of(run), second = decisions_of(run);
    require_same(first, second, 0);
    for (std::size_t i = 0; i < first.size(); ++i) REQUIRE(first[i].evidence == second[i].evidence);
  }
}

// Of one anchor there is one a tick: an average over time has an order. What the kernel says comes
// before them.
TEST_CASE("in which order a tick's samples come does not matter", "[engine][properties]") {
  for (std::uint32_t seed = 1; seed <= kRuns; ++seed) {
    INFO("seed " << seed);
    RandomRun run = random_run(seed, kSeconds);
    const auto sample = [](const Input& input) { return std::holds_alternative<Sample>(input); };
    for (auto& tick : run.ticks)
      std::stable_partition(tick.begin(), tick.end(), std::not_fn(sample));
    RandomRun other = run;
    std::mt19937 random(seed);
    for (auto& tick : other.ticks)
      std::shuffle(std::find_if(tick.begin(), tick.end(), sample), tick.end(), random);
    require_same(decisions_of(run), decisions_of(other), 0);
  }
}

// Absolute stay: demand under 10 kb/s, a nexthop's load under 100 kb/s, and absurd rates over
// 10 Tb/s; the random runs lie between.
TEST_CASE("all bit rates scaled alike give the same weights", "[engine][properties]") {
  constexpr std::uint64_t k = 8;
  const auto scale = [](std::optional<double>& rate) {
    if (rate) *rate *= k;
  };
  const auto traffic = [](auto& reading) { reading.traffic.forward_bytes *= k; };
  for (std::uint32_t seed = 1; seed <= kRuns; ++seed) {
    INFO("seed " << seed);
    const RandomRun run = random_run(seed, kSeconds);
    const RandomRun other = changed(
        run, Overloaded{AnyInput{}, [&](PathReading& r) { traffic(r); },
                        [&](ControlReading& r) { traffic(r); },
                        [](LoadReading& r) { r.forward_bit_s *= k; },
                        [&](GroupWants& w) { scale(w.terms.objectives.min_bandwidth_bit_s); },
                        [&](NexthopWants& w) {
                          if (w.terms.capacity) w.terms.capacity->bit_s *= k;
                          scale(w.terms.commit_bit_s);
                        }});
    require_same(decisions_of(run), decisions_of(other), 0);
  }
}

// With every limit of the options and of the policy. What stays absolute: 0.1 ms of deviation at
// least and a clip of 10 ms at least (estimator), 15 and 5 ms of queue (carrier), 100 ms of burst,
// 1 s and 2 s of doubt, errors of 0.1 and 0.2 ms (evidence): so no faults, queues or traffic here.
TEST_CASE("all delays scaled alike, with their limits, give the same weights",
          "[engine][properties]") {
  constexpr int k = 2;
  std::size_t decided = 0;
  for (std::uint32_t seed = 1; seed <= kRuns; ++seed) {
    INFO("seed " << seed);
    const RandomRun run = calm_run(seed, kSeconds);
    RandomRun other = changed(run, Overloaded{AnyInput{}, [](Sample& s) {
                                                s.sent -= s.rtt;
                                                s.rtt *= k;
                                              }});
    Options& o = other.options;
    for (Duration* d : {&o.degraded_delay, &o.dead_band_delay, &o.policy.delay_floor,
                        &o.policy.delay_limit, &o.policy.queue_limit, &o.policy.jitter_limit})
      *d *= k;
    const auto first = decisions_of(run);
    decided += first.size();
    require_same(first, decisions_of(other), 1e-9);
  }
  CHECK(decided > 100);
}

// Nexthops are walked in the order of their ids, groups too; an epoch's phase is the last digit of
// the group's.
TEST_CASE("other ids give the same weights", "[engine][properties]") {
  for (std::uint32_t seed = 1; seed <= kRuns; ++seed) {
    INFO("seed " << seed);
    const RandomRun run = random_run(seed, kSeconds);
    const auto nexthop = [&](NexthopId& id) { id = NexthopId{100 - raw(id)}; };
    const auto same_phase = [](GroupId& id) { id = GroupId{raw(id) + 40}; };
    const RandomRun other =
        changed(run, Overloaded{AnyInput{},
                                [&](Group& g) {
                                  same_phase(g.id);
                                  for (Path& p : g.paths) {
                                    nexthop(p.nexthop);
                                    p.id = PathId{raw(p.id) + 1000};
                                  }
                                },
                                [&](GroupWants& w) {
                                  same_phase(w.id);
                                  for (Preference& p : w.terms.preferences) nexthop(p.nexthop);
                                },
                                [&](NexthopWants& w) { nexthop(w.id); },
                                [&](NexthopEvent& e) { nexthop(e.nexthop); },
                                [&](EscapeEvent& e) { nexthop(e.nexthop); },
                                [&](Sample& s) { nexthop(s.nexthop); },
                                [](PathReading& r) { r.path = PathId{raw(r.path) + 1000}; },
                                [&](ControlReading& r) { same_phase(r.group); },
                                [&](LoadReading& r) { nexthop(r.nexthop); }});
    require_same(decisions_of(run), decisions_of(other), 0);
  }
}

// Sums are added up in another order then: to the last bits, not beyond.
TEST_CASE("the order of a group's paths does not matter", "[engine][properties]") {
  const auto by_path = [](const PathShare& a, const PathShare& b) { return a.path < b.path; };
  for (std::uint32_t seed = 1; seed <= kRuns; ++seed) {
    INFO("seed " << seed);
    const RandomRun run = random_run(seed, kSeconds);
    const RandomRun other =
        changed(run, Overloaded{AnyInput{}, [](Group& g) { std::ranges::reverse(g.paths); }});
    auto first = decisions_of(run), second = decisions_of(other);
    for (auto* all : {&first, &second})
      for (Decision& d : *all) std::ranges::sort(d.paths, by_path);
    require_same(first, second, 1e-6);
  }
}

TEST_CASE("a recorded run is replayed to the same decisions", "[engine][properties]") {
  for (std::uint32_t seed = 1; seed <= 4; ++seed) {
    INFO("seed " << seed);
    const RandomRun run = random_run(seed, 120);
    Engine engine(run.options);
    simulation::RecordingWriter recorder;
    recorder.begin({simulation::kRecordingVersion,
                    "0.0.0",
                    {},
                    at(0),
                    simulation::RecordingHead::From::start,
                    run.options},
                   engine);
    engine.set_tap(&recorder);
    std::size_t decided = 0;
    for (std::size_t t = 0; t < run.ticks.size(); ++t) {
      const TimePoint now = at(static_cast<double>(t) / 10);
      for (const Input& input : run.ticks[t]) tell(engine, input, now);
      decided += engine.decide(now).size();
    }
    recorder.end("asked");
    std::istringstream in(recorder.take());
    const auto again = simulation::replay(in, "random.rec", {});
    INFO((again ? "" : again.error().message));
    REQUIRE(again.has_value());
    using Who = simulation::ReplayedDecision::Who;
    CHECK(again->count(Who::both) == decided);
    CHECK(again->count(Who::done) == 0);
    CHECK(again->count(Who::would) == 0);
  }
}
