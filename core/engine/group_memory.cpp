// What a group knows of its own past: the effects of its decisions, and what outlives a restart.
#include <algorithm>
#include <cmath>

#include "core/engine/group_law.hpp"

namespace hopwise::engine {
namespace {

constexpr std::size_t kMostEffects = 16;  // that nobody took

}  // namespace

// --- effects ----------------------------------------------------------------------------------

std::vector<PathFigures> GroupLaw::figures(TimePoint now) const {
  std::vector<PathFigures> all;
  all.reserve(shares_.size());
  for (std::size_t i = 0; i < shares_.size(); ++i) {
    const Share& s = shares_[i];
    const auto& reading = s.nexthop->reading();
    const CarrierView carrier = s.nexthop->carrier.view(now);
    PathFigures f{
        s.path.id,           s.weight,         s.evidence.passive_ms(now), carrier.load_bit_s,
        carrier.utilisation, s.nexthop->loss()};
    // What the traffic corrects is in the prediction, too.
    if (reading)
      f.rtt_ms = reading->recent_ms + (i < fused_.size() ? fused_[i].base_correction_ms : 0);
    all.push_back(f);
  }
  return all;
}

void GroupLaw::note(const Decision& decision) {
  if (Effects::notable(decision)) tell(followed_.note(decision, figures(decision.at)));
}

void GroupLaw::tell(std::optional<Effect> effect) {
  if (!effect) return;
  if (effects_.size() == kMostEffects) effects_.erase(effects_.begin());
  effects_.push_back(std::move(*effect));
}

// --- across restarts --------------------------------------------------------------------------

GroupMemory GroupLaw::memory(TimePoint now) const {
  GroupMemory memory;
  for (const Share& s : shares_) memory.shares.push_back({s.path.nexthop, s.wanted});
  proof_.remember(memory, now);
  return memory;
}

// Shares count before the first decision alone: later ones are fresher. Paths that were not known
// then have routing's own. A candidate's do not: it has to prove itself anew, or had buckets left.
void GroupLaw::recall(const GroupMemory& memory, TimePoint now) {
  proof_.recall(memory, now);
  const bool decided =
      std::any_of(shares_.begin(), shares_.end(), [](const Share& s) { return s.weight > 0; });
  if (decided || epoch_) return;
  double lent = 0;    // to candidates, with buckets
  double known = 0;   // of routing's shares
  double wanted = 0;  // by those
  std::vector<double> recalled(shares_.size(), -1);
  for (std::size_t i = 0; i < shares_.size(); ++i)
    for (const GroupMemory::Share& m : memory.shares)
      if (m.nexthop == shares_[i].path.nexthop && std::isfinite(m.wanted) && m.wanted >= 0 &&
          m.wanted <= 1)
        recalled[i] = std::max(m.wanted, kTiny);
  for (std::size_t i = 0; i < shares_.size(); ++i) {
    if (shares_[i].candidate()) lent += shares_[i].wanted;
    if (recalled[i] < 0 || shares_[i].candidate()) continue;
    known += shares_[i].kernel;
    wanted += recalled[i];
  }
  for (std::size_t i = 0; i < shares_.size() && wanted > 0; ++i) {
    if (shares_[i].candidate()) continue;
    shares_[i].wanted = recalled[i] < 0 ? shares_[i].kernel : recalled[i] / wanted * known;
    shares_[i].wanted *= 1 - lent;
  }
  // A revert that still runs was told then.
  reverted_ = (!terms_ || terms_->revert) && proof_.reverted(now);
  if (reverted_) follow_routing();
}

}  // namespace hopwise::engine
