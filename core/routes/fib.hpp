// The kernel's routing state as the messages tell it, and what follows for each prefix. Pure.
//
// Routes refer to interned sets of hops, so a link or a nexthop object that changes is resolved
// once a set, not once a route. Changes are gathered in `touched()` until they are taken.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <set>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "core/routes/events.hpp"
#include "core/routes/parse.hpp"

namespace hopwise::routes {

class Fib {
 public:
  explicit Fib(std::uint32_t table) : table_(table) {}

  enum class Meaning {
    clear,
    ambiguous,  // taken in as well as possible; only a new dump tells what the kernel has now
  };
  Meaning apply(const Message& message);

  /// All nexthops of the best route with a leg alive (an empty set: left to the kernel); null
  /// without a route.
  [[nodiscard]] NexthopSet best(const Prefix& prefix) const;
  [[nodiscard]] const std::map<std::uint32_t, Interface>& interfaces() const { return interfaces_; }
  [[nodiscard]] Neighbour neighbour(const NexthopKey& key) const;
  [[nodiscard]] std::vector<Prefix> prefixes() const;
  /// How many sets of hops are kept: bounded by those in use.
  [[nodiscard]] std::size_t sets() const { return forwardings_.size(); }

  /// The prefixes whose best route may have changed since the last call, some more than once.
  std::vector<Prefix> take_touched();

 private:
  struct Forwarding {
    Hops hops;
    NexthopSet reported;  // null: no leg is alive
    bool changed = false;
  };
  struct ByHops {
    using is_transparent = void;
    using Pointer = std::shared_ptr<Forwarding>;
    bool operator()(const Pointer& a, const Pointer& b) const { return a->hops < b->hops; }
    bool operator()(const Pointer& a, const Hops& b) const { return a->hops < b; }
    bool operator()(const Hops& a, const Pointer& b) const { return a < b->hops; }
  };
  struct Entry {
    bool local = false;
    bool source_specific = false;
    std::uint8_t tos = 0;
    std::uint32_t metric = 0;
    std::shared_ptr<Forwarding> forwarding;

    [[nodiscard]] bool same_rank(const Entry& o) const {
      return local == o.local && source_specific == o.source_specific && tos == o.tos &&
             metric == o.metric;
    }
  };
  using Entries = std::vector<Entry>;  // local first, then by metric, then as the kernel has them

  Meaning apply_route(const RouteMessage& route);
  Meaning add_v4(Entries& entries, Entry entry, RouteMessage::Place place);
  Meaning add_v6(Entries& entries, Entry entry, RouteMessage::Place place);
  Meaning remove(Entries& entries, const Entry& entry, Family family);
  Meaning apply_link(const LinkMessage& link);
  Meaning apply_nexthop(const NexthopMessage& nexthop);
  Meaning apply_neighbour(const NeighbourMessage& neighbour);

  std::shared_ptr<Forwarding> intern(const Hops& hops);
  [[nodiscard]] std::vector<Leg> legs(const Hops& hops) const;
  [[nodiscard]] NexthopSet resolve(const Hops& hops) const;
  [[nodiscard]] bool in_use(std::uint32_t nexthop) const;
  void resolve_anew();

  std::uint32_t table_;
  std::map<std::uint32_t, Interface> interfaces_;
  std::unordered_set<std::uint32_t> enabled_;  // interfaces that are administratively up
  std::unordered_map<std::uint32_t, NexthopMessage> nexthops_;
  std::unordered_map<NexthopKey, std::optional<EthernetAddress>> neighbours_;  // the valid ones
  std::unordered_map<Prefix, Entries> routes_;
  std::set<std::shared_ptr<Forwarding>, ByHops> forwardings_;
  std::size_t sweep_at_ = 1024;  // forget unused forwardings when there are so many
  std::vector<Prefix> touched_;
  bool stale_ = false;  // links or nexthop objects changed since forwardings were resolved
};

}  // namespace hopwise::routes
