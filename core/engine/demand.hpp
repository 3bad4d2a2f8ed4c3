// How much traffic a group has, where it is now, and where it will be once flows have followed the
// weights.
//
// Running flows stay where they began, so what a path carries lags behind its weight by the flows'
// lifetime. The target weights do not lag: a path is predicted to carry its share w.D of the
// demand. What it carries beyond that for long (elephants, uneven hashing, flows left to routing)
// is pinned to it, and found by a slow observer of the disturbance:
//   r = EWMA60(carried - wbar.D), predicted = max(0, w.D + r), the r of a group summing to 0,
// where wbar is the weight as the flows have followed it so far: low-passed by their lifetime, and
// by the 5 s over which what is carried is averaged. The lifetime is learnt: of six candidates from
// 2 to 64 s the one whose wbar has best told, while weights moved, where the traffic was.
// A path that may carry nothing loses its flows at once: then all weights count as followed.
#pragma once

#include <array>
#include <optional>
#include <span>
#include <vector>

#include "core/engine/average.hpp"
#include "core/model/reading.hpp"

namespace hopwise::engine {

class Demand {
 public:
  static constexpr double kLeast_bit_s = 1e4;  // with less, shares mean nothing

  /// Paths by their index in the group; those that stay keep what they have, `kept[i]` is the old
  /// index of the new path i, or -1.
  void set_paths(std::span<const int> kept);
  /// False: impossible, and ignored. `weight`: the path's share of the group's flows when the
  /// reading was taken, as installed: routing's own where nothing is steered.
  bool observe(std::size_t path, const PathReading& reading, double weight);
  /// What routing carries counts as carried by the paths in routing's own `shares`, which sum to 1,
  /// one a path. False: impossible, and ignored.
  bool observe(const ControlReading& reading, std::span<const double> shares);

  /// Bits a second of the whole group; empty until it is known, or when readings have ceased.
  [[nodiscard]] std::optional<double> total_bit_s(TimePoint now) const;
  /// What the path carries of it now, the control flows' part too.
  [[nodiscard]] double carried_bit_s(std::size_t path) const;
  /// What it would carry in the end with this share of `scale` times the demand of now; of what is
  /// pinned twice as much at the most. 0 while the demand is not known.
  [[nodiscard]] double predicted_bit_s(std::size_t path, double weight, double scale = 1) const;
  /// Of that, what no weight moves; negative where it is pinned to the others.
  [[nodiscard]] double pinned_bit_s(std::size_t path) const;
  /// The flows' lifetime as learnt: the lag between weights and traffic, in seconds.
  [[nodiscard]] double lifetime_s() const { return kLifetimes_s[lifetime_]; }
  /// So much the demand strays from what was planned; once a second.
  void missed(double bit_s);
  /// There is nothing to plan: what it strayed by says nothing of the next time.
  void unplanned() { missed_ = planned_ = 0; }
  /// Of what a path with this share will carry, (bit/s)^2: by the chance of flows, and by what the
  /// demand was seen to stray, which swings and elephants make more than chance.
  [[nodiscard]] double variance(double share) const;
  /// The rate of one flow, as large as its noise makes it look: what independent flows of this rate
  /// carry has the variance rate x load (Poisson). 0 while nothing is known.
  [[nodiscard]] double flow_bit_s() const {
    return shared_ > 0 ? kUnaveraged * noise_ / shared_ : 0;
  }

 private:
  static constexpr std::array kLifetimes_s{2.0, 4.0, 8.0, 16.0, 32.0, 64.0};
  static constexpr double kUnaveraged = 1.5;  // readings are averaged over half a lifetime
  static constexpr std::size_t kCandidates = kLifetimes_s.size();
  /// A weight on its way through the flows and through the average.
  struct Followed {
    double flows = 0;
    double averaged = 0;
  };
  struct OfPath {
    Average carried{};
    std::array<Followed, kCandidates> followed{};
    double routing = 0;  // its share of the control flows
    double pinned_bit_s = 0;
    std::uint64_t seen = 0;
  };
  /// Of one gap between readings: exp() is dear, and the gap nearly always the same.
  struct Alphas {
    Duration gap{};
    std::array<double, kCandidates> flows{};
    double averaged = 0;
    double pinned = 0;
    double judged = 0;
  };

  void follow(OfPath& path, double weight, TimePoint at);
  void judge(const OfPath& path, double carried_share);
  void note_chance(const OfPath& path, double beyond, double demand, TimePoint at);
  void set_alphas(Duration gap);
  [[nodiscard]] double sum_bit_s() const;

  std::vector<OfPath> paths_;
  Average control_;
  std::optional<TimePoint> newest_;
  std::optional<TimePoint> jumped_;  // some path lost its flows at once
  Alphas alphas_;
  std::array<double, kCandidates> error_{};  // mean square, of shares
  double noise_ = 0;   // mean square of what flows' chance puts on one path, (bit/s)^2
  double shared_ = 0;  // mean of w (1 - w) demand: that is flow_bit_s() times this
  double noted_ = 0;
  double missed_ = 0;  // mean square of what the demand strays from its plan, (bit/s)^2
  double planned_ = 0;
  double judged_ = 0;  // how much the candidates were told apart by
  std::size_t lifetime_ = 2;
};

}  // namespace hopwise::engine
