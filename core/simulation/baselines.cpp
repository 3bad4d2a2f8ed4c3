#include "core/simulation/baselines.hpp"

#include <algorithm>
#include <cmath>
#include <numeric>

namespace hopwise::simulation {
namespace {

constexpr Duration kSecond = std::chrono::seconds(1);
constexpr Duration kMinute = std::chrono::minutes(1);
constexpr std::uint32_t kDeadMisses = 5;

bool is_silent(const Watched& w) {
  return w.missed() >= kDeadMisses;
}

class Ecmp : public Baseline {
 public:
  using Baseline::Baseline;

 private:
  void weigh(std::size_t /*group*/, std::vector<Candidate>& paths, TimePoint /*now*/) override {
    for (Candidate& path : paths) path.weight = path.routing;
  }
};

class Static : public Baseline {
 public:
  using Baseline::Baseline;

 private:
  void weigh(std::size_t /*group*/, std::vector<Candidate>& paths, TimePoint /*now*/) override {
    for (Candidate& path : paths) path.weight = path.capacity_bit_s;
  }
};

class Greedy : public Baseline {
 public:
  using Baseline::Baseline;

 private:
  void weigh(std::size_t /*group*/, std::vector<Candidate>& paths, TimePoint /*now*/) override {
    Candidate* best = nullptr;
    for (Candidate& path : paths) {
      const auto rtt = path.watched->rtt_ms();
      path.dead = is_silent(*path.watched);
      if (!path.watched->carrier || path.dead || !rtt) continue;
      if (!best || *rtt < *best->watched->rtt_ms()) best = &path;
    }
    if (!best) return;
    for (Candidate& path : paths) path.weight = &path == best ? 1 : 0;
  }
};

class InverseRtt : public Baseline {
 public:
  using Baseline::Baseline;

 private:
  void weigh(std::size_t /*group*/, std::vector<Candidate>& paths, TimePoint /*now*/) override {
    for (Candidate& path : paths) {
      path.dead = is_silent(*path.watched);
      const auto rtt = path.watched->rtt_ms();
      path.weight = path.dead || !rtt ? 0 : 1 / std::max(*rtt, 0.1);
    }
  }
};

class Threshold : public Baseline {
 public:
  using Baseline::Baseline;

 private:
  static constexpr double kHighMs = 500;
  static constexpr double kHighLoss = 0.2;
  static constexpr Duration kHoldDown = std::chrono::seconds(30);

  void weigh(std::size_t group, std::vector<Candidate>& paths, TimePoint now) override {
    for (std::size_t i = 0; i < paths.size(); ++i) {
      Candidate& path = paths[i];
      auto& left = left_[{group, i}];
      if (path.watched->loss(now) > kHighLoss || path.watched->mean_rtt_ms(now) > kHighMs)
        left = now;
      path.dead = left && now - *left < kHoldDown;
      path.weight = path.dead ? 0 : path.capacity_bit_s;
    }
  }

  std::map<std::pair<std::size_t, std::size_t>, std::optional<TimePoint>> left_;
};

class Hysteresis : public Baseline {
 public:
  using Baseline::Baseline;

 private:
  static constexpr double kBetter = 0.1;
  static constexpr Duration kHold = std::chrono::seconds(30);
  struct Choice {
    std::size_t path = 0;
    std::optional<TimePoint> since{};
  };

  void weigh(std::size_t group, std::vector<Candidate>& paths, TimePoint now) override {
    std::optional<std::size_t> best;
    for (std::size_t i = 0; i < paths.size(); ++i) {
      Candidate& path = paths[i];
      path.dead = is_silent(*path.watched);
      const auto rtt = path.watched->rtt_ms();
      if (!path.watched->carrier || path.dead || !rtt) continue;
      if (!best || *rtt < *paths[*best].watched->rtt_ms()) best = i;
    }
    if (!best) return;
    Choice& choice = choices_[group];
    const Candidate& present = paths[choice.path];
    const bool usable = present.watched->carrier && !present.dead && present.watched->rtt_ms();
    const bool better =
        usable && *paths[*best].watched->rtt_ms() < (1 - kBetter) * *present.watched->rtt_ms();
    const bool held = choice.since && now - *choice.since < kHold;
    if (!choice.since || !usable || (better && !held)) {
      if (!choice.since || choice.path != *best) choice.since = now;
      choice.path = *best;
    }
    for (std::size_t i = 0; i < paths.size(); ++i) paths[i].weight = i == choice.path ? 1 : 0;
  }

  std::map<std::size_t, Choice> choices_;
};

// Without the paper's explicit feedback from the links: utilisation is what the router itself
// sends.
class Texcp : public Baseline {
 public:
  using Baseline::Baseline;

 private:
  static constexpr double kLeast = 1e-3;  // the paper's epsilon: an idle path stays in play

  static double utilisation(const Candidate& path) {
    return path.watched->load_bit_s.value_or(0) / path.capacity_bit_s;
  }

  void weigh(std::size_t group, std::vector<Candidate>& paths, TimePoint /*now*/) override {
    auto& shares = shares_[group];
    if (shares.empty())
      for (const Candidate& path : paths) shares.push_back(path.capacity_bit_s);
    double all = 0;
    for (std::size_t i = 0; i < paths.size(); ++i) {
      paths[i].dead = is_silent(*paths[i].watched);
      if (paths[i].dead || !paths[i].watched->carrier) shares[i] = 0;
      all += shares[i];
    }
    if (all <= 0) shares.assign(shares.size(), all = 1);
    for (double& share : shares) share /= all;
    double mean = 0;
    double steepest = 0;
    for (std::size_t i = 0; i < paths.size(); ++i) {
      mean += shares[i] * utilisation(paths[i]);
      steepest = std::max(steepest, steep(paths[i]));
    }
    for (std::size_t i = 0; i < paths.size(); ++i) {
      if (paths[i].dead || !paths[i].watched->carrier) continue;
      const double favour = steepest > 0 ? steep(paths[i]) / steepest : 1;
      const double spare = mean - utilisation(paths[i]);
      shares[i] += (shares[i] + kLeast) * spare * (spare > 0 ? favour : 1);
      shares[i] = std::max(shares[i], kLeast);
    }
    for (std::size_t i = 0; i < paths.size(); ++i) paths[i].weight = shares[i];
  }
  static double steep(const Candidate& path) {
    return path.watched->rtt_ms() ? std::pow(std::max(*path.watched->rtt_ms(), 0.1), -3) : 0;
  }

  std::map<std::size_t, std::vector<double>> shares_;
};

}  // namespace

void Watched::observe(const Sample& sample) {
  const double rtt = milliseconds(sample.rtt);
  if (sample.outcome == Outcome::lost) {
    ++missed_;
    answered_ = 0;
    minute_.push_back({sample.known, 0});
    ++lost_;
    return;
  }
  if (sample.outcome == Outcome::late) return;  // these tools count it as lost
  missed_ = 0;
  ++answered_;
  rtt_ms_ = rtt_ms_ ? 0.875 * *rtt_ms_ + 0.125 * rtt : rtt;
  minute_.push_back({sample.known, rtt});
  sum_ms_ += rtt;
}

void Watched::forget(TimePoint now) {
  for (; !minute_.empty() && now - minute_.front().known > kMinute; minute_.pop_front()) {
    sum_ms_ -= minute_.front().rtt_ms;
    lost_ -= minute_.front().rtt_ms == 0;
  }
}

double Watched::mean_rtt_ms(TimePoint now) {
  forget(now);
  const std::size_t heard = minute_.size() - lost_;
  return heard > 0 ? sum_ms_ / static_cast<double>(heard) : 0;
}

double Watched::loss(TimePoint now) {
  forget(now);
  return minute_.empty() ? 0 : static_cast<double>(lost_) / static_cast<double>(minute_.size());
}

Baseline::Baseline(const Router& router) : router_(router) {
  for (const auto& of : router_.groups) {
    Steering& steering = steering_.emplace_back();
    for (const Path& path : of.group.paths) steering.weights.push_back(path.kernel_weight);
    steering.usable.assign(of.group.paths.size(), 1);
  }
}

void Baseline::observe(const NexthopEvent& event) {
  watched_[raw(event.nexthop)].carrier =
      event.link_up && event.neighbour_resolved && !event.bfd_down;
  carrier_changed_ = true;
}

void Baseline::decide(TimePoint now) {
  if (weighed_ && now - *weighed_ < kSecond && !carrier_changed_) return;
  weighed_ = now;
  carrier_changed_ = false;
  for (std::size_t g = 0; g < steering_.size(); ++g) weigh_group(g, now);
}

void Baseline::weigh_group(std::size_t group, TimePoint now) {
  const auto& paths = router_.groups[group].group.paths;
  Steering& steering = steering_[group];
  std::vector<Candidate> candidates;
  for (std::size_t i = 0; i < paths.size(); ++i) {
    const auto told =
        std::find_if(router_.nexthops.begin(), router_.nexthops.end(),
                     [&](const Router::OfNexthop& n) { return n.id == paths[i].nexthop; });
    candidates.push_back({&watched_[raw(paths[i].nexthop)],
                          static_cast<double>(paths[i].kernel_weight), told->capacity_bit_s(),
                          steering.weights[i]});
  }
  weigh(group, candidates, now);
  double all = 0;
  for (Candidate& c : candidates) {
    c.dead = c.dead || !c.watched->carrier;
    if (c.dead) c.weight = 0;
    all += c.weight;
  }
  for (std::size_t i = 0; i < candidates.size(); ++i) {
    // All that are dead by probes alone stay as they were: somebody must carry the traffic.
    if (all > 0) steering.weights[i] = candidates[i].weight / all;
    steering.usable[i] = all > 0 ? !candidates[i].dead : candidates[i].watched->carrier;
    if (all <= 0 && !candidates[i].watched->carrier) steering.weights[i] = 0;
  }
}

std::unique_ptr<Controller> make_baseline(std::string_view name, const Router& router) {
  if (name == "ecmp") return std::make_unique<Ecmp>(router);
  if (name == "static") return std::make_unique<Static>(router);
  if (name == "greedy") return std::make_unique<Greedy>(router);
  if (name == "threshold") return std::make_unique<Threshold>(router);
  if (name == "hysteresis") return std::make_unique<Hysteresis>(router);
  if (name == "inverse_rtt") return std::make_unique<InverseRtt>(router);
  if (name == "texcp") return std::make_unique<Texcp>(router);
  return nullptr;
}

}  // namespace hopwise::simulation
