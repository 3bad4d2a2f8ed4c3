// How soon a fault is seen: from the moment in which the emulated link changes until the engine
// wants to look closer (suspects), and until it calls the path degraded or down. The real prober
// and the real engine, over links beyond the first hop; a second path stays well.
#include <net/if.h>

#include <algorithm>
#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>
#include <chrono>
#include <cmath>
#include <exception>

#include "core/engine/engine.hpp"
#include "probes/prober.hpp"
#include "test/bench/parts.hpp"
#include "test/bench/visit.hpp"
#include "test/lab/lab.hpp"

namespace hopwise::bench {
namespace {

using namespace std::chrono_literals;
using std::chrono::steady_clock;

constexpr const char* kSection = "detection: from the fault to its being seen";
constexpr Duration kRoundTrip = 20ms;
constexpr NexthopId kGood{1}, kBad{2};
constexpr GroupId kGroup{1};

struct Case {
  std::string name;
  lab::Impairment fault;  // both directions
  Duration suspicious_interval = 50ms;
  Duration patience = 15s;
};

lab::Impairment line(Duration more = 0ns, double loss = 0) {
  lab::Impairment impairment;
  impairment.delay = (kRoundTrip + more) / 2;
  impairment.jitter = 500us;
  // Lost in either direction.
  impairment.loss = 1 - std::sqrt(1 - loss);
  return impairment;
}

std::vector<Case> cases() {
  return {{"black hole, 20 pps", line(0ns, 1)},
          {"black hole, 100 pps", line(0ns, 1), 10ms},
          {"loss 30 %", line(0ns, 0.3)},
          {"loss 10 %", line(0ns, 0.1), 50ms, 30s},
          {"loss 5 %", line(0ns, 0.05), 50ms, 40s},
          {"loss 2 %", line(0ns, 0.02), 50ms, 40s},
          {"+100 ms", line(100ms)},
          {"+30 ms", line(30ms)},
          {"+5 ms", line(5ms)}};
}

/// When what was first seen.
struct Seen {
  std::optional<Duration> suspected, shifted, called;
};

/// Prober and engine on one thread in the lab's router, as the daemon has them on two.
class Observer {
 public:
  Observer(const lab::Lab& lab, Duration suspicious_interval)
      : visit_(lab.router()), engine_(engine::Options{}) {
    probes::Options options;
    options.suspicious_interval = suspicious_interval;
    prober_ = std::move(probes::Prober::open(io_, options,
                                             {.samples =
                                                  [this](auto samples) {
                                                    for (const Sample& s : samples)
                                                      engine_.observe(s);
                                                  }})
                            .value());
    Group group{kGroup, {}};
    for (std::uint32_t i = 0; i < 2; ++i) {
      const NexthopId id{i + 1};
      const std::string device = lab.wan_device(i);
      const Nexthop nexthop{
          id, {if_nametoindex(device.c_str()), lab.gateway(i, Family::v4).value()}, device, device};
      group.paths.push_back({PathId{i + 1}, id, 1});
      prober_->set_target({nexthop, anchors()}).value();
      prober_->set_ready(id, {true, {}});
      engine_.observe(NexthopEvent{id, steady_clock::now(), true, true});
    }
    engine_.set_group(group, steady_clock::now());
    tick();
  }

  /// Until both are up and nobody suspects anything.
  bool settle(Duration patience) {
    const auto calm = [this] {
      for (const NexthopId id : {kGood, kBad}) {
        const auto view = engine_.nexthop(id);
        if (!view || view->state != PathState::up || view->suspicious) return false;
      }
      return true;
    };
    run_until(patience, calm);
    return calm();
  }

  Seen watch(TimePoint fault, Duration patience) {
    Seen seen;
    run_until(patience, [&] {
      const auto view = engine_.nexthop(kBad);
      const Duration passed = steady_clock::now() - fault;
      if (view->suspicious && !seen.suspected) seen.suspected = passed;
      if (view->shift && !seen.shifted) seen.shifted = passed;
      if (view->state == PathState::degraded || view->state == PathState::down)
        seen.called = passed;
      return seen.called.has_value();
    });
    return seen;
  }

 private:
  static std::vector<probes::AnchorSpec> anchors() {
    std::vector<probes::AnchorSpec> all;
    for (const char* anchor : {"203.0.113.1", "203.0.113.9", "203.0.113.10"})
      all.emplace_back(*IpAddress::parse(anchor));
    return all;
  }
  void tick() {
    timer_.expires_after(2ms);
    timer_.async_wait([this](auto error) {
      if (error) return;
      (void)engine_.decide(steady_clock::now());
      for (const NexthopId id : {kGood, kBad})
        if (const auto view = engine_.nexthop(id)) prober_->set_suspicious(id, view->suspicious);
      tick();
    });
  }
  template <class Fact>
  void run_until(Duration patience, Fact fact) {
    const auto end = steady_clock::now() + patience;
    while (!fact() && steady_clock::now() < end) io_.run_one_for(5ms);
  }

  Visit visit_;
  boost::asio::io_context io_{1};
  engine::Engine engine_;
  std::unique_ptr<probes::Prober> prober_;
  boost::asio::steady_timer timer_{io_};
};

Seen trial(lab::Lab& lab, const Case& c) {
  lab.relay().set(lab.core_link(1), line());
  Observer observer(lab, c.suspicious_interval);
  if (!observer.settle(30s)) throw std::runtime_error(c.name + ": the paths did not come up");
  (void)observer.watch(steady_clock::now(), 3s);  // some seconds of what is normal
  const auto fault = steady_clock::now();
  lab.relay().set(lab.core_link(1), c.fault);
  return observer.watch(fault, c.patience);
}

void tell(Report& report, const Case& c, const std::vector<Seen>& seen) {
  const auto add = [&](const char* column, std::optional<Duration> Seen::*when) {
    std::vector<double> times;
    for (const Seen& s : seen)
      if (s.*when) times.push_back(milliseconds(*(s.*when)));
    if (!times.empty()) report.add({kSection, c.name, column, spread(times)});
    const auto share = static_cast<double>(times.size()) / static_cast<double>(seen.size());
    report.add(
        {kSection, c.name, std::string(column) + ": share of trials", {share, share, share}});
  };
  add("suspected after, ms", &Seen::suspected);
  add("shift of delay told after, ms", &Seen::shifted);
  add("degraded or down after, ms", &Seen::called);
}

}  // namespace

void measure_detection(Report& report, Effort effort) {
  report.explain(kSection,
                 "Two links of 20 ms +- 0.5 ms; three anchors behind each; 5 probes a second and "
                 "anchor, 20 (or 100) once suspicious. Losses below the limit (5 %) and small "
                 "steps are for the weights: they are told, and not called faults.");
  lab::Topology topology;
  topology.router = lab::Daemon::none;
  for (const char* name : {"good", "bad"})
    topology.upstreams.push_back({name, lab::Daemon::none, line()});
  const auto lab = std::move(lab::Lab::open(topology).value());
  const int trials = effort == Effort::full ? 5 : 1;
  for (const Case& c : cases()) {
    if (effort == Effort::quick && c.patience > 15s) continue;
    std::vector<Seen> seen;
    for (int t = 0; t < trials; ++t) {
      progress("detection: " + c.name + ", " + std::to_string(t + 1) + " of " +
               std::to_string(trials));
      seen.push_back(trial(*lab, c));
    }
    tell(report, c, seen);
  }
}

}  // namespace hopwise::bench
