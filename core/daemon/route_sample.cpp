#include "core/daemon/route_sample.hpp"

namespace hopwise {
void RouteSample::walk(const Steering& steering, const routes::Follower& follower, Duration every,
                       TimePoint now) {
  if (!walking_) {
    if (!waiting_.empty() || (began_ && now - *began_ < every)) return;
    walking_ = true;
    began_ = now;
    sets_.clear();
  }
  const bool over = steering.visit_prefixes(after_, kSlice, [&](const Prefix& prefix) {
    const auto route = follower.find(prefix);
    if (!route || route->nexthops().empty()) return;  // the kernel's own
    if (sets_.size() >= kMostSets && !sets_.contains(route->set)) return;
    // Each prefix of a set with the same chance.
    Candidate& candidate = sets_[route->set];
    if (std::uniform_int_distribution<std::size_t>(0, candidate.seen++)(random_) == 0)
      candidate.prefix = prefix;
  });
  if (!over) return;
  walking_ = false;
  for (const auto& [set, candidate] : sets_) waiting_.push_back(candidate.prefix);
}

std::optional<Prefix> RouteSample::next() {
  if (waiting_.empty()) return std::nullopt;
  const Prefix prefix = waiting_.front();
  waiting_.pop_front();
  return prefix;
}

}  // namespace hopwise
