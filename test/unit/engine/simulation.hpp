// Simulated paths and probers around a real engine, for tests on simulated time.
//
// Each path has a delay, jitter, loss and spikes that a test changes while it runs. The prober
// behaves as probes/ does: 5 probes a second, 20 while suspicious (a loss, a step, or the engine's
// word), a provisional loss at max(100 ms, 2 srtt, srtt + 4 rttvar), and late replies. decide() is
// called each 100 ms; every decision is checked against the engine's promises and kept.
#pragma once

#include <functional>
#include <queue>
#include <random>
#include <set>

#include "core/engine/engine.hpp"

namespace hopwise::engine {

inline TimePoint at(double s) {
  return TimePoint{} + std::chrono::hours(1) +
         std::chrono::duration_cast<Duration>(std::chrono::duration<double>(s));
}
inline Duration ms(double x) {
  return std::chrono::duration_cast<Duration>(std::chrono::duration<double, std::milli>(x));
}
inline IpAddress anchor_address(std::uint32_t n) {
  IpAddress a;
  a.bytes = {192, 0, 2, static_cast<std::uint8_t>(n)};
  return a;
}

struct SimulatedPath {
  double rtt_ms = 20;
  double jitter_ms = 0.5;  // exponential, added
  double loss = 0;
  double spike = 0;  // probability of one reply +200 ms
  std::uint32_t kernel_weight = 1;
  std::function<double(double)> drift{};  // added to rtt_ms, by the time in seconds
};

class Simulation {
 public:
  explicit Simulation(const std::vector<SimulatedPath>& paths, std::uint32_t seed = 1,
                      const Options& options = {});

  /// Runs until `s` seconds of simulated time.
  void run_until(double s);
  [[nodiscard]] double now_s() const { return now_; }

  SimulatedPath& path(std::uint32_t n) { return paths_[n - 1]; }  // from 1, as nexthop ids
  void link(std::uint32_t n, bool up);
  void neighbour(std::uint32_t n, bool resolved);
  [[nodiscard]] double weight(std::uint32_t n) const;
  [[nodiscard]] bool usable(std::uint32_t n) const;
  [[nodiscard]] PathState state(std::uint32_t n) const;

  /// When a path's weight first fell to `limit` or below, or rose to it, at or after `since`.
  [[nodiscard]] std::optional<double> fell(std::uint32_t n, double limit, double since) const;
  [[nodiscard]] std::optional<double> rose(std::uint32_t n, double limit, double since) const;
  [[nodiscard]] int count(Reason reason, double since = 0) const;
  /// How often a path's weight changed direction.
  [[nodiscard]] int reversals(std::uint32_t n, double since = 0) const;
  [[nodiscard]] std::string log() const;

  Engine engine;
  std::vector<Decision> decisions;
  bool probing = true;  // false: the prober is dead

 private:
  struct Probe {
    double next_s = 0;
    double suspicious_until = -1;
    double srtt = 0, rttvar = 0;
    bool started = false;
  };
  struct Arrival {
    double known_s;
    std::uint64_t order;
    Sample sample;
    bool operator>(const Arrival& o) const {
      return std::tie(known_s, order) > std::tie(o.known_s, o.order);
    }
  };

  void send(std::uint32_t n);
  void arrive(const Arrival& arrival);
  void check(const Decision& decision) const;
  double uniform() { return static_cast<double>(random_() >> 11) * 0x1p-53; }

  std::vector<SimulatedPath> paths_;
  std::vector<Probe> probes_;
  std::vector<NexthopEvent> events_;
  std::priority_queue<Arrival, std::vector<Arrival>, std::greater<>> arrivals_;
  std::mt19937_64 random_;
  std::uint64_t order_ = 0;
  double now_ = 0;
  double next_decide_ = 0;
  double floor_;
};

}  // namespace hopwise::engine
