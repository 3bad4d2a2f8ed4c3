// Which paths that BGP told of may carry traffic beside those that the kernel's route uses. Pure.
//
// A route's set is what the kernel has; a path to the very same prefix that this policy allows
// joins it as a candidate: with weight 0. Nothing else ever changes: routing's own nexthops stay,
// with their weights, and a prefix that is left to the kernel stays so.
//
// Why no forwarding loop comes of it. Let L(r) be the length of the AS_PATH by which router r
// reaches a prefix, and which it announces: whoever hears of it from another AS does so with at
// least L(r) + 1 (RFC 4271, section 5.1.2: prepending only adds), from its own AS with L(r). A
// router x takes a candidate of y only if
//  - its next hop is on-link here and in another AS, and no router of ours told it on, by
//    reflection or as a member of our confederation: the packet leaves our AS at once;
//  - it is to this very prefix: y has that one, or a longer one that it looks it up by;
//  - our own AS is not in its AS_PATH;
//  - its length is at most that of the best of the paths the kernel uses, L(x).
// So on the way of a packet the prefix by which it is looked up never becomes shorter, and while it
// stays the same L falls with each AS, whoever of them steers by these rules or does not steer at
// all (then it uses its best). A next hop of a third party on the same LAN (route servers, RFC
// 7947) only leaves out an AS in between. A set counts as one, as in BGP's own choice. Like BGP's
// own choice it holds once updates have arrived everywhere; until then there may be loops, as there
// are without us, for as long.
//
// What it rests on, and where that does not hold BGP's own loop check (which looks at the path that
// is used, and a candidate is not used) does not help either:
//  - AS_PATHs tell their length. One that is cut on the way (remove-private-as, as-path exclude;
//    in our own import filters too) does not. Two providers that peer, and each take a common
//    customer's private AS off, hear of each other's path with the length of their own: where both
//    steer, and give both paths one LOCAL_PREF, each may send to the other. Customers before peers
//    by LOCAL_PREF prevents it.
//  - Who announces a path uses it. One who originates a default or an aggregate and sends it back
//    to us by a static route does not, nor one who tells us more than his best (add-path with
//    another AS).
// Where it does not hold, "communities" and "except" keep the neighbour or the prefix out. By
// default steering does not touch what comes in by a nexthop's link (steering_interfaces.cpp), so
// two routers that steer to each other over such a link do not pass a packet to and fro.
//
// Valleys (Gao and Rexford 2001): operators put customers before peers before providers by
// LOCAL_PREF. A candidate's is not lower than the reference's, so traffic that may leave by a
// customer does not leave by a provider. FRR's BMP does not tell it: then nothing is taken until
// the operator says a floor. "local_pref_floor" gives that up, not the above.
//
// Reference: those of BGP's paths to the prefix whose next hop is in the kernel's set. Without one
// nothing is known of L(x), and nothing is taken. What the operator must see to himself: a route of
// another protocol (static, OSPF) over a nexthop that BGP offers too passes for BGP's, and where we
// announce that route our L is less than it seems.
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
  /// At least this LOCAL_PREF (100 where none is told); empty: that of the reference, and both must
  /// be told.
  std::optional<std::uint32_t> local_pref_floor{};
  std::vector<std::uint32_t> any_of{};   // communities (RFC 1997): one of these; empty: no matter
  std::vector<std::uint32_t> none_of{};  // and none of these
  std::vector<Prefix> only{};            // prefixes inside one of these; empty: all
  std::vector<Prefix> except{};          // and in none of these
  std::size_t max_per_prefix = 4;        // candidates

  /// Whether any path to this prefix may be a candidate.
  [[nodiscard]] bool allows(const Prefix& prefix) const;

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
