// Which paths that BGP told of may carry traffic beside those that the kernel's route uses. Pure.
//
// A route's set is what the kernel has; a path to the very same prefix that this policy allows
// joins it as a candidate: with weight 0. Nothing else ever changes: routing's own nexthops stay,
// with their weights, and a prefix that is left to the kernel stays so.
//
// Why no forwarding loop can come of it. Let L(X) be the length of the AS_PATH of the path that AS
// X uses to a prefix and announces; Y announces what it uses, so X hears of it with a length of at
// least L(Y) + 1 (RFC 4271, section 5.1.2: prepending only adds). X takes a candidate of Y only if
//  - its next hop is on-link here and in another AS, and no router of X told it on: the packet
//    leaves X at once, and no router of X sees it again on its way;
//  - it is to this very prefix, not to one that covers it: Y looks it up by what it announced;
//  - our own AS is not in its AS_PATH;
//  - its length is at most that of the best of the paths the kernel uses, L(X).
// So L(Y) + 1 <= L(X): L strictly falls with each AS on the way, whoever of them steers by these
// rules or does not steer at all (then it uses its best). What strictly falls never comes back to
// where it was. A next hop of a third party on the same LAN (route servers, RFC 7947) only leaves
// out an AS in between. A set counts as one and confederations as none, as in BGP's own choice.
// Like BGP's own choice it holds once updates have arrived everywhere.
//
// Valleys (Gao and Rexford 2001): operators put customers before peers before providers by
// LOCAL_PREF. A candidate's is not lower than the reference's, so traffic that may leave by a
// customer does not leave by a provider. FRR's BMP does not tell it: then nothing is taken until
// the operator says a floor. "local_pref_floor" gives that up, not the above.
//
// Reference: those of BGP's paths to the prefix whose next hop is in the kernel's set. Without one
// nothing is known of L(X), and nothing is taken. What the operator must see to himself: a static
// route over a nexthop that BGP offers too passes for BGP's.
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string_view>
#include <vector>

#include "core/model/bgp_path.hpp"
#include "core/routes/nexthop_set.hpp"

namespace hopwise::routes {

/// What the operator allows. The defaults of all but `from` are the narrowest.
struct OfferPolicy {
  enum class From : std::uint8_t { none, bgp } from = From::none;
  /// Than that of the reference. Never longer.
  enum class AsPath : std::uint8_t { same, shorter_or_same } as_path = AsPath::same;
  /// At least this LOCAL_PREF; empty: that of the reference.
  std::optional<std::uint32_t> local_pref_floor{};
  std::vector<std::uint32_t> any_of{};   // communities (RFC 1997): one of these; empty: no matter
  std::vector<std::uint32_t> none_of{};  // and none of these
  std::vector<Prefix> only{};            // prefixes inside one of these; empty: all
  std::vector<Prefix> except{};          // and in none of these
  std::size_t max_per_prefix = 4;        // candidates

  bool operator==(const OfferPolicy&) const = default;
};

/// What became of a path that BGP told of. One enum for metric label, log and test.
enum class OfferVerdict : std::uint8_t {
  taken,               // a candidate
  in_use,              // the kernel's route uses its next hop, or another candidate does
  not_steered,         // the route is left to the kernel
  excluded,            // the prefix is, by "only" or "except"
  no_reference,        // BGP does not tell of the paths that the kernel uses
  ibgp,                // no other AS said it: from inside our own, or nobody knows from where
  own_as,              // our AS is in its AS_PATH
  not_on_link,         // its next hop is no neighbour of ours
  longer_as_path,      //
  shorter_as_path,     // "as_path" is "same"
  lower_local_pref,    //
  unknown_local_pref,  // its own, or that of the path in use, was not told
  community,           // by "communities"; or it is to be drained (RFC 8326) or dropped (RFC 7999)
  too_many,            // more than "max_per_prefix", or than a group has room for
};
inline constexpr std::size_t kOfferVerdicts = 14;
std::string_view text(OfferVerdict verdict);

/// A path with the nexthop that its next hop means here, if it is on-link.
struct Offer {
  std::shared_ptr<const BgpPath> path;
  std::optional<NexthopKey> nexthop{};
};

struct Merged {
  std::vector<WeightedNexthop> set;    // sorted by key; what was taken has the weight 0
  std::vector<OfferVerdict> verdicts;  // of each offer, in their order
  std::size_t candidates = 0;
};

/// What stays the same over prefixes.
struct OfferRules {
  OfferPolicy policy{};
  std::uint32_t own_as = 0;
  std::size_t group_paths = 16;  // that a group has room for
};

/// `kernel` is the route's set, canonical; empty: it is left to the kernel. The result does not
/// depend on the order of the offers.
Merged merge(const Prefix& prefix, const std::vector<WeightedNexthop>& kernel,
             const std::vector<Offer>& offers, const OfferRules& rules);

}  // namespace hopwise::routes
