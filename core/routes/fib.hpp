// The kernel's routing state as its messages tell it, and what follows for each prefix. Pure.
//
// One table: prefix -> the routes to it, each a rank and a way of forwarding (forwardings.hpp), and
// the set that was told of it last. Most prefixes have one route, which stands in the table itself.
//
// A dump is taken into the same table: what it names is seen, what has not been seen at its end is
// gone. Events that come meanwhile count as seen; those that may be newer than the part of the dump
// that is read after them are applied once more on top of it.
#pragma once

#include <boost/container/small_vector.hpp>
#include <boost/unordered/unordered_flat_set.hpp>
#include <functional>
#include <optional>
#include <vector>

#include "core/routes/events.hpp"
#include "core/routes/forwardings.hpp"
#include "core/routes/parse.hpp"
#include "core/routes/prefix_table.hpp"

namespace hopwise::routes {

class Fib {
 public:
  /// `protocols`: RTPROT_* of the routes that may be steered; empty: all. What another has brought
  /// still comes before a route of higher metric, and is left to the kernel.
  explicit Fib(std::uint32_t table, std::vector<std::uint8_t> protocols = {});
  Fib(const Fib&) = delete;

  enum class Meaning {
    clear,
    ambiguous,  // taken in as well as possible; only a new dump tells what the kernel has now
  };
  /// An event.
  Meaning apply(const Message& message);

  // A dump: begin_dump(), messages kind by kind with end_of_read() after each read of the socket,
  // then end_dump(). Its routes are to be walked over then.
  enum class Kind { links, neighbours, objects, routes };
  void begin_dump();
  void dumped(const Message& message);
  void end_of_read();
  void end_of(Kind kind);
  void end_dump();
  /// It failed: what was read of it counts, nothing else is gone.
  void abandon_dump();
  /// The kernel may have passed over IPv6 routes in this dump (fib_dump.cpp). Those that it did not
  /// name are kept this time.
  [[nodiscard]] bool disturbed() const { return disturbed_; }

  /// Tells what changed: the set of the best route with a leg alive (empty: left to the kernel),
  /// or null where there is no route any more.
  using Tell = std::function<void(const Prefix&, const NexthopSet&)>;
  /// Of the prefixes that messages named since the last call.
  void tell_touched(const Tell& tell);
  /// True while something may have changed for routes that no message named.
  [[nodiscard]] bool walking() const { return left_to_walk_ > 0; }
  /// Of some 1,000 prefixes more; enough calls see all. Only while walking().
  void walk(const Tell& tell);
  /// From now on walk() tells of all once, changed or not.
  void retell() { left_to_walk_ = left_to_retell_ = PrefixTable<Row>::kShards; }

  /// As it would be told; null without a route.
  [[nodiscard]] NexthopSet best(const Prefix& prefix) const;
  /// As it was told last; null where none was.
  [[nodiscard]] NexthopSet told(const Prefix& prefix) const;
  void each_told(const Tell& visit) const;
  /// Follower::on_link.
  [[nodiscard]] std::optional<NexthopKey> on_link(const IpAddress& nexthop,
                                                  const std::optional<IpAddress>& link_local) const;
  [[nodiscard]] const std::map<std::uint32_t, Interface>& interfaces() const {
    return forwardings_.interfaces();
  }
  [[nodiscard]] Neighbour neighbour(const NexthopKey& key) const {
    return forwardings_.neighbour(key);
  }
  /// How many ways of forwarding are kept: bounded by those in use.
  [[nodiscard]] std::size_t sets() const { return forwardings_.size(); }
  [[nodiscard]] std::size_t size() const { return rows_.size(); }

 private:
  using SetId = Forwardings::SetId;
  struct Entry {
    Forwardings::Id forwarding = 0;
    std::uint32_t metric = 0;
    std::uint8_t tos = 0;
    bool local : 1 = false;
    bool source_specific : 1 = false;
    std::uint8_t seen = 0;  // the generation

    [[nodiscard]] bool same_rank(const Entry& o) const {
      return local == o.local && source_specific == o.source_specific && tos == o.tos &&
             metric == o.metric;
    }
  };
  // Local first, then by metric, then as the kernel has them.
  using Entries = boost::container::small_vector<Entry, 4>;
  enum class Holds : std::uint8_t { nothing, one, several };
  // One entry itself, with what was told; of several, `forwarding` is their place in several_.
  struct Row {
    Forwardings::Id forwarding = 0;
    std::uint32_t metric = 0;
    SetId told{};
    std::uint8_t tos = 0;
    bool local : 1 = false;
    bool source_specific : 1 = false;
    std::uint8_t seen = 0;
    Holds holds = Holds::nothing;

    [[nodiscard]] Entry entry() const {
      return {forwarding, metric, tos, local, source_specific, seen};
    }
    void set(const Entry& e) {
      forwarding = e.forwarding, metric = e.metric, tos = e.tos, local = e.local;
      source_specific = e.source_specific, seen = e.seen;
    }
  };
  static_assert(sizeof(Row) == 16);

  [[nodiscard]] bool follows(const RouteMessage& route) const;
  Meaning apply_route(const RouteMessage& route);
  Entry entry_of(const RouteMessage& route);
  Meaning take_in(Entries& entries, const RouteMessage& route);
  [[nodiscard]] std::pair<Entries::iterator, Entries::iterator> rank_of(Entries& entries,
                                                                        const Entry& entry) const;
  Meaning add_v4(Entries& entries, const Entry& entry, RouteMessage::Place place);
  Meaning add_v6(Entries& entries, const Entry& entry, RouteMessage::Place place);
  Meaning remove(Entries& entries, const Entry& entry, Family family);

  [[nodiscard]] Entries entries_of(const Row& row) const;
  void store(Row& row, const Entries& entries);
  [[nodiscard]] SetId best(const Row& row, Family family) const;
  void touch(const Prefix& prefix, const Row& row);
  bool tell_one(const Prefix& prefix, Row& row, const Tell& tell);
  void settle();
  void commit_run();
  void drop_unseen(const Prefix& prefix, Row& row);
  [[nodiscard]] std::optional<std::uint32_t> on_link_interface(const IpAddress& nexthop) const;

  std::uint32_t table_;
  std::vector<std::uint8_t> protocols_;
  Forwardings forwardings_;
  PrefixTable<Row> rows_;
  std::vector<Entries> several_;
  std::vector<std::uint32_t> free_several_;
  std::vector<Prefix> touched_;

  std::size_t left_to_walk_ = 0;  // shards
  std::size_t left_to_sweep_ = 0;
  std::size_t left_to_retell_ = 0;
  std::size_t cursor_ = 0;  // the next shard

  std::uint8_t generation_ = 1;
  std::uint8_t complete_ = 0, complete_before_ = 0;  // generations of dumps
  bool dumping_ = false;
  bool disturbed_ = false;
  std::vector<RouteMessage> run_;  // of a dump: the routes to one prefix, until another comes
  // Prefixes that this read of the dump told of, and the events since the read before it, or while
  // that was read.
  boost::unordered_flat_set<Prefix, std::hash<Prefix>> committed_;
  std::vector<RouteMessage> recent_, older_;
  std::vector<Message> recent_others_;
};

}  // namespace hopwise::routes
