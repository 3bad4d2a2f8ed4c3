// What BGP adds to the kernel's routes: stands between the follower and Steering.
//
//   kernel -> Follower -> route ----+
//                                   merge (routes/offers.hpp) -> Steering
//   bgpd -> Listener -> PathTable --+
//
// A route, and the paths that BGP tells of to the same prefix, become one set; Steering sees that
// alone. Either of both changes: the prefix is merged anew, at once. A session that is lost takes
// its paths with it: first all groups that it fed are told that these candidates may not carry (one
// write each, however many prefixes), then its prefixes are merged anew as the table is swept, in
// slices. So no candidate outlives what BGP says of it, and nothing here is slow.
//
// After a restart BGP has to tell all again, which takes seconds: its session ended with the
// earlier daemon, not with what it had told. Meanwhile (await_bgp()) a route that is as it was
// keeps the candidates that the earlier daemon's programs had for it; until BGP gives it others,
// routing changes it, a session ends, or the wait is over. Routing's own word counts at once all
// the while.
//
// Kept is, of each prefix that BGP tells of, what became of its paths: two bytes.
#pragma once

#include <array>
#include <boost/unordered/unordered_flat_map.hpp>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <unordered_set>

#include "core/bgp/path_table.hpp"
#include "core/daemon/log.hpp"
#include "core/model/candidates.hpp"
#include "core/routes/events.hpp"
#include "core/routes/offers.hpp"

namespace hopwise {

class Candidates {
 public:
  struct Parts {
    const bgp::PathTable& table;
    Log& log;
    /// The kernel's route to exactly this prefix.
    std::function<std::optional<routes::Route>(const Prefix&)> kernel_route;
    /// Follower::on_link().
    std::function<std::optional<NexthopKey>(const IpAddress&, const std::optional<IpAddress>&)>
        on_link;
    /// Steering::set_of().
    std::function<std::vector<routes::WeightedNexthop>(const Prefix&)> steered_by;
    // -> Steering
    std::function<void(const routes::Route&)> route;
    std::function<void(const Prefix&)> withdrawn;
    /// These nexthops may carry nothing as candidates until release().
    std::function<void(const std::set<NexthopKey>&)> withhold;
    std::function<void()> release;
  };
  Candidates(Parts parts, routes::OfferRules rules);

  // follower -> here -> Steering
  void on_route(const routes::Route& route);
  void on_withdrawn(const Prefix& prefix);
  // path table -> here -> Steering
  void on_changed(const Prefix& prefix);
  void on_lost(bgp::SourceId source, const IpAddress& peer);
  /// Once a second: lets candidates carry again after a loss, when nothing is left of it.
  void settle();

  /// Routes that are told from here to started() may keep what an earlier daemon had for them.
  void await_bgp() { wait_ = Wait::begins; }
  /// All of routing's routes have been told.
  void started();
  /// BGP has told all, or shall not be waited for any longer. Ask for work() until it is false.
  void end_wait() { wait_ = Wait::over; }
  [[nodiscard]] bool awaits_bgp() const { return wait_ != Wait::over; }
  /// Merges anew, of some of the prefixes that still have what an earlier daemon had. True while
  /// there are more.
  bool work();

  /// The kernel's route with what BGP adds to it now.
  [[nodiscard]] routes::Route offered(const routes::Route& route);
  /// Steering asks for every route anew after this.
  void reconfigure(routes::OfferRules rules) { rules_ = std::move(rules); }
  /// Paths have changed since the last call: BGP has not told all yet.
  [[nodiscard]] bool quiet() { return !std::exchange(changed_, false); }
  [[nodiscard]] CandidatesStatus status() const;

 private:
  /// How many of a prefix's paths became what.
  using Tally = std::array<std::uint8_t, routes::kOfferVerdicts>;
  using Verdicts = boost::unordered_flat_map<Prefix, std::uint16_t, std::hash<Prefix>>;
  static constexpr std::size_t kShards = 256;  // so that no growth takes long
  static constexpr std::uint16_t kMostTallies = 0xffff;

  enum class Wait : std::uint8_t { over, begins, runs };

  [[nodiscard]] routes::Route kept(const routes::Route& route, const std::set<NexthopKey>& refused);
  [[nodiscard]] bool on() const { return rules_.policy.from == routes::OfferPolicy::From::bgp; }
  void note(const Prefix& prefix, const routes::Merged& merged);
  void forget(const Prefix& prefix);
  [[nodiscard]] bool has_candidates(const Prefix& prefix) const;
  [[nodiscard]] std::uint16_t number(const Tally& tally);
  void count(std::uint16_t tally, int by);
  [[nodiscard]] Verdicts& shard(const Prefix& prefix) {
    return known_[std::hash<Prefix>{}(prefix) % kShards];
  }

  Parts parts_;
  routes::OfferRules rules_;
  routes::NexthopSets sets_;
  std::array<Verdicts, kShards> known_;
  std::map<Tally, std::uint16_t> numbers_;
  std::vector<Tally> tallies_;
  std::array<std::size_t, routes::kOfferVerdicts> totals_{};
  std::size_t prefixes_ = 0;
  std::map<bgp::SourceId, std::set<NexthopKey>> fed_;  // what each source's paths made candidates
  Wait wait_ = Wait::over;
  std::unordered_set<Prefix> kept_;  // with what an earlier daemon had
  bool withholding_ = false;
  bool changed_ = false;
  std::uint64_t lost_ = 0;
};

}  // namespace hopwise
