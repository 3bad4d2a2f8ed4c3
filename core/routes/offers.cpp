// Each offer is asked the questions of offers.hpp in the order of OfferVerdict, the cheapest and
// most telling first; what passes all is ranked as BGP would, and the first few are taken.
#include "core/routes/offers.hpp"

#include <algorithm>
#include <span>
#include <tuple>

namespace hopwise::routes {
namespace {

constexpr std::uint32_t kUsualLocalPref = 100;  // where none is told (RFC 4277, section 9)
constexpr std::array<std::uint32_t, 2> kNever{0xffff0000,   // GRACEFUL_SHUTDOWN (RFC 8326)
                                              0xffff029a};  // BLACKHOLE (RFC 7999)

bool inside(const Prefix& prefix, const std::vector<Prefix>& any) {
  return std::any_of(any.begin(), any.end(), [&](const Prefix& p) { return p.contains(prefix); });
}

bool has_any(const BgpPath& path, std::span<const std::uint32_t> communities) {
  return std::any_of(path.communities.begin(), path.communities.end(), [&](std::uint32_t c) {
    return std::find(communities.begin(), communities.end(), c) != communities.end();
  });
}

bool has(const std::vector<WeightedNexthop>& set, const NexthopKey& key) {
  return std::any_of(set.begin(), set.end(), [&](const auto& hop) { return hop.key == key; });
}

std::uint32_t local_pref(const BgpPath& path) {
  return path.local_pref.value_or(kUsualLocalPref);
}

/// The best of what BGP tells of the paths in use: of several the shortest, and the most preferred.
struct Reference {
  std::uint32_t length = 0;
  std::optional<std::uint32_t> preference{};  // as far as it is told
};

std::optional<Reference> reference_of(const std::vector<WeightedNexthop>& kernel,
                                      const std::vector<Offer>& offers) {
  std::optional<Reference> found;
  for (const Offer& offer : offers) {
    if (!offer.nexthop || !has(kernel, *offer.nexthop)) continue;
    const Reference r{offer.path->as_path_length, offer.path->local_pref};
    if (!found) found = r;
    found->length = std::min(found->length, r.length);
    found->preference = std::max(found->preference, r.preference);
  }
  return found;
}

bool refused_by_community(const BgpPath& path, const OfferPolicy& policy) {
  return has_any(path, kNever) || has_any(path, policy.none_of) ||
         (!policy.any_of.empty() && !has_any(path, policy.any_of));
}

/// All that a path alone can be asked.
OfferVerdict judge(const Offer& offer, const Reference& reference, const OfferRules& rules) {
  const BgpPath& path = *offer.path;
  const OfferPolicy& policy = rules.policy;
  if (path.reflected || path.neighbour_as == 0 || path.neighbour_as == rules.own_as)
    return OfferVerdict::ibgp;
  if (std::find(path.as_path.begin(), path.as_path.end(), rules.own_as) != path.as_path.end())
    return OfferVerdict::own_as;
  if (!offer.nexthop) return OfferVerdict::not_on_link;
  if (path.as_path_length > reference.length) return OfferVerdict::longer_as_path;
  if (path.as_path_length < reference.length && policy.as_path == OfferPolicy::AsPath::same)
    return OfferVerdict::shorter_as_path;
  const auto floor = policy.local_pref_floor ? policy.local_pref_floor : reference.preference;
  if (!floor || (!policy.local_pref_floor && !path.local_pref))
    return OfferVerdict::unknown_local_pref;
  if (local_pref(path) < *floor) return OfferVerdict::lower_local_pref;
  if (refused_by_community(path, policy)) return OfferVerdict::community;
  return OfferVerdict::taken;
}

/// What is asked of the prefix, before any of its paths.
std::optional<OfferVerdict> judge(const Prefix& prefix, const std::vector<WeightedNexthop>& kernel,
                                  const OfferPolicy& policy) {
  if (kernel.empty()) return OfferVerdict::not_steered;
  return policy.allows(prefix) ? std::nullopt : std::optional(OfferVerdict::excluded);
}

}  // namespace

bool OfferPolicy::allows(const Prefix& prefix) const {
  return from != From::none && (only.empty() || inside(prefix, only)) && !inside(prefix, except);
}

std::string_view text(OfferVerdict verdict) {
  constexpr std::array<std::string_view, kOfferVerdicts> kTexts{
      "taken",           "in_use",           "not_steered",
      "excluded",        "no_reference",     "ibgp",
      "own_as",          "not_on_link",      "longer_as_path",
      "shorter_as_path", "lower_local_pref", "unknown_local_pref",
      "community",       "too_many"};
  const auto i = static_cast<std::size_t>(verdict);
  return i < kTexts.size() ? kTexts[i] : "unknown";
}

Merged merge(const Prefix& prefix, const std::vector<WeightedNexthop>& kernel,
             const std::vector<Offer>& offers, const OfferRules& rules) {
  Merged merged{kernel, std::vector<OfferVerdict>(offers.size(), OfferVerdict::not_steered), 0};
  if (offers.empty() || rules.policy.from == OfferPolicy::From::none) return merged;
  const auto all = judge(prefix, kernel, rules.policy);
  const auto reference = all ? std::nullopt : reference_of(kernel, offers);
  std::vector<std::size_t> fit;
  for (std::size_t i = 0; i < offers.size(); ++i) {
    OfferVerdict& verdict = merged.verdicts[i];
    if (all)
      verdict = *all;
    else if (offers[i].nexthop && has(kernel, *offers[i].nexthop))
      verdict = OfferVerdict::in_use;
    else if (!reference)
      verdict = OfferVerdict::no_reference;
    else
      verdict = judge(offers[i], *reference, rules);
    if (verdict == OfferVerdict::taken) fit.push_back(i);
  }
  const auto rank = [&](std::size_t i) {
    const BgpPath& path = *offers[i].path;
    return std::tuple(~local_pref(path), path.as_path_length, *offers[i].nexthop);
  };
  std::sort(fit.begin(), fit.end(), [&](auto a, auto b) { return rank(a) < rank(b); });
  for (const std::size_t i : fit) {
    if (has(merged.set, *offers[i].nexthop)) {
      merged.verdicts[i] = OfferVerdict::in_use;
    } else if (merged.candidates >= rules.policy.max_per_prefix ||
               merged.set.size() >= rules.group_paths) {
      merged.verdicts[i] = OfferVerdict::too_many;
    } else {
      merged.set.push_back({*offers[i].nexthop, 0});
      ++merged.candidates;
    }
  }
  std::sort(merged.set.begin(), merged.set.end());
  return merged;
}

}  // namespace hopwise::routes
