#include "core/daemon/promotion.hpp"

#include <algorithm>
#include <tuple>

namespace hopwise {
namespace {

bool is_strong(const Promotion::Candidate& candidate, const Promotion::Terms& terms) {
  return candidate.share >= terms.min_share && candidate.share_most <= 1 - terms.min_share &&
         candidate.bit_s >= Promotion::kLeastBitRate;
}

}  // namespace

Promotion::Changes Promotion::look(std::span<const Candidate> heaviest, const Terms& terms,
                                   TimePoint now) {
  weigh(heaviest, terms);
  Changes changes;
  changes.demote = to_demote(terms, now);
  changes.promote = to_promote(heaviest, terms);
  return changes;
}

// What has no counter any more has next to nothing.
void Promotion::weigh(std::span<const Candidate> heaviest, const Terms& terms) {
  for (auto& [prefix, life] : promoted_) {
    ++life.weak_looks;
    life.share = 0;
  }
  for (std::size_t rank = 0; rank < heaviest.size(); ++rank) {
    const auto known = promoted_.find(heaviest[rank].prefix);
    if (known == promoted_.end()) continue;
    known->second.share = heaviest[rank].share_most;
    if (heaviest[rank].share_most >= terms.min_share / 2 && rank < 2 * terms.count)
      known->second.weak_looks = 0;
  }
}

std::vector<Prefix> Promotion::to_promote(std::span<const Candidate> heaviest, const Terms& terms) {
  const std::size_t limit =
      terms.room <= 0 ? 0 : std::min(static_cast<std::size_t>(terms.room), kChangesPerLook);
  std::map<Prefix, int> strong;
  std::vector<Prefix> promote;
  for (const Candidate& candidate : heaviest.first(std::min(heaviest.size(), terms.count))) {
    if (promoted_.contains(candidate.prefix) || !is_strong(candidate, terms)) continue;
    const auto before = strong_looks_.find(candidate.prefix);
    const int looks = before == strong_looks_.end() ? 1 : before->second + 1;
    strong[candidate.prefix] = looks;
    if (looks >= kLooksToPromote && promote.size() < limit &&
        promoted_.size() + promote.size() < terms.count)
      promote.push_back(candidate.prefix);
  }
  strong_looks_ = std::move(strong);
  return promote;
}

std::vector<Prefix> Promotion::to_demote(const Terms& terms, TimePoint now) const {
  const std::size_t over = promoted_.size() > terms.count ? promoted_.size() - terms.count : 0;
  const std::size_t excess =
      std::max(over, terms.room < 0 ? static_cast<std::size_t>(-terms.room) : 0);
  using Light = std::tuple<double, Prefix>;
  std::vector<Light> lightest;
  for (const auto& [prefix, life] : promoted_) lightest.emplace_back(life.share, prefix);
  std::sort(lightest.begin(), lightest.end());

  std::vector<Prefix> demote;
  for (const auto& [share, prefix] : lightest) {
    const Life& life = promoted_.at(prefix);
    const bool weak = life.weak_looks >= kLooksToDemote && now - life.since >= kShortestLife;
    if (demote.size() < kChangesPerLook && (weak || demote.size() < excess))
      demote.push_back(prefix);
  }
  return demote;
}

std::vector<Prefix> Promotion::all() const {
  std::vector<Prefix> prefixes;
  for (const auto& [prefix, life] : promoted_) prefixes.push_back(prefix);
  return prefixes;
}

void Promotion::begun(const Prefix& prefix, TimePoint now) {
  strong_looks_.erase(prefix);
  promoted_[prefix] = {.since = now};
}

void Promotion::ended(const Prefix& prefix) {
  promoted_.erase(prefix);
}

}  // namespace hopwise
