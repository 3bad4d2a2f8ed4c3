#include "core/daemon/candidates.hpp"

#include <algorithm>

namespace hopwise {

using routes::OfferVerdict;

Candidates::Candidates(Parts parts, routes::OfferRules rules)
    : parts_(std::move(parts)), rules_(std::move(rules)) {}

void Candidates::on_route(const routes::Route& route) {
  parts_.route(offered(route));
}

void Candidates::on_withdrawn(const Prefix& prefix) {
  forget(prefix);
  kept_.erase(prefix);
  parts_.withdrawn(prefix);
}

// A full table brings a million of these, most of them about prefixes without candidates: Steering
// hears of those that have or had one.
void Candidates::on_changed(const Prefix& prefix) {
  changed_ = true;
  if (!on()) return;
  const auto route = parts_.kernel_route(prefix);
  if (!route) return;
  const bool before = has_candidates(prefix) || kept_.contains(prefix);
  const routes::Route merged = offered(*route);
  if (before || has_candidates(prefix)) parts_.route(merged);
}

// What the source fed may also be fed by another: it returns when the sweep has told them apart.
void Candidates::on_lost(bgp::SourceId source, const IpAddress& peer) {
  const auto fed = fed_.find(source);
  ++lost_;
  if (wait_ == Wait::runs) end_wait();
  if (fed == fed_.end()) return;
  parts_.log.warn("candidates_lost", {{"peer", peer.text()},
                                      {"nexthops", std::to_string(fed->second.size())},
                                      {"because", "the BGP session that told of them has ended"}});
  withholding_ = true;
  parts_.withhold(fed->second);
  fed_.erase(fed);
}

void Candidates::settle() {
  if (!withholding_ || parts_.table.sweeping()) return;
  withholding_ = false;
  parts_.release();
}

routes::Route Candidates::offered(const routes::Route& route) {
  const bgp::KnownPaths told = on() ? parts_.table.paths(route.prefix) : bgp::KnownPaths{};
  if (told.empty()) {
    forget(route.prefix);
    return kept(route, {});
  }
  std::vector<routes::Offer> offers;
  offers.reserve(told.size());
  for (const bgp::KnownPath& known : told)
    offers.push_back({known.path, parts_.on_link(known.path->nexthop, known.path->link_local)});
  routes::Merged merged = merge(route.prefix, route.nexthops(), offers, rules_);
  note(route.prefix, merged);
  for (std::size_t i = 0; i < told.size(); ++i)
    if (merged.verdicts[i] == OfferVerdict::taken || merged.verdicts[i] == OfferVerdict::in_use)
      if (merged.candidates > 0) fed_[told[i].source].insert(*offers[i].nexthop);
  if (merged.candidates == 0 && !awaits_bgp()) return route;
  if (merged.candidates == 0) {
    std::set<NexthopKey> refused;
    for (std::size_t i = 0; i < offers.size(); ++i)
      if (offers[i].nexthop && merged.verdicts[i] != OfferVerdict::no_reference)
        refused.insert(*offers[i].nexthop);
    return kept(route, refused);
  }
  kept_.erase(route.prefix);
  return {route.prefix, sets_.share(std::move(merged.set))};
}

// --- after a restart --------------------------------------------------------------------------

// The route, with the candidates that an earlier daemon had for it where those may stay. `refused`:
// nexthops that BGP has told of by now, and that may not be candidates.
routes::Route Candidates::kept(const routes::Route& route, const std::set<NexthopKey>& refused) {
  const bool may = wait_ == Wait::begins || (wait_ == Wait::runs && kept_.contains(route.prefix));
  if (may && rules_.policy.allows(route.prefix)) {
    std::vector<routes::WeightedNexthop> set = parts_.steered_by(route.prefix);
    std::erase_if(set, [&](const auto& h) { return h.weight == 0 && refused.contains(h.key); });
    std::vector<routes::WeightedNexthop> own = set;
    std::erase_if(own, [](const auto& hop) { return hop.weight == 0; });
    if (own.size() < set.size() && own == route.nexthops()) {
      kept_.insert(route.prefix);
      return {route.prefix, sets_.share(std::move(set))};
    }
  }
  kept_.erase(route.prefix);
  return route;
}

void Candidates::started() {
  if (wait_ == Wait::begins) wait_ = kept_.empty() ? Wait::over : Wait::runs;
}

bool Candidates::work() {
  constexpr int kAtATime = 64;
  for (int i = 0; i < kAtATime && !kept_.empty(); ++i) {
    const Prefix prefix = *kept_.begin();
    kept_.erase(kept_.begin());
    if (const auto route = parts_.kernel_route(prefix)) parts_.route(offered(*route));
  }
  return !kept_.empty();
}

// --- what became of them ----------------------------------------------------------------------

std::uint16_t Candidates::number(const Tally& tally) {
  const auto known = numbers_.find(tally);
  if (known != numbers_.end()) return known->second;
  if (tallies_.size() == kMostTallies) return 0;  // of so many kinds the rest counts as the first
  numbers_[tally] = static_cast<std::uint16_t>(tallies_.size());
  tallies_.push_back(tally);
  return static_cast<std::uint16_t>(tallies_.size() - 1);
}

void Candidates::count(std::uint16_t tally, int by) {
  const Tally& counts = tallies_[tally];
  for (std::size_t i = 0; i < counts.size(); ++i)
    totals_[i] += static_cast<std::size_t>(by * static_cast<int>(counts[i]));
  if (counts[static_cast<std::size_t>(OfferVerdict::taken)] > 0)
    prefixes_ += static_cast<std::size_t>(by);
}

void Candidates::note(const Prefix& prefix, const routes::Merged& merged) {
  Tally tally{};
  for (const OfferVerdict verdict : merged.verdicts) {
    std::uint8_t& counted = tally[static_cast<std::size_t>(verdict)];
    counted = static_cast<std::uint8_t>(std::min(counted + 1, 255));
  }
  const std::uint16_t now = number(tally);
  const auto [at, fresh] = shard(prefix).try_emplace(prefix, now);
  if (!fresh) count(at->second, -1);
  at->second = now;
  count(now, 1);
}

void Candidates::forget(const Prefix& prefix) {
  Verdicts& known = shard(prefix);
  const auto at = known.find(prefix);
  if (at == known.end()) return;
  count(at->second, -1);
  known.erase(at);
}

bool Candidates::has_candidates(const Prefix& prefix) const {
  const Verdicts& known = known_[std::hash<Prefix>{}(prefix) % kShards];
  const auto at = known.find(prefix);
  return at != known.end() &&
         tallies_[at->second][static_cast<std::size_t>(OfferVerdict::taken)] > 0;
}

CandidatesStatus Candidates::status() const {
  CandidatesStatus status;
  status.prefixes = prefixes_;
  status.lost_sessions = lost_;
  for (std::size_t i = 0; i < totals_.size(); ++i)
    status.paths[std::string(text(static_cast<OfferVerdict>(i)))] = totals_[i];
  return status;
}

}  // namespace hopwise
