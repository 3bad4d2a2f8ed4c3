// What one router measures of the plant: probes as probes/ sends them (slow, faster while something
// may be wrong, provisional losses and late replies), and each second what the interfaces' counters
// and the traffic itself tell. All of it may be stale.
#pragma once

#include <queue>
#include <vector>

#include "core/simulation/controller.hpp"

namespace hopwise::simulation {

/// Simulated seconds as the engine's time.
TimePoint at(double t_s);

class Sensors {
 public:
  /// Of the groups whose indices are given; `links`: those that they use.
  Sensors(const Measurement& measurement, std::vector<std::size_t> groups,
          const std::vector<std::size_t>& links, std::uint64_t seed, std::uint64_t stream);

  /// After a step of the plant: measures, and tells the controller what is known by now.
  void step(const Plant& plant, Controller& controller);

 private:
  struct Prober {
    std::size_t link = 0;
    double next_s = 0;
    double suspicious_until_s = -1;
    double srtt_ms = 0, rttvar_ms = 0;
    bool started = false;
    bool up = true;  // the carrier, as last told
  };
  struct Arrival {
    double known_s = 0;
    std::uint64_t order = 0;
    std::size_t prober = 0;
    Sample sample{};
    bool operator>(const Arrival& o) const {
      return known_s != o.known_s ? known_s > o.known_s : order > o.order;
    }
  };
  /// Of a step on one link; a path's steps count alike, those of control flows by their bits.
  struct Felt {
    float rtt_ms = 0;
    float weight = 1;
  };
  /// A second of one path, or of a group's control flows.
  struct Tally {
    double bits = 0;
    double lost_bits = 0;
    double jitter_ms = 0;
    std::vector<Felt> felt{};  // of each step
  };
  struct Second {
    double known_s = 0;
    std::vector<PathReading> paths{};
    std::vector<ControlReading> controls{};
    std::vector<LoadReading> loads{};
  };

  void watch_carrier(const Plant& plant, Controller& controller);
  void send(const Plant& plant, std::size_t prober, const Controller& controller);
  void arrive(const Arrival& arrival, Controller& controller);
  void count(const Plant& plant);
  void close_second(const Plant& plant);
  [[nodiscard]] PathTraffic traffic_of(const Tally& tally);
  [[nodiscard]] std::optional<PassiveRtt> rtt_of(Tally& tally);

  Measurement measurement_;
  std::vector<std::size_t> groups_;
  std::vector<Prober> probers_;
  std::vector<std::vector<Tally>> tallies_;  // by group and path; the control flows' is the last
  std::vector<double> load_bits_;            // by prober: of this router
  std::priority_queue<Arrival, std::vector<Arrival>, std::greater<>> arrivals_;
  std::queue<Second> seconds_;
  Random random_;
  Random means_;  // of passive times: apart, so that all else keeps its luck
  std::uint64_t order_ = 0;
  double second_s_ = 0;  // when the open one began
};

/// Ids in the order of groups, then of their paths.
PathId path_id(const Plant& plant, std::size_t group, std::size_t path);

}  // namespace hopwise::simulation
