#include "core/daemon/traces.hpp"

#include <algorithm>
#include <array>

#include "core/daemon/calm.hpp"

namespace hopwise {
namespace {

/// By name, id or gateway.
const NexthopRecord* find(const std::string& named, const Steering& steering) {
  const auto& all = steering.nexthops();
  const auto found = std::ranges::find_if(all, [&](const auto& entry) {
    const Nexthop& nexthop = entry.second.nexthop;
    const std::array names{nexthop.name, std::to_string(raw(nexthop.id)),
                           nexthop.key.gateway.text()};
    return std::ranges::find(names, named) != names.end();
  });
  return found == all.end() ? nullptr : &found->second;
}

/// Where its way is traced to.
std::optional<IpAddress> anchor_of(const NexthopRecord& record, const Steering& steering) {
  const auto anchors = steering.target_of(record).anchors;
  return anchors.empty() ? std::nullopt : std::optional(anchors.front().anchor.address);
}

}  // namespace

Result<std::uint64_t> Traces::ask(const api::TraceOrder& order, const Steering& steering) {
  const NexthopRecord* record = find(order.nexthop, steering);
  if (record == nullptr)
    return Error{"trace " + order.destination.text() + ": there is no nexthop \"" + order.nexthop +
                 "\" (a name, an id or a gateway: `hopwise status` lists them)"};
  if (journal_.running_by_operator() >= kMostAsked)
    return Error{"trace " + order.destination.text() + " by " + record->nexthop.name + ": " +
                 std::to_string(kMostAsked) +
                 " others that were asked for are under way (wait for one to end)"};
  return begin(record->nexthop, order.destination, TraceJournal::kOperator,
               {.probes = order.probes, .max_hops = order.max_hops});
}

void Traces::decided(const Decision& decision, const Steering& steering) {
  if (!decision.cause) return;
  const auto cause = steering.nexthops().find(*decision.cause);
  if (cause == steering.nexthops().end() || !cause->second.ready() ||
      !journal_.may_ask(cause->first, decision.reason, clock_()))
    return;
  if (const auto anchor = anchor_of(cause->second, steering))
    begin(cause->second.nexthop, *anchor, std::string(text(decision.reason)), {});
}

// One probe a hop less than the others: nobody waits for it.
void Traces::compare(const Steering& steering, const engine::Engine& engine) {
  for (const auto& [id, record] : steering.nexthops()) {
    if (!journal_.reference_due(id, clock_()) || !is_calm(record, engine)) continue;
    if (const auto anchor = anchor_of(record, steering))
      begin(record.nexthop, *anchor, TraceJournal::kReference, {.probes = 2});
  }
}

std::uint64_t Traces::begin(const Nexthop& nexthop, const IpAddress& destination,
                            const std::string& because, const probes::TraceOptions& options) {
  const std::uint64_t id = journal_.begin({nexthop, destination, because, clock_()});
  probes_.trace(nexthop.id, destination, options,
                [this, id](const probes::Findings& findings) { found(id, findings); });
  return id;
}

void Traces::found(std::uint64_t id, const probes::Findings& findings) {
  Trace trace;
  trace.ended = findings.ended;
  trace.reached = findings.reached;
  trace.hops = findings.hops;
  trace.error = findings.error;
  journal_.note(id, std::move(trace));
  if (const Trace* noted = journal_.find(id); noted != nullptr && noted->ended) tell(*noted);
}

// Whoever asked for one is told by other means; a reference matters only to later ones.
void Traces::tell(const Trace& trace) {
  const TraceHop* last = farthest(trace);
  const bool asked = trace.because == TraceJournal::kOperator;
  const bool reference = trace.because == TraceJournal::kReference;
  const auto say = [&](Log::Fields fields) {
    asked || reference ? log_.debug("trace", fields) : log_.warn("trace", fields);
  };
  say({{"id", std::to_string(trace.id)},
       {"nexthop", trace.nexthop_name},
       {"destination", trace.destination.text()},
       {"because", trace.because},
       {"reached", trace.reached ? "yes" : "no"},
       {"last_hop", last != nullptr ? last->answers.front().from.text() : "none"},
       {"distance", last != nullptr ? std::to_string(last->distance) : "0"},
       {"verdict", trace.verdict}});
}

}  // namespace hopwise
