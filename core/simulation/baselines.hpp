// The laws that hopwise is compared with. Each has the parameters that its makers ship, and the
// same measurements; what they cannot do without and nobody told them (capacities) they get truly.
//
// | name        | law                                                                    |
// | ----------- | ---------------------------------------------------------------------- |
// | ecmp        | routing's own weights; a link without carrier gets nothing              |
// | static      | weights by capacity, likewise                                           |
// | greedy      | all to the lowest smoothed RTT, each second                             |
// | threshold   | weights by capacity; a path beyond 500 ms or 20 % loss, both over 60 s  |
// |             | (dpinger in pfSense: its defaults), is left for at least 30 s           |
// | hysteresis  | all to the best RTT; another must be 10 % better, 30 s after the last   |
// |             | change; 5 misses end it at once (FortiOS SD-WAN: link-cost-threshold 10,|
// |             | failtime 5; hold-down-time 30)                                          |
// | inverse_rtt | weights 1/RTT, each second                                              |
// | texcp       | Kandula, Katabi, Davie & Charny, "Walking the tightrope", SIGCOMM 2005: |
// |             | x_p += x_p (U - u_p), paths by 1/RTT^3, utilisation of our own load     |
#pragma once

#include <deque>
#include <map>
#include <optional>

#include "core/simulation/controller.hpp"

namespace hopwise::simulation {

/// What every prober of the field keeps of a nexthop.
class Watched {
 public:
  void observe(const Sample& sample);

  /// Smoothed as TCP does (RFC 6298: 1/8); empty before the first reply.
  [[nodiscard]] std::optional<double> rtt_ms() const { return rtt_ms_; }
  [[nodiscard]] std::uint32_t missed() const { return missed_; }      // in a row
  [[nodiscard]] std::uint32_t answered() const { return answered_; }  // in a row
  /// Over the last minute.
  [[nodiscard]] double mean_rtt_ms(TimePoint now);
  [[nodiscard]] double loss(TimePoint now);

  bool carrier = true;
  std::optional<double> load_bit_s{};

 private:
  struct Probe {
    TimePoint known{};
    double rtt_ms = 0;  // 0: lost
  };
  void forget(TimePoint now);

  std::optional<double> rtt_ms_;
  std::uint32_t missed_ = 0;
  std::uint32_t answered_ = 0;
  std::deque<Probe> minute_;
  double sum_ms_ = 0;
  std::uint32_t lost_ = 0;
};

/// Keeps the measurements; a law makes weights of them, once a second.
class Baseline : public Controller {
 public:
  explicit Baseline(const Router& router);

  using Controller::observe;

  void observe(const Sample& sample) override { watched_[raw(sample.nexthop)].observe(sample); }
  void observe(const NexthopEvent& event) override;
  void observe(const LoadReading& reading) override {
    watched_[raw(reading.nexthop)].load_bit_s = reading.forward_bit_s;
  }
  void decide(TimePoint now) override;
  [[nodiscard]] const Steering& steering(std::size_t group) const override {
    return steering_.at(group);
  }

 protected:
  /// One path of the group under consideration.
  struct Candidate {
    Watched* watched = nullptr;
    double routing = 0;
    double capacity_bit_s = 0;
    double weight = 0;  // in: as it is now; out: as it shall be, in any unit
    bool dead = false;  // out: flows may not stay
  };
  /// Called each second, and at once when a carrier comes or goes.
  virtual void weigh(std::size_t group, std::vector<Candidate>& paths, TimePoint now) = 0;

 private:
  void weigh_group(std::size_t group, TimePoint now);

  Router router_;
  std::map<std::uint32_t, Watched> watched_;  // by nexthop id
  std::vector<Steering> steering_;
  std::optional<TimePoint> weighed_;
  bool carrier_changed_ = false;
};

/// Empty for an unknown name.
std::unique_ptr<Controller> make_baseline(std::string_view name, const Router& router);

}  // namespace hopwise::simulation
