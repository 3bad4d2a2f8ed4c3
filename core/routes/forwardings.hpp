// Where routes lead: each distinct way of forwarding once, and the set of nexthops that it means.
// Pure.
//
// What a set means depends on links, nexthop objects and, where two of its gateways turn out to be
// one router, on neighbours. When one of these changes, sets are resolved anew: once a set, not
// once a route.
#pragma once

#include <boost/unordered/unordered_flat_map.hpp>
#include <boost/unordered/unordered_flat_set.hpp>
#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <vector>

#include "core/routes/events.hpp"
#include "core/routes/parse.hpp"

namespace hopwise::routes {

class Forwardings {
 public:
  using Id = std::uint32_t;
  /// Of a set of nexthops. Equal sets have one id while anybody holds it.
  enum class SetId : std::uint32_t {
    none = 0,    // no route, or none with a leg alive
    kernel = 1,  // the empty set: left to the kernel
  };

  Forwardings();

  /// The one for these hops. It stays while held, and at least until sweep().
  Id intern(const Hops& hops);
  void hold(Id id) { ++kept_[id].users; }
  void release(Id id) { --kept_[id].users; }
  [[nodiscard]] const Hops& hops(Id id) const { return kept_[id].hops; }
  /// What it means as of the last settle(): none where no leg is alive.
  [[nodiscard]] SetId set(Id id) const { return kept_[id].set; }

  void hold(SetId id) { ++sets_[index(id)].users; }
  void release(SetId id);
  [[nodiscard]] const NexthopSet& nexthops(SetId id) const { return sets_[index(id)].nexthops; }

  /// Each returns whether the kernel may have changed more than it says.
  bool apply(const LinkMessage& link);
  bool apply(const NexthopMessage& object);
  bool apply(const NeighbourMessage& neighbour);

  /// Of a dump: all that is applied from now on is seen, ...
  void begin_generation() { ++generation_; }
  /// ... and what has not been seen by the end of its dump is gone.
  void sweep_links();
  void sweep_objects();
  void sweep_neighbours();

  /// Resolves anew what may mean something else now. True when a set did: routes are to be asked.
  bool settle();
  /// Forgets what nobody holds, now and then.
  void sweep();

  [[nodiscard]] const std::map<std::uint32_t, Interface>& interfaces() const { return interfaces_; }
  [[nodiscard]] Neighbour neighbour(const NexthopKey& key) const;
  /// The gateway by which routes know the router with this address on this link: itself, or
  /// another with the same link-layer address.
  [[nodiscard]] std::optional<NexthopKey> known_as(const NexthopKey& key) const;
  /// The only link on which this gateway or neighbour is known.
  [[nodiscard]] std::optional<std::uint32_t> link_of(const IpAddress& gateway) const;
  /// How many ways are kept: bounded by those in use.
  [[nodiscard]] std::size_t size() const { return by_hops_.size(); }

 private:
  using Generation = std::uint32_t;
  struct Kept {
    Hops hops;
    SetId set = SetId::none;
    std::uint32_t users = 0;
  };
  struct Set {
    NexthopSet nexthops;
    std::size_t users = 0;
  };
  struct Link {
    bool enabled = false;  // administratively up
    Generation seen = 0;
  };
  struct Object {
    NexthopMessage message;
    Generation seen = 0;
  };
  struct Valid {
    std::optional<EthernetAddress> address;
    Generation seen = 0;
  };
  static std::size_t hash_of(const Hops& hops);
  struct Hash {
    using is_transparent = void;
    const Forwardings* all;
    std::size_t operator()(Id id) const { return hash_of(all->kept_[id].hops); }
    std::size_t operator()(const Hops& hops) const { return hash_of(hops); }
  };
  struct Same {
    using is_transparent = void;
    const Forwardings* all;
    bool operator()(Id a, Id b) const { return a == b; }
    bool operator()(const Hops& a, Id b) const { return a == all->kept_[b].hops; }
    bool operator()(Id a, const Hops& b) const { return all->kept_[a].hops == b; }
  };

  static std::size_t index(SetId id) { return static_cast<std::size_t>(id); }
  SetId share(std::vector<WeightedNexthop> set);
  [[nodiscard]] std::vector<Leg> legs(const Hops& hops) const;
  SetId resolve(const Hops& hops);
  void join_routers(std::vector<WeightedNexthop>& set);
  [[nodiscard]] bool in_use(std::uint32_t object) const;
  bool remove_link(std::uint32_t ifindex);

  std::map<std::uint32_t, Interface> interfaces_;
  boost::unordered_flat_map<std::uint32_t, Link> links_;
  boost::unordered_flat_map<std::uint32_t, Object> objects_;
  boost::unordered_flat_map<NexthopKey, Valid, std::hash<NexthopKey>> neighbours_;
  // The gateways that sets name, with the last address that was valid: a router that does not
  // answer for a while is still the same router.
  std::map<NexthopKey, std::optional<EthernetAddress>> gateways_;

  std::deque<Kept> kept_;  // stays where it is while it grows
  std::vector<Id> free_;
  boost::unordered_flat_set<Id, Hash, Same> by_hops_;
  std::size_t sweep_at_ = 1024;

  NexthopSets shared_;
  std::vector<Set> sets_;
  std::vector<SetId> free_sets_;
  boost::unordered_flat_map<const void*, SetId> set_ids_;

  Generation generation_ = 1;
  bool stale_ = false;
};

}  // namespace hopwise::routes
