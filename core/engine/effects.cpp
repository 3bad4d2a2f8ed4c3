#include "core/engine/effects.hpp"

#include <algorithm>
#include <cmath>

namespace hopwise::engine {
namespace {

constexpr double kNotable = 0.01;  // of the traffic
constexpr double kTimed = 0.9;     // of the weight
constexpr Duration kFollowed = std::chrono::seconds(30);
constexpr Duration kSoonest = std::chrono::seconds(5);

std::optional<double> sane(std::optional<double> x) {
  return x && std::isfinite(*x) && *x >= 0 ? x : std::nullopt;
}

}  // namespace

std::optional<double> mean_rtt_ms(std::span<const PathFigures> paths) {
  double sum = 0;
  double timed = 0;
  double all = 0;
  for (const PathFigures& p : paths) {
    const double weight = sane(p.weight).value_or(0);
    all += weight;
    if (const auto rtt_ms = sane(p.rtt_ms)) {
      sum += weight * *rtt_ms;
      timed += weight;
    }
  }
  if (timed <= 0 || timed < kTimed * all) return std::nullopt;
  return sum / timed;
}

bool Effects::notable(const Decision& decision) {
  double moved = 0;
  for (const PathShare& p : decision.paths) moved += std::max(p.after - p.before, 0.0);
  return moved > kNotable;
}

std::optional<Effect> Effects::note(const Decision& decision,
                                    std::span<const PathFigures> figures) {
  if (!notable(decision)) return std::nullopt;
  std::optional<Effect> former;
  if (kept_ && decision.at - kept_->at >= kSoonest) former = effect(decision.at, figures);
  std::vector<PathFigures> before(figures.begin(), figures.end());
  for (PathFigures& f : before)
    for (const PathShare& p : decision.paths)
      if (p.path == f.path) f.weight = p.before;
  kept_ = {decision.id, decision.group, decision.at, mean_rtt_ms(before)};
  predicted_.clear();
  for (const PathShare& p : decision.paths)
    predicted_.push_back({p.path, p.nexthop, p.predicted, {}, 0});
  return former;
}

bool Effects::due(TimePoint now) const {
  return kept_ && now - kept_->at >= kFollowed;
}

std::optional<Effect> Effects::advance(TimePoint now, std::span<const PathFigures> figures) {
  if (!due(now)) return std::nullopt;
  Effect e = effect(now, figures);
  kept_.reset();
  return e;
}

Effect Effects::effect(TimePoint now, std::span<const PathFigures> figures) const {
  Effect e{kept_->decision, kept_->group, now, kept_->before_ms, mean_rtt_ms(figures), {}};
  for (Effect::OfPath path : predicted_) {
    const auto now_of = std::find_if(figures.begin(), figures.end(),
                                     [&](const PathFigures& f) { return f.path == path.path; });
    if (now_of == figures.end()) continue;
    path.realised = {sane(now_of->rtt_ms), sane(now_of->bit_s), sane(now_of->utilisation)};
    path.loss = std::min(sane(now_of->loss).value_or(0), 1.0);
    e.paths.push_back(path);
  }
  return e;
}

}  // namespace hopwise::engine
