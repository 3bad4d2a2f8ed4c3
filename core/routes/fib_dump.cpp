// A dump, taken into the table that is in use.
//
// The kernel makes ready what is read next while it gives out what is read now. So events that came
// since the read before may be newer than what this read tells, although they were applied before
// it: for the prefixes that it tells of they are applied again. Older ones among them do no harm:
// the end of a history on top of a state that it has led to leads to the same state. The routes to
// one prefix stand together, and are taken in when the next prefix has come, perhaps one read
// later: hence the events of two reads are kept.
//
// Where IPv6 routes come while they are dumped, the kernel begins anew and passes over as many
// nodes as it had visited: where others of these went, over some that it has never told. So what a
// dump did not name, while an IPv6 route went, is gone only when the next did not name it either.
#include <linux/rtnetlink.h>

#include <algorithm>
#include <utility>

#include "core/routes/fib.hpp"

namespace hopwise::routes {

void Fib::begin_dump() {
  abandon_dump();
  dumping_ = true;
  left_to_sweep_ = 0;
  disturbed_ = false;
  if (++generation_ == 0) ++generation_;
  forwardings_.begin_generation();
}

void Fib::dumped(const Message& message) {
  const auto* route = std::get_if<RouteMessage>(&message);
  if (route != nullptr) {
    if (!follows(*route)) return;
    if (!run_.empty() &&
        (run_.front().prefix != route->prefix || run_.front().table != route->table))
      commit_run();
    run_.push_back(*route);
    return;
  }
  if (const auto* link = std::get_if<LinkMessage>(&message)) forwardings_.apply(*link);
  if (const auto* object = std::get_if<NexthopMessage>(&message)) forwardings_.apply(*object);
  if (const auto* neighbour = std::get_if<NeighbourMessage>(&message))
    forwardings_.apply(*neighbour);
}

void Fib::commit_run() {
  if (run_.empty()) return;
  const Prefix prefix = run_.front().prefix;
  const bool local = run_.front().table == RT_TABLE_LOCAL;
  Row& row = rows_[prefix];
  Entries entries = entries_of(row);
  entries.erase(std::remove_if(entries.begin(), entries.end(),
                               [&](const Entry& entry) { return entry.local == local; }),
                entries.end());
  for (const RouteMessage& route : run_) take_in(entries, route);
  store(row, entries);
  touch(prefix, row);
  run_.clear();
  if (!older_.empty() || !recent_.empty()) committed_.insert(prefix);
  forwardings_.sweep();
}

void Fib::end_of_read() {
  for (const auto* events : {&older_, &recent_})
    for (const RouteMessage& route : *events)
      if (committed_.contains(route.prefix)) apply_route(route);
  committed_.clear();
  older_ = std::exchange(recent_, {});
  for (const Message& message : std::exchange(recent_others_, {})) dumped(message);
}

void Fib::end_of(Kind kind) {
  switch (kind) {
    case Kind::links:
      return forwardings_.sweep_links();
    case Kind::neighbours:
      return forwardings_.sweep_neighbours();
    case Kind::objects:
      return forwardings_.sweep_objects();
    case Kind::routes:
      return commit_run();
  }
}

void Fib::end_dump() {
  abandon_dump();
  complete_before_ = std::exchange(complete_, generation_);
  left_to_walk_ = left_to_sweep_ = PrefixTable<Row>::kShards;
}

void Fib::abandon_dump() {
  dumping_ = false;
  run_.clear();
  committed_.clear();
  recent_.clear();
  older_.clear();
  recent_others_.clear();
}

}  // namespace hopwise::routes
