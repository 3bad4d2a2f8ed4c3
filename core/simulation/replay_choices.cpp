#include "core/simulation/replay_choices.hpp"

#include <algorithm>
#include <cmath>
#include <numeric>

namespace hopwise::simulation {
namespace {

constexpr double kFull = 0.9;  // of the capacity: beyond, delay grows with load

}  // namespace

void SecondsOfNexthop::observe(const Sample& sample) {
  Tally& tally = tallies_[sample.anchor];
  if (sample.outcome == hopwise::Outcome::lost) {
    ++tally.lost;
    return;
  }
  if (sample.outcome == hopwise::Outcome::late) --tally.lost;  // it was counted before
  tally.sum_ms += milliseconds(sample.rtt);
  ++tally.replies;
}

SecondOf SecondsOfNexthop::close(const std::vector<Anchor>& anchors) {
  const bool some =
      std::ranges::any_of(anchors, [&](const Anchor& a) { return tallies_.contains(a); });
  double sum_ms = 0;
  int answering = 0, asked = 0, lost = 0;
  for (const auto& [anchor, tally] : tallies_) {
    if (some && std::ranges::find(anchors, anchor) == anchors.end()) continue;
    asked += tally.replies + std::max(tally.lost, 0);
    lost += std::max(tally.lost, 0);
    if (tally.replies == 0) continue;
    sum_ms += tally.sum_ms / tally.replies;
    ++answering;
  }
  tallies_.clear();
  age_ = asked > 0 ? 0 : age_ + 1;
  SecondOf second = age_ > kRemembered ? SecondOf{} : last_;
  if (answering > 0) second.rtt_ms = sum_ms / answering;
  if (asked > 0) second.loss = static_cast<double>(lost) / asked;
  second.load_bit_s = load_bit_s_;
  last_ = second;
  return second;
}

void Choices::Sums::add(double by, double loss, double arrived_share, double ms) {
  weight += by;
  lost += by * loss;
  arrived += by * arrived_share;
  arrived_ms += by * ms;
}

void Choices::add(std::size_t choice, const Second& second, const std::vector<double>& shares) {
  if (choices_.size() <= choice) choices_.resize(choice + 1);
  OfChoice& of = choices_[choice];
  of.shares.resize(shares.size());
  const double demand =
      std::accumulate(second.carried_bit_s.begin(), second.carried_bit_s.end(), 0.0);
  double loss = 0, arrived = 0, arrived_ms = 0;
  bool overloaded = false;
  for (std::size_t i = 0; i < shares.size(); ++i) {
    const SecondOf& path = second.paths[i];
    of.shares[i] += shares[i];
    if (shares[i] <= 0) continue;
    // A path that nothing is known of carries, as far as is known, what it is given.
    loss += shares[i] * path.loss;
    if (!std::isnan(path.rtt_ms)) {
      arrived += shares[i] * (1 - path.loss);
      arrived_ms += shares[i] * (1 - path.loss) * path.rtt_ms;
    }
    const double carried = second.carried_bit_s[i];
    const double others =
        std::isnan(path.load_bit_s) ? 0 : std::max(path.load_bit_s - carried, 0.0);
    if (others + shares[i] * demand > kFull * path.capacity_bit_s) overloaded = true;
  }
  // What the choice sends nowhere is lost.
  loss += std::max(0.0, 1 - std::accumulate(shares.begin(), shares.end(), 0.0));
  of.by_time.add(1, loss, arrived, arrived_ms);
  of.by_traffic.add(demand, loss, arrived, arrived_ms);
  if (overloaded) ++of.overloaded_s;
}

// All to the path that was fastest in the second before, of those that answered.
std::vector<double> Choices::greedy(const Second& second) {
  std::vector<double> shares(second.paths.size(), 0);
  if (before_.size() != second.paths.size()) before_ = second.paths;
  std::size_t best = 0;
  const auto cost = [&](std::size_t i) {
    const SecondOf& path = before_[i];
    return std::isnan(path.rtt_ms) || path.loss >= 1 ? std::numeric_limits<double>::infinity()
                                                     : path.rtt_ms;
  };
  for (std::size_t i = 1; i < shares.size(); ++i)
    if (cost(i) < cost(best)) best = i;
  shares[best] = 1;
  before_ = second.paths;
  return shares;
}

void Choices::add(const Second& second) {
  if (second.paths.empty()) return;
  ++seconds_;
  demand_ += std::accumulate(second.carried_bit_s.begin(), second.carried_bit_s.end(), 0.0);
  std::size_t choice = 0;
  for (const auto& shares : {second.done, second.would, second.kernel, greedy(second)})
    add(choice++, second, shares);
  for (std::size_t i = 0; i < second.paths.size(); ++i) {
    std::vector<double> only(second.paths.size(), 0);
    only[i] = 1;
    add(choice++, second, only);
  }
}

std::vector<Choice> Choices::conclude(const std::vector<std::string>& names) const {
  std::vector<std::string> called{"done", "hopwise", "ecmp", "greedy"};
  for (const std::string& name : names) called.push_back("only " + name);
  std::vector<Choice> all;
  for (const OfChoice& of : choices_) {
    const Sums& sums = by_traffic() ? of.by_traffic : of.by_time;
    Choice choice{called.at(all.size()),
                  {},
                  sums.weight > 0 ? sums.lost / sums.weight : 0,
                  of.shares,
                  of.overloaded_s};
    if (sums.arrived > 0) choice.mean_ms = sums.arrived_ms / sums.arrived;
    for (double& share : choice.shares) share /= seconds_;
    all.push_back(std::move(choice));
  }
  return all;
}

}  // namespace hopwise::simulation
