#include "core/speaker/divergence.hpp"

#include <algorithm>
#include <array>
#include <set>

namespace hopwise::speaker {
namespace {

// Shares that differ by less came of rounding: FRR 10 scales weights of 16 bits to 8.
constexpr double kShareTolerance = 0.02;

enum class AddressKind : std::uint8_t { v4, v4_link_local, v6, v6_link_local };

AddressKind kind_of(const IpAddress& a) {
  if (a.is_v4()) return a.is_link_local() ? AddressKind::v4_link_local : AddressKind::v4;
  return a.is_link_local() ? AddressKind::v6_link_local : AddressKind::v6;
}

// The same gateway twice counts once, with both weights, as the kernel forwards.
std::vector<Leg> merged(std::vector<Leg> legs) {
  std::sort(legs.begin(), legs.end());
  std::vector<Leg> all;
  for (Leg& leg : legs)
    if (!all.empty() && all.back().gateway == leg.gateway && all.back().interface == leg.interface)
      all.back().weight += leg.weight;
    else
      all.push_back(std::move(leg));
  return all;
}

bool has(const std::vector<Leg>& legs, const Leg& wanted) {
  return std::any_of(legs.begin(), legs.end(), [&](const Leg& leg) {
    return leg.gateway == wanted.gateway && leg.interface == wanted.interface;
  });
}

struct OnInterface {
  std::array<std::size_t, 4> by_kind{};
  std::size_t total = 0;
  std::uint64_t weight = 0;

  [[nodiscard]] std::size_t most() const {
    return *std::max_element(by_kind.begin(), by_kind.end());
  }
};

OnInterface on(const std::string& interface, const std::vector<Leg>& legs) {
  OnInterface count;
  for (const Leg& leg : legs) {
    if (leg.interface != interface) continue;
    ++count.by_kind[static_cast<std::size_t>(kind_of(leg.gateway))];
    ++count.total;
    count.weight += leg.weight;
  }
  return count;
}

bool one_kind(const OnInterface& a, const OnInterface& b) {
  std::size_t kinds = 0;
  for (std::size_t i = 0; i < a.by_kind.size(); ++i) kinds += a.by_kind[i] + b.by_kind[i] > 0;
  return kinds == 1;
}

// Of `these`, what `others` surely lacks.
std::vector<Leg> lacking(const std::vector<Leg>& these, const std::vector<Leg>& others) {
  std::vector<Leg> all;
  for (const Leg& leg : these) {
    if (has(others, leg)) continue;
    const OnInterface here = on(leg.interface, these), there = on(leg.interface, others);
    // Fewer legs of the same weight: routers that the follower knows by one of their addresses.
    if (there.total < here.total && there.weight == here.weight) continue;
    if (one_kind(here, there) || there.total < here.most()) all.push_back(leg);
  }
  return all;
}

bool same_shares(const std::vector<Leg>& a, const std::vector<Leg>& b) {
  double sum_a = 0, sum_b = 0;
  for (const Leg& leg : a) sum_a += leg.weight;
  for (const Leg& leg : b) sum_b += leg.weight;
  for (std::size_t i = 0; i < a.size(); ++i)
    if (std::abs(a[i].weight / sum_a - b[i].weight / sum_b) > kShareTolerance) return false;
  return true;
}

// Both merged, so in one order.
bool same_gateways(const std::vector<Leg>& a, const std::vector<Leg>& b) {
  return a.size() == b.size() &&
         std::all_of(a.begin(), a.end(), [&](const Leg& leg) { return has(b, leg); });
}

std::string listed(const std::vector<Leg>& legs) {
  std::string text;
  for (const Leg& leg : legs) text += (text.empty() ? "" : ", ") + name_of(leg);
  return text;
}

}  // namespace

std::optional<Difference> compare(const BelievedRoute& believed, const std::vector<Leg>& kernel) {
  if (believed.belief == Belief::none) return Difference{DivergenceKind::unknown, {}, kernel};
  if (believed.belief == Belief::refused) return Difference{DivergenceKind::refused};
  if (believed.belief != Belief::installed || kernel.empty()) return std::nullopt;
  const auto wanted = merged(believed.legs), found = merged(kernel);
  Difference difference{DivergenceKind::missing, lacking(wanted, found), lacking(found, wanted)};
  if (!difference.missing.empty() && !difference.extra.empty())
    difference.kind = DivergenceKind::both;
  else if (!difference.extra.empty())
    difference.kind = DivergenceKind::extra;
  if (!difference.missing.empty() || !difference.extra.empty()) return difference;
  if (!same_gateways(wanted, found) || same_shares(wanted, found)) return std::nullopt;
  return Difference{DivergenceKind::weights};
}

Divergences::Change Divergences::saw(const Prefix& prefix,
                                     const std::optional<Difference>& difference, TimePoint now) {
  if (!difference) return gone(prefix);
  const auto known = cases_.find(prefix);
  if (known == cases_.end()) {
    if (cases_.size() < kMost) cases_.emplace(prefix, Case{*difference, now, now});
    return Change::none;
  }
  Case& seen = known->second;
  seen.looked = now;
  if (seen.difference != *difference) {
    // Another one: routing is at work. What was told stays told while they differ at all.
    seen.difference = *difference;
    if (!seen.told) seen.since = now;
    return Change::none;
  }
  if (seen.told || now - seen.since < kStands) return Change::none;
  seen.told = true;
  return Change::stands;
}

Divergences::Change Divergences::gone(const Prefix& prefix) {
  const auto known = cases_.find(prefix);
  if (known == cases_.end()) return Change::none;
  const bool told = known->second.told;
  cases_.erase(known);
  return told ? Change::over : Change::none;
}

std::optional<Prefix> Divergences::due(TimePoint now) const {
  for (const auto& [prefix, seen] : cases_)
    if (now - seen.looked >= kLookAgain) return prefix;
  return std::nullopt;
}

std::string name_of(const Leg& leg) {
  return leg.gateway.text() + '@' + leg.interface;
}

std::string explain(const Prefix& prefix, const Difference& difference, SpeakerKind kind) {
  const std::string who = kind == SpeakerKind::frr ? "zebra" : "BIRD";
  std::string text = "route " + prefix.text() + ": ";
  switch (difference.kind) {
    case DivergenceKind::unknown:
      return text + "the kernel has it by " + listed(difference.extra) + ", and " + who +
             " knows no such route (a leftover of an earlier run: remove it, or restart routing)";
    case DivergenceKind::refused:
      return text + who + " says that the kernel refused it (see its log)";
    case DivergenceKind::weights:
      text += "the kernel's weights are not those of " + who;
      break;
    default:
      if (!difference.missing.empty())
        text += "the kernel lacks " + listed(difference.missing) + ", which " + who +
                " believes to be installed";
      if (!difference.extra.empty())
        text += (difference.missing.empty() ? "the kernel has " : ", and has ") +
                listed(difference.extra) + ", which " + who + " does not";
  }
  return text +
         (kind == SpeakerKind::frr
              ? " (have it announced anew, or `clear bgp *`; `zebra nexthop-group keep 1` or "
                "`no zebra nexthop kernel enable` avoids FRR's stale groups)"
              : " (`reload` or `restart` the protocol that it comes from)");
}

}  // namespace hopwise::speaker
