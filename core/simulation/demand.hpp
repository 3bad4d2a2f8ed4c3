// The traffic of one group: flows that come, stay on the path that the weights of their first
// moment gave them, and end.
//
// As flows: they arrive by Poisson's law, each has the same rate, and lives exponentially or by
// Pareto's law (elephants). At the start there are as many as there would be after a long time. As
// a fluid: d load = (w D - load) / lifetime, which is the flows' mean.
// A path that is no longer usable loses its flows to the others at once, by their weights.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "core/simulation/random.hpp"

namespace hopwise::simulation {

enum class Granularity : std::uint8_t { flows, fluid };
enum class Lifetimes : std::uint8_t { exponential, pareto };

struct DemandSpec {
  double mean_bit_s = 1e8;
  double lifetime_s = 10;   // mean
  double flow_bit_s = 1e6;  // of one flow: the larger, the burstier the whole
  Granularity granularity = Granularity::flows;
  Lifetimes lifetimes = Lifetimes::exponential;
  double shape = 1.5;  // of Pareto's law, > 1
  double swing = 0;    // part of the mean by which it rises and falls, 0..1
  double swing_period_s = 300;
  double control_share = 0;  // of the flows: these stay with routing's own weights, 0..1
};

/// What a path carries: `steered` and `control` flows, bits a second.
struct Carried {
  double steered_bit_s = 0;
  double control_bit_s = 0;

  [[nodiscard]] double total() const { return steered_bit_s + control_bit_s; }
};

class Demand {
 public:
  /// `routing`: routing's own weights, which the control flows follow, and all at the start.
  Demand(const DemandSpec& spec, std::span<const double> routing, std::uint64_t seed,
         std::uint64_t stream);

  void change(const DemandSpec& spec) { spec_ = spec; }
  /// Shares of the flows to come; all 0: they are refused. Flows on a path
  /// without `usable` move.
  void steer(std::span<const double> weights, std::span<const std::uint8_t> usable);
  void step(double t_s, double dt_s);

  [[nodiscard]] const DemandSpec& spec() const { return spec_; }
  [[nodiscard]] std::span<const Carried> carried() const { return carried_; }
  /// Bits of flows that found no path at all, since the beginning: of their whole lives.
  [[nodiscard]] double refused_bits() const { return refused_bits_; }
  [[nodiscard]] double mean_bit_s(double t_s) const;
  [[nodiscard]] std::uint64_t arrived() const { return arrived_; }
  [[nodiscard]] std::uint64_t ended() const { return ended_; }
  [[nodiscard]] std::uint64_t alive() const { return flows_.size(); }
  /// Bits that running flows, when they had to change their path, still had to carry.
  [[nodiscard]] double moved_bits() const { return moved_bits_; }

 private:
  struct Flow {
    double end_s = 0;
    double bit_s = 0;
    std::uint32_t path = 0;
    bool control = false;
    bool operator>(const Flow& o) const { return end_s > o.end_s; }
  };

  void begin(double now_s, double life_s);
  void settle();
  void flee();
  void flow_step(double t_s, double dt_s);
  void fluid_step(double t_s, double dt_s);
  void recount();
  [[nodiscard]] double lifetime();
  [[nodiscard]] double residual();
  static std::uint32_t pick(std::span<const double> weights, double u);

  DemandSpec spec_;
  std::vector<double> routing_;
  std::vector<double> weights_;
  std::vector<std::uint8_t> usable_;
  std::vector<Carried> carried_;
  std::vector<Flow> flows_;  // a heap: the first to end is in front
  Random arrivals_;
  Random choices_;
  Random lives_;
  double refused_bits_ = 0;
  double moved_bits_ = 0;
  double now_s_ = 0;
  std::uint64_t arrived_ = 0;
  std::uint64_t ended_ = 0;
};

}  // namespace hopwise::simulation
