// Does the kernel have what the routing daemon believes to have given it? Pure.
//
// FRR 8.4 can keep a nexthop group after a flap of 2 or 3 seconds of which the kernel has dropped a
// member: `show ip route` names three nexthops, the kernel forwards by two, and nobody tells. A
// look compares the two for one prefix. Routes change while one looks, so a difference is told only
// when it was seen in two looks, kStands apart, and the same in both; it is over at the first look
// that finds none.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "core/model/speaker.hpp"
#include "core/speaker/route.hpp"

namespace hopwise::speaker {

struct Difference {
  DivergenceKind kind = DivergenceKind::missing;
  std::vector<Leg> missing{};  // in the kernel
  std::vector<Leg> extra{};    // in the kernel

  bool operator==(const Difference&) const = default;
};

/// Nothing where they agree, or nothing can be said. The kernel's legs are as the follower gives
/// them, a router with several addresses on one interface perhaps once: where an interface has
/// gateways of several kinds (IPv4, IPv6, link-local, FRR's 169.254.0.1), only their number counts.
std::optional<Difference> compare(const BelievedRoute& believed, const std::vector<Leg>& kernel);

class Divergences {
 public:
  static constexpr Duration kStands = std::chrono::seconds(5);
  static constexpr Duration kLookAgain = std::chrono::seconds(3);
  static constexpr std::size_t kMost = 64;  // suspects and told; beyond, no more are taken up

  enum class Change : std::uint8_t { none, stands, over };

  struct Case {
    Difference difference;
    TimePoint since;   // first seen so
    TimePoint looked;  // last time
    bool told = false;
  };

  /// What one look found.
  Change saw(const Prefix& prefix, const std::optional<Difference>& difference, TimePoint now);
  /// The route is gone, or nothing could be seen of it.
  Change gone(const Prefix& prefix);
  /// A case that is due for another look.
  [[nodiscard]] std::optional<Prefix> due(TimePoint now) const;
  [[nodiscard]] const std::map<Prefix, Case>& cases() const { return cases_; }
  void clear() { cases_.clear(); }

 private:
  std::map<Prefix, Case> cases_;
};

/// "10.99.2.2@eth1".
std::string name_of(const Leg& leg);

/// One line for the log: what differs, and what an operator may do about it.
std::string explain(const Prefix& prefix, const Difference& difference, SpeakerKind kind);

}  // namespace hopwise::speaker
