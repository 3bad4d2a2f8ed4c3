// What ways to share a group's traffic would have meant, second by second. Private to replay.cpp.
#pragma once

#include <limits>
#include <map>
#include <string>
#include <vector>

#include "core/simulation/replay.hpp"

namespace hopwise::simulation {

/// A nexthop in one second, by its samples.
struct SecondOf {
  double rtt_ms = std::numeric_limits<double>::quiet_NaN();  // mean over the anchors; NaN: unknown
  double loss = 0;
  double load_bit_s = std::numeric_limits<double>::quiet_NaN();  // of all who use it
  double capacity_bit_s = std::numeric_limits<double>::infinity();
};

/// Collects a nexthop's samples, and closes them into seconds.
class SecondsOfNexthop {
 public:
  void observe(const Sample& sample);
  void observe(const LoadReading& reading) { load_bit_s_ = reading.forward_bit_s; }
  /// By `anchors` alone, or by all where none of them was asked. What was not measured in this
  /// second is as in the last ten.
  SecondOf close(const std::vector<Anchor>& anchors);

 private:
  struct Tally {
    double sum_ms = 0;
    int replies = 0, lost = 0;
  };
  static constexpr int kRemembered = 10;  // seconds
  std::map<Anchor, Tally> tallies_;
  SecondOf last_;
  int age_ = 0;
  double load_bit_s_ = std::numeric_limits<double>::quiet_NaN();
};

/// The choices of one group over its time.
class Choices {
 public:
  struct Second {
    std::vector<SecondOf> paths{};
    std::vector<double> carried_bit_s{};  // of this group's traffic, on each path
    std::vector<double> done{}, would{}, kernel{};
  };
  void add(const Second& second);
  /// `names` of the group's paths.
  [[nodiscard]] std::vector<Choice> conclude(const std::vector<std::string>& names) const;
  [[nodiscard]] bool by_traffic() const { return demand_ > 0; }
  [[nodiscard]] double seconds() const { return seconds_; }

 private:
  struct Sums {
    double weight = 0, arrived = 0, arrived_ms = 0, lost = 0;
    void add(double by, double loss, double arrived_share, double ms);
  };
  struct OfChoice {
    Sums by_time, by_traffic;
    std::vector<double> shares;
    double overloaded_s = 0;
  };
  void add(std::size_t choice, const Second& second, const std::vector<double>& shares);
  [[nodiscard]] std::vector<double> greedy(const Second& second);

  std::vector<OfChoice> choices_;
  std::vector<SecondOf> before_;  // greedy knows the second before alone
  double seconds_ = 0;
  double demand_ = 0;  // sum over the seconds
};

}  // namespace hopwise::simulation
