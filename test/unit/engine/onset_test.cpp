// How a delay rose, and what follows for a path whose share the slow law had raised.
#include "core/engine/onset.hpp"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <functional>

#include "core/engine/tracked_nexthop.hpp"
#include "test/catch.hpp"
#include "test/unit/engine/simulation.hpp"

using namespace hopwise;
using namespace hopwise::engine;

namespace {

constexpr double kFault = 30;

/// One nexthop and the delay that its anchors meet, by the time in seconds.
struct Watch {
  std::vector<double> gaps_s{0.2};  // of each anchor, and 50 ms at most from the fault on
  double jitter_ms = 0.5;
  double loss = 0;  // from the fault on
  std::function<double(double)> delay_ms;

  /// The nexthop's last word in the second after it had become degraded; empty: it never did.
  [[nodiscard]] std::optional<Onset> play(std::uint32_t seed) const {
    Options options;
    TrackedNexthop nexthop(NexthopId{1}, options);
    std::mt19937 random(seed);
    const auto uniform = [&] { return static_cast<double>(random()) * 0x1p-32; };
    std::set<Anchor> answered;
    std::vector<Sample> out;
    std::vector<double> next;
    for (const double gap : gaps_s) next.push_back(gap * uniform());
    Onset last = Onset::gradual;
    std::optional<double> fell;
    for (int tick = 0; tick < 4000; ++tick) {
      const double t = 0.01 * tick;
      for (std::uint32_t n = 0; n < next.size(); ++n) {
        while (next[n] < t) {
          const double rtt = delay_ms(next[n]) - jitter_ms * std::log(1 - uniform());
          const bool lost = next[n] >= kFault && uniform() < loss;
          out.push_back({NexthopId{1}, anchor_address(n + 1), lost ? Outcome::lost : Outcome::reply,
                         at(next[n]), at(next[n] + (lost ? 0.1 : rtt / 1000)), ms(rtt),
                         TimestampSource::kernel});
          const double pace = t > kFault + 0.1 ? std::min(gaps_s[n], 0.05) : gaps_s[n];
          next[n] += pace * (0.75 + 0.25 * uniform());
        }
      }
      std::stable_sort(out.begin(), out.end(), [](auto& a, auto& b) { return a.known < b.known; });
      while (!out.empty() && out.front().known <= at(t)) {
        nexthop.observe(out.front(), answered);
        out.erase(out.begin());
      }
      if (tick % 10 != 0) continue;
      nexthop.advance(at(t), answered, {});
      if (nexthop.state() != PathState::degraded) continue;
      if (!fell) fell = t;
      if (t - *fell < 1) last = nexthop.onset(at(t));
    }
    return fell ? std::optional(last) : std::nullopt;
  }
  /// Of a hundred seeds, of which so many must show a fault of delay.
  [[nodiscard]] int at_once(int fell = 95) const {
    int n = 0, some = 0;
    for (std::uint32_t seed = 1; seed <= 100; ++seed) {
      const auto onset = play(seed);
      some += onset.has_value();
      n += onset == Onset::at_once;
    }
    CHECK(some >= fell);
    return n;
  }
};

std::function<double(double)> step(double ms) {
  return [=](double t) { return 20 + (t >= kFault ? ms : 0); };
}
/// A queue that grows, in ms a second, as far as the buffer.
std::function<double(double)> queue(double rate, double buffer_ms) {
  return [=](double t) { return 20 + std::clamp((t - kFault) * rate, 0.0, buffer_ms); };
}

}  // namespace

TEST_CASE("a delay that stands at its height between two probes came at once", "[engine]") {
  const std::vector<std::vector<double>> anchors{
      {0.02}, {0.05}, {0.2}, {0.2, 0.2, 0.2}, {0.2, 0.2, 0.2, 0.2, 0.2}, {0.05, 0.2, 5.0}};
  for (const auto& gaps : anchors)
    for (const double ms : {30.0, 60.0}) {
      Watch watch{gaps, 0.5, 0, step(ms)};
      INFO(gaps.size() << " anchors, the first each " << gaps[0] << " s, +" << ms << " ms");
      CHECK(watch.at_once() >= 98);
    }
  // Noise asks for more.
  for (const double ms : {60.0, 100.0}) {
    Watch watch{{0.2, 0.2, 0.2}, 3, 0, step(ms)};
    INFO("jitter, +" << ms << " ms");
    CHECK(watch.at_once() >= 90);
  }
}

TEST_CASE("no queue that a raise of ours can make looks as if it came at once", "[engine]") {
  for (const auto& gaps : std::vector<std::vector<double>>{
           {0.02}, {0.05}, {0.2}, {1.0}, {0.2, 0.2, 0.2}, {0.05, 0.2, 1.0, 5.0}})
    for (const double rate : {20.0, 50.0, 100.0})
      for (const double buffer : {20.0, 50.0, 100.0})
        for (const double jitter : {0.1, 0.5, 3.0}) {
          if (buffer < 50 && jitter > 1) continue;  // never seen for certain
          Watch watch{gaps, jitter, 0, queue(rate, buffer)};
          INFO(gaps.size() << " anchors, the first each " << gaps[0] << " s, " << rate
                           << " ms a second up to " << buffer << ", jitter " << jitter);
          CHECK(watch.at_once(1) == 0);  // few are seen at all by a probe a second
        }
}

TEST_CASE("a queue that fills between two probes is told by its growth, or by what it drops",
          "[engine]") {
  // Load that came by itself: half again, or twice, what the link can carry.
  for (const double over : {0.5, 1.0})
    for (const auto& gaps : std::vector<std::vector<double>>{{0.05}, {0.2}, {0.2, 0.2, 0.2}}) {
      INFO(gaps.size() << " anchors, the first each " << gaps[0] << " s, " << over << " over");
      CHECK(Watch{gaps, 0.5, 0, queue(1000 * over, 1000)}.at_once() == 0);
      const double drops = over / (1 + over);
      // Full after 30 ms: four times of five a probe is missed, as kChance has it.
      CHECK(Watch{gaps, 0.5, drops, queue(1000 * over, 30)}.at_once(10) <= 20);
    }
}

TEST_CASE("probes too far apart to tell leave it open", "[engine]") {
  CHECK(Watch{{1.0}, 0.5, 0, step(30)}.at_once() == 0);
  CHECK(weigh({}, 0.1) == Onset::gradual);
}

TEST_CASE("what our load could do is no proof, and a missing probe is waited for", "[engine]") {
  const Climb fast{0.5, 10, true, false};
  CHECK(weigh(std::vector{fast}, 0.1) == Onset::at_once);
  CHECK(weigh(std::vector{fast}, 0.6) == Onset::gradual);  // the load may be twice the capacity
  CHECK(weigh(std::vector{fast, Climb{0.05, 10, true, false}}, 0.1) == Onset::gradual);
  CHECK(weigh(std::vector{fast, Climb{0.5, 10, false, false}}, 0.1) == Onset::gradual);
  CHECK(weigh(std::vector{fast, Climb{0.5, 10, true, true}}, 0.1) == Onset::unsure);
  CHECK(weigh(std::vector{Climb{0.5, 3, true, false}}, 0.1) == Onset::unsure);
  CHECK(weigh(std::vector{Climb{0.5, 3, true, false}, Climb{0.5, 3, true, false}}, 0.1) ==
        Onset::at_once);
}

namespace {

/// The nearer of two links, to which the slow law has brought most of the demand.
struct Sudden {
  double demand = 80;  // Mbit/s, of 30 before, over 40 and 40
  double lag_s = 0.3;  // with which flows follow
  double buffer_ms = 50;
};

struct Answers {
  int at_once = 0;
  int taken_back = 0;
};

Answers play(const Sudden& p) {
  constexpr double kStep = 0.005;
  constexpr double kMbit = 40;
  Answers answers;
  for (std::uint32_t seed = 1; seed <= 20; ++seed) {
    std::vector<SimulatedPath> paths(2);
    paths[1].rtt_ms = 30;
    Simulation s(paths, seed);
    double load[2] = {}, queue_ms[2] = {};
    for (int i = 1; i * kStep < 30; ++i) {
      const double demand = i * kStep < 25 + 0.01 * seed ? 30 : p.demand;
      for (std::uint32_t n : {0u, 1u}) {
        load[n] += (demand * s.weight(n + 1) - load[n]) * kStep / std::max(p.lag_s, kStep);
        queue_ms[n] = std::max(0.0, queue_ms[n] + (load[n] / kMbit - 1) * kStep * 1000);
        s.path(n + 1).loss = queue_ms[n] > p.buffer_ms ? 1 - kMbit / load[n] : 0;
        queue_ms[n] = std::min(queue_ms[n], p.buffer_ms);
        s.path(n + 1).rtt_ms = (n == 0 ? 20 : 30) + queue_ms[n];
      }
      s.run_until(i * kStep);
    }
    const auto first = std::find_if(s.decisions.begin(), s.decisions.end(), [](const Decision& d) {
      return d.reason == Reason::path_degraded && raw(*d.cause) == 1;
    });
    if (first == s.decisions.end()) continue;
    answers.at_once += first->evidence.find("at_once") != std::string::npos;
    answers.taken_back += first->evidence.find("own_raise") != std::string::npos;
  }
  return answers;
}

}  // namespace

TEST_CASE("a demand that jumps takes back the raise, as any load of ours", "[engine]") {
  int at_once = 0, taken_back = 0;
  for (const double lag : {0.0, 0.1, 0.3, 2.0})
    for (const double buffer : {20.0, 50.0, 100.0})
      for (const double demand : {55.0, 80.0, 120.0}) {
        const Answers answers = play({demand, lag, buffer});
        at_once += answers.at_once;
        taken_back += answers.taken_back;
        INFO(demand << " Mbit/s, lag " << lag << " s, buffer " << buffer << " ms");
        CHECK(answers.at_once <= 3);
        CHECK(answers.taken_back >= 10);
      }
  std::printf("  demand jumps on a raised path: %d taken back, %d left, of 720\n", taken_back,
              at_once);
  CHECK(at_once <= 15);
}

namespace {

// Each second what the paths carry is told; flows follow at once.
void run_loaded(Simulation& s, double demand_bit_s, int until_s) {
  for (int t = static_cast<int>(std::lround(s.now_s())) + 1; t <= until_s; ++t) {
    s.run_until(t);
    for (std::uint32_t n : {1u, 2u}) {
      const double bit_s = demand_bit_s * s.weight(n);
      PathTraffic traffic;
      traffic.forward_bytes = static_cast<std::uint64_t>(bit_s / 8);
      s.engine.observe(PathReading{PathId{n}, at(t), std::chrono::seconds(1), traffic, {}});
      s.engine.observe(LoadReading{NexthopId{n}, at(t), std::chrono::seconds(1), bit_s});
    }
  }
}

NexthopTerms carries(double bit_s) {
  NexthopTerms terms;
  terms.capacity = Capacity{bit_s, true, BandwidthMethod::configured};
  return terms;
}

}  // namespace

TEST_CASE("a path nearly full of our own traffic is left when its delay comes at once",
          "[engine]") {
  for (std::uint32_t seed = 1; seed <= 20; ++seed) {
    std::vector<SimulatedPath> paths(2);
    paths[1].rtt_ms = 30;
    Simulation s(paths, seed);
    for (std::uint32_t n : {1u, 2u}) s.engine.set_terms(NexthopId{n}, carries(1e9));
    run_loaded(s, 950e6, 120);
    REQUIRE(s.weight(1) > 0.85);
    s.path(1).rtt_ms += 60;
    run_loaded(s, 950e6, 122);
    INFO(s.log());
    CHECK(s.fell(1, 0.05, 120).value_or(99) < 1.1);  // the other has room for nearly all
    run_loaded(s, 950e6, 180);
    CHECK(*s.engine.carrier(NexthopId{1})->capacity_bit_s == 1e9);  // nothing was learnt from it
  }
}

TEST_CASE("an escape onto a path makes whatever it does then our own doing", "[engine]") {
  for (const bool of_another_group : {false, true})
    for (std::uint32_t seed = 1; seed <= 20; ++seed) {
      std::vector<SimulatedPath> paths(3);
      paths[1].rtt_ms = paths[2].rtt_ms = 30;
      Simulation s(paths, seed);
      const auto group = [&](std::uint32_t id, std::uint32_t first, std::uint32_t second) {
        Group g{GroupId{id}, {}};
        for (const std::uint32_t n : {first, second})
          g.paths.push_back({PathId{10 * id + n}, NexthopId{n}, 1});
        s.engine.set_group(g, at(0));
      };
      if (of_another_group) {
        group(1, 1, 2);
        group(2, 1, 3);
      }
      s.run_until(20);
      REQUIRE(s.weight(1) > 0.4);
      s.link(3, false);
      s.run_until(22);
      s.path(1).rtt_ms += 60;
      s.run_until(26);
      INFO(s.log());
      for (const Decision& d : s.decisions) CHECK(d.evidence.find("at_once") == std::string::npos);
      CHECK(s.count(Reason::path_degraded) > 0);
      CHECK(s.weight(1) <= 0.01);  // it is left all the same
    }
}

TEST_CASE("groups that come anew, or in a dry run, hide no onset", "[engine]") {
  for (const Mode mode : {Mode::steer, Mode::dry_run})
    for (std::uint32_t seed = 1; seed <= 10; ++seed) {
      std::vector<SimulatedPath> paths(2);
      paths[1].rtt_ms = 30;
      Simulation s(paths, seed);
      for (std::uint32_t n : {1u, 2u}) s.engine.set_terms(NexthopId{n}, carries(1e9));
      for (int t = 5; t <= 120; t += 5) {
        run_loaded(s, 500e6, t);
        const GroupId other{static_cast<std::uint32_t>(t)};
        s.engine.set_group({other, {{PathId{11}, NexthopId{1}, 1}, {PathId{12}, NexthopId{2}, 1}}},
                           at(t));
        GroupTerms terms;
        terms.mode = mode;
        s.engine.set_terms(other, terms);
        s.engine.remove_group(GroupId{static_cast<std::uint32_t>(t) - 5});
      }
      REQUIRE(s.weight(1) > 0.85);
      s.path(1).rtt_ms += 60;
      run_loaded(s, 500e6, 122);
      INFO(s.log());
      CHECK(s.fell(1, 0.05, 120).value_or(99) < 1.1);
      CHECK(*s.engine.carrier(NexthopId{1})->capacity_bit_s == 1e9);
    }
}
