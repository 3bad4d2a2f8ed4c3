// Groups and links in a closed loop with a real engine, once a second and coarse, for properties
// that must hold over hundreds of random plants.
//
// A link is a fluid with a queue; groups' flows live `lifetime_s` and new ones follow the weights.
// The engine is told what a router would know: probes five times a second, each path's bytes and
// each interface's load once a second, capacities where they are told.
#pragma once

#include <random>
#include <vector>

#include "core/engine/engine.hpp"
#include "test/unit/engine/simulation.hpp"

namespace hopwise::engine {

struct LoopLink {
  double capacity = 1e9;  // bits a second
  double rtt_ms = 20;
  double buffer_ms = 100;
  double background = 0;         // bits a second, of others
  std::optional<double> told{};  // capacity as the engine is told it
  double jitter_ms = 0.3;
  double hidden = 0;  // of others, further on: no interface of ours carries it
  // As it runs:
  double load = 0;
  double queue_ms = 0;
  double loss = 0;
};

struct LoopGroup {
  std::vector<std::uint32_t> links{};  // from 0
  double demand = 0;
  double lifetime_s = 10;
  double noise = 0.01;  // deviation of the demand, correlated over 10 s
  GroupTerms terms{};
  // As it runs:
  std::vector<double> carried{};
  double wave = 0;
};

struct LoopOptions {
  double stale_s = 0;  // readings come so much later
  Options engine{};
  std::uint32_t seed = 1;
  bool traffic = true;  // readings of traffic are told
};

class Loop {
 public:
  Loop(std::vector<LoopLink> links, std::vector<LoopGroup> groups, const LoopOptions& options = {});
  void run(double s);
  /// Counts and means begin anew.
  void settle();
  [[nodiscard]] double mean_ms() const { return delay_ / arrived_; }
  [[nodiscard]] double loss() const { return 1 - arrived_ / offered_; }
  [[nodiscard]] double weight(std::uint32_t group, std::uint32_t path) const;
  /// Changes of direction of any path's weight since settle().
  [[nodiscard]] int reversals() const { return reversals_; }
  [[nodiscard]] int moves() const { return moves_; }
  /// Mean delay of the best split of a fluid, with no link fuller than `most`.
  [[nodiscard]] double oracle_ms(double most = 1) const;
  [[nodiscard]] std::string log() const;

  Engine engine;
  std::vector<LoopLink> links;
  std::vector<LoopGroup> groups;
  std::vector<Decision> decisions;

 private:
  void flow();
  void probe();
  void tell();
  double normal();

  LoopOptions options_;
  std::mt19937 random_;
  long tick_ = 0;  // of 100 ms
  double offered_ = 0, arrived_ = 0, delay_ = 0;
  int reversals_ = 0, moves_ = 0;
  std::vector<std::vector<double>> heading_;
};

}  // namespace hopwise::engine
