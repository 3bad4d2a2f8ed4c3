#include "test/unit/engine/simulation.hpp"

#include <algorithm>
#include <cmath>
#include <cstdio>

#include "test/catch.hpp"

namespace hopwise::engine {

Simulation::Simulation(const std::vector<SimulatedPath>& paths, std::uint32_t seed,
                       const Options& options)
    : engine(options), paths_(paths), random_(seed), floor_(options.floor) {
  Group group{GroupId{1}, {}};
  for (std::uint32_t n = 1; n <= paths_.size(); ++n) {
    group.paths.push_back({PathId{n}, NexthopId{n}, path(n).kernel_weight});
    events_.push_back({NexthopId{n}, at(0), true, true});
    probes_.push_back({});
    probes_.back().next_s = 0.2 * uniform();
  }
  engine.set_group(group, at(0));
  for (const auto& event : events_) engine.observe(event);
}

void Simulation::send(std::uint32_t n) {
  Probe& probe = probes_[n - 1];
  const SimulatedPath& p = path(n);
  const bool suspicious =
      probe.next_s < probe.suspicious_until || engine.nexthop(NexthopId{n})->suspicious;
  const double sent = probe.next_s;
  probe.next_s += (suspicious ? 0.05 : 0.2) * (0.75 + 0.25 * uniform());
  if (!probing || !events_[n - 1].link_up || !events_[n - 1].neighbour_resolved) return;

  const double rtt = p.rtt_ms + (p.drift ? p.drift(sent) : 0) -
                     p.jitter_ms * std::log(1 - uniform()) + (uniform() < p.spike ? 200 : 0);
  const double timeout =
      probe.started
          ? std::clamp(std::max(2 * probe.srtt, probe.srtt + 4 * probe.rttvar), 100.0, 1000.0)
          : 1000.0;
  Sample s{NexthopId{n}, anchor_address(n), Outcome::reply,         at(sent),
           {},           ms(rtt),           TimestampSource::kernel};
  const bool lost = uniform() < p.loss;
  if (lost || rtt > timeout) {
    s.outcome = Outcome::lost;
    s.known = at(sent + timeout / 1000);
    arrivals_.push({sent + timeout / 1000, order_++, s});
    s.outcome = Outcome::late;
  }
  s.known = at(sent + rtt / 1000);
  if (!lost) arrivals_.push({sent + rtt / 1000, order_++, s});
}

void Simulation::arrive(const Arrival& a) {
  Probe& probe = probes_[raw(a.sample.nexthop) - 1];
  const double rtt = milliseconds(a.sample.rtt);
  if (a.sample.outcome == Outcome::lost ||
      (probe.started && rtt > probe.srtt + 4 * probe.rttvar + 5))
    probe.suspicious_until = a.known_s + 3;
  if (a.sample.outcome != Outcome::lost) {
    probe.rttvar =
        probe.started ? 0.75 * probe.rttvar + 0.25 * std::abs(rtt - probe.srtt) : rtt / 2;
    probe.srtt = probe.started ? 0.875 * probe.srtt + 0.125 * rtt : rtt;
    probe.started = true;
  }
  engine.observe(a.sample);
}

void Simulation::run_until(double s) {
  while (true) {
    double next = next_decide_;
    for (const Probe& p : probes_) next = std::min(next, p.next_s);
    if (!arrivals_.empty()) next = std::min(next, arrivals_.top().known_s);
    if (next > s) break;
    now_ = next;
    if (!arrivals_.empty() && arrivals_.top().known_s == next) {
      const Arrival arrival = arrivals_.top();
      arrivals_.pop();
      arrive(arrival);
    } else if (next == next_decide_) {
      next_decide_ += 0.1;
      for (Decision& d : engine.decide(at(next))) {
        check(d);
        decisions.push_back(std::move(d));
      }
    } else {
      for (std::uint32_t n = 1; n <= probes_.size(); ++n)
        if (probes_[n - 1].next_s == next) send(n);
    }
  }
  now_ = s;
}

// The promises that hold for every decision, whatever happens.
void Simulation::check(const Decision& d) const {
  double sum = 0;
  bool any = false;
  bool reachable = false;
  bool candidates = false;
  for (const PathShare& p : d.paths) {
    candidates = candidates || p.candidate;
    sum += p.after;
    any = any || p.usable;
    const NexthopEvent& e = events_[raw(p.nexthop) - 1];
    if (!p.candidate) reachable = reachable || (e.link_up && e.neighbour_resolved);
    if (!p.usable) CHECK(p.after == 0);
    if (p.usable && !p.candidate) CHECK(p.after >= floor_ - 1e-9);
    if (p.usable) CHECK((e.link_up && e.neighbour_resolved));
  }
  CHECK((any == reachable || (any && candidates)));
  CHECK(sum == Approx(any ? 1 : 0).margin(1e-9));
  CHECK((d.reason == Reason::initial || !d.evidence.empty()));
}

void Simulation::link(std::uint32_t n, bool up) {
  events_[n - 1].link_up = up;
  events_[n - 1].at = at(now_);
  engine.observe(events_[n - 1]);
}

void Simulation::neighbour(std::uint32_t n, bool resolved) {
  events_[n - 1].neighbour_resolved = resolved;
  events_[n - 1].at = at(now_);
  engine.observe(events_[n - 1]);
}

double Simulation::weight(std::uint32_t n) const {
  return engine.group(GroupId{1}).at(n - 1).weight;
}
bool Simulation::usable(std::uint32_t n) const {
  return engine.group(GroupId{1}).at(n - 1).usable;
}
PathState Simulation::state(std::uint32_t n) const {
  return engine.nexthop(NexthopId{n})->state;
}

std::optional<double> Simulation::fell(std::uint32_t n, double limit, double since) const {
  for (const Decision& d : decisions)
    if (d.at >= at(since) && d.paths[n - 1].after <= limit + 1e-6) return seconds(d.at - at(since));
  return std::nullopt;
}

std::optional<double> Simulation::rose(std::uint32_t n, double limit, double since) const {
  for (const Decision& d : decisions)
    if (d.at >= at(since) && d.paths[n - 1].after >= limit - 1e-6) return seconds(d.at - at(since));
  return std::nullopt;
}

int Simulation::count(Reason reason, double since) const {
  return static_cast<int>(std::count_if(decisions.begin(), decisions.end(), [&](const Decision& d) {
    return d.reason == reason && d.at >= at(since);
  }));
}

int Simulation::reversals(std::uint32_t n, double since) const {
  int turns = 0;
  double direction = 0;
  for (const Decision& d : decisions) {
    const double change = d.paths[n - 1].after - d.paths[n - 1].before;
    if (d.reason == Reason::initial || d.at < at(since) || std::abs(change) < 1e-9) continue;
    turns += direction * change < 0;
    direction = change;
  }
  return turns;
}

std::string Simulation::log() const {
  std::string all;
  for (const Decision& d : decisions) {
    char line[64];
    std::snprintf(line, sizeof line, "%8.2f %-20s cause=%u", seconds(d.at - at(0)),
                  text(d.reason).data(), d.cause ? raw(*d.cause) : 0);
    all += line;
    for (const PathShare& p : d.paths) {
      std::snprintf(line, sizeof line, "  %.3f->%.3f %s%s", p.before, p.after, text(p.state).data(),
                    p.usable ? "" : "!");
      all += line;
    }
    all += "  " + d.evidence + "\n";
  }
  return all;
}

}  // namespace hopwise::engine
