#include "test/unit/engine/noise.hpp"

#include <algorithm>
#include <cmath>
#include <queue>
#include <random>

#include "core/engine/engine.hpp"

namespace hopwise::engine {
namespace {

constexpr double kDecideEvery = 0.1;
constexpr double kStall = 0.2;

TimePoint moment(double s) {
  return TimePoint{} + std::chrono::hours(1) + std::chrono::nanoseconds(std::llround(s * 1e9));
}

Duration span_ms(double x) {
  return std::chrono::nanoseconds(std::llround(x * 1e6));
}

/// Windows of time that come by chance: bursts, stalls.
struct Spell {
  double begins = 1e18;
  double ends = -1;
  [[nodiscard]] bool covers(double t) const { return t >= begins && t < ends; }
};

class Site {
 public:
  Site(const NoisePlan& plan, std::uint32_t seed)
      : plan_(plan), random_(seed), engine_(Options{}), flutter_(plan.paths) {
    Group group{GroupId{1}, {}};
    for (std::uint32_t n = 1; n <= plan.paths; ++n) {
      group.paths.push_back({PathId{n}, NexthopId{n}, 1});
      for (std::uint32_t a = 1; a <= plan.anchors; ++a) {
        streams_.push_back({n, a});
        streams_.back().next_s = uniform() / plan.pace;
      }
    }
    states_.assign(plan.paths, PathState::probation);
    path_bursts_.resize(plan.paths);
    engine_.set_group(group, moment(0));
    for (std::uint32_t n = 1; n <= plan.paths; ++n)
      engine_.observe(NexthopEvent{NexthopId{n}, moment(0), true, true});
    for (std::size_t i = 0; i < streams_.size(); ++i) queue_.push({streams_[i].next_s, i});
  }

  void run_until(double end) {
    while (true) {
      const double sends = queue_.top().at;
      const double arrives = arrivals_.empty() ? 1e18 : arrivals_.top().at;
      const double next = std::min({sends, arrives, decide_at_});
      if (next > end) return;
      now_ = next;
      if (next == arrives) {
        const Arrival arrival = arrivals_.top();
        arrivals_.pop();
        arrive(arrival);
      } else if (next == decide_at_) {
        decide();
      } else {
        const std::size_t i = queue_.top().stream;
        queue_.pop();
        if (streams_[i].next_s != next) continue;  // hastened since
        send(streams_[i]);
        queue_.push({streams_[i].next_s, i});
      }
    }
  }

  Fault fault;  // of path 1
  NoiseReport report;
  Detection detection;
  std::optional<double> since;  // the fault began

 private:
  struct Stream {
    std::uint32_t nexthop;
    std::uint32_t anchor;
    double next_s = 0;
    double suspicious_until = -1;
    double srtt = 0;
    double rttvar = 0;
    bool started = false;
    std::uint32_t sequence = 0;
    Spell burst{};
  };
  struct Due {
    double at;
    std::size_t stream;
    bool operator>(const Due& o) const { return std::tie(at, stream) > std::tie(o.at, o.stream); }
  };
  struct Arrival {
    double at;
    std::uint64_t order;
    std::size_t stream;
    Sample sample;
    bool operator>(const Arrival& o) const { return std::tie(at, order) > std::tie(o.at, o.order); }
  };

  double uniform() { return static_cast<double>(random_() >> 11) * 0x1p-53; }
  double exponential(double mean) { return -mean * std::log(1 - uniform()); }
  double normal() {
    return std::sqrt(-2 * std::log(1 - uniform())) * std::cos(6.283185307179586 * uniform());
  }

  bool bursts(Spell& spell) {
    if (plan_.burst_every_s <= 0) return false;
    while (now_ >= spell.ends) {
      spell.begins = now_ + exponential(plan_.burst_every_s);
      spell.ends = spell.begins + 0.03 + 0.07 * uniform();
    }
    return spell.covers(now_);
  }

  bool stalled() {
    if (plan_.stall_every_s <= 0) return false;
    while (now_ >= stall_.ends) {
      stall_.begins = now_ + exponential(plan_.stall_every_s);
      stall_.ends = stall_.begins + kStall;
    }
    return stall_.covers(now_);
  }

  double flutter(std::uint32_t n) {
    auto& [until, shift] = flutter_[n - 1];
    if (now_ >= until) {
      until = now_ + exponential(60);
      shift = plan_.flutter_ms * static_cast<double>(static_cast<int>(random_() % 3) - 1);
    }
    return shift;
  }

  void send(Stream& s) {
    if (stalled()) {
      s.next_s = stall_.ends;
      return;
    }
    const double sent = s.next_s;
    const std::uint8_t flow = static_cast<std::uint8_t>(s.sequence++ % plan_.flows);
    const bool fast = sent < s.suspicious_until || suspicious(s.nexthop);
    s.next_s += (0.75 + 0.25 * uniform()) / (fast ? plan_.suspicious_pace : plan_.pace);

    const Fault none;
    const Fault& f = since && s.nexthop == 1 ? fault : none;
    double rtt = plan_.rtt_ms + flutter(s.nexthop) + plan_.jitter_ms * std::exp(0.8 * normal()) +
                 f.delay_ms + (flow == 0 ? f.flow_delay_ms : 0);
    if (uniform() < plan_.spikes) rtt += 20 + 280 * uniform();
    const bool in_burst = bursts(path_bursts_[s.nexthop - 1]) | bursts(s.burst);
    const double chance = std::max(f.loss, flow == 0 ? f.flow_loss : 0);
    const bool lost = in_burst || uniform() < plan_.loss || uniform() < chance;
    const double timeout =
        s.started ? std::clamp(std::max(2 * s.srtt, s.srtt + 4 * s.rttvar), 100.0, 1000.0) : 1000.0;
    const std::size_t index = static_cast<std::size_t>(&s - streams_.data());
    Sample sample{NexthopId{s.nexthop},
                  address(s.anchor),
                  Outcome::reply,
                  moment(sent),
                  {},
                  span_ms(rtt),
                  TimestampSource::kernel,
                  flow};
    ++report.probes;
    if (lost || rtt > timeout) {
      sample.outcome = Outcome::lost;
      push(sent + timeout / 1000, index, sample);
      sample.outcome = Outcome::late;
    }
    if (!lost) push(sent + rtt / 1000, index, sample);
  }

  void push(double known, std::size_t stream, Sample sample) {
    sample.known = moment(known);
    arrivals_.push({known, order_++, stream, sample});
  }

  void arrive(Arrival a) {
    Stream& s = streams_[a.stream];
    if (stalled()) {
      // Void, but for a few whose deadline was judged before their reply was read.
      if (a.sample.outcome != Outcome::reply || uniform() >= 0.1) return;
      a.sample.outcome = Outcome::lost;
      push(stall_.ends, a.stream, a.sample);
      a.sample.outcome = Outcome::late;
      push(stall_.ends + 0.001, a.stream, a.sample);
      return;
    }
    const double rtt = milliseconds(a.sample.rtt);
    if (a.sample.outcome == Outcome::lost) {
      ++report.lost;
      if (a.at >= s.suspicious_until) hasten(s, a.at);
      s.suspicious_until = a.at + 3;
    } else {
      if (s.started && rtt > s.srtt + std::max(4 * s.rttvar, 5.0)) {
        hasten(s, a.at + 1 / plan_.suspicious_pace);
        s.suspicious_until = a.at + 3;
      }
      s.rttvar = s.started ? s.rttvar + (std::abs(rtt - s.srtt) - s.rttvar) / 4 : rtt / 2;
      s.srtt = s.started ? s.srtt + (rtt - s.srtt) / 8 : rtt;
      s.started = true;
    }
    engine_.observe(a.sample);
  }

  void hasten(Stream& s, double to) {
    if (to >= s.next_s) return;
    s.next_s = to;
    queue_.push({to, static_cast<std::size_t>(&s - streams_.data())});
  }

  void decide() {
    decide_at_ += kDecideEvery;
    for (const Decision& d : engine_.decide(moment(now_)))
      report.moves += d.reason != Reason::initial && d.reason != Reason::cost;
    for (std::uint32_t n = 1; n <= plan_.paths; ++n) {
      const auto view = engine_.nexthop(NexthopId{n});
      const bool bad = view->state == PathState::degraded || view->state == PathState::down;
      const bool was = states_[n - 1] == PathState::degraded || states_[n - 1] == PathState::down;
      if (bad && !was) ++report.falls;
      states_[n - 1] = view->state;
      suspicious_seen_ += view->suspicious;
      const bool shifted = shift_of(*view);
      shifted_seen_ += shifted;
      ++seen_;
      if (view->suspicious)
        for (Stream& s : streams_)
          if (s.nexthop == n) hasten(s, now_ + 1 / plan_.suspicious_pace);
      if (since) note(n, *view, bad, shifted);
    }
    report.suspicious = static_cast<double>(suspicious_seen_) / static_cast<double>(seen_);
    report.shifted = static_cast<double>(shifted_seen_) / static_cast<double>(seen_);
  }

  void note(std::uint32_t n, const NexthopView& view, bool bad, bool shifted) {
    if (n != 1) {
      detection.others_fell = detection.others_fell || bad;
      return;
    }
    const double after = now_ - *since;
    if ((view.suspicious || shifted || bad) && !detection.suspicion) detection.suspicion = after;
    if (bad && !detection.verdict) detection.verdict = after;
    if (shifted && !detection.shift) detection.shift = after;
  }

  template <class View>
  static bool shift_of(const View& view) {
    if constexpr (requires { view.shift; })
      return view.shift.has_value();
    else
      return false;
  }
  bool suspicious(std::uint32_t n) const { return engine_.nexthop(NexthopId{n})->suspicious; }
  static IpAddress address(std::uint32_t n) {
    IpAddress a;
    a.bytes = {192, 0, 2, static_cast<std::uint8_t>(n)};
    return a;
  }

  NoisePlan plan_;
  std::mt19937_64 random_;
  Engine engine_;
  std::vector<Stream> streams_;
  std::vector<Spell> path_bursts_;
  Spell stall_;
  std::vector<std::pair<double, double>> flutter_;
  std::vector<PathState> states_;
  std::priority_queue<Due, std::vector<Due>, std::greater<>> queue_;
  std::priority_queue<Arrival, std::vector<Arrival>, std::greater<>> arrivals_;
  std::uint64_t order_ = 0;
  double now_ = 0;
  double decide_at_ = 0;
  std::uint64_t suspicious_seen_ = 0, shifted_seen_ = 0, seen_ = 0;
};

}  // namespace

NoiseReport play_noise(const NoisePlan& plan, double minutes, std::uint32_t seed) {
  Site site(plan, seed);
  site.run_until(minutes * 60);
  return site.report;
}

Detection detect(const NoisePlan& plan, const Fault& fault, double within, std::uint32_t seed) {
  Site site(plan, seed);
  const double start = 60 + 0.00137 * (seed % 1000);
  site.run_until(start);
  site.fault = fault;
  site.since = start;
  site.run_until(start + within);
  return site.detection;
}

}  // namespace hopwise::engine
