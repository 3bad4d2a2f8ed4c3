#include "core/daemon/traces.hpp"

namespace hopwise {

Result<std::uint64_t> Traces::ask(const Nexthop& nexthop, const IpAddress& destination,
                                  const probes::TraceOptions& options) {
  if (journal_.running_by_operator() >= kMostAsked)
    return Error{"trace " + destination.text() + " by " + nexthop.name + ": " +
                 std::to_string(kMostAsked) +
                 " others that were asked for are under way (wait for one to end)"};
  return begin(nexthop, destination, TraceJournal::kOperator, options);
}

void Traces::decided(Reason reason, const Nexthop& cause, const IpAddress& anchor) {
  if (!journal_.may_ask(cause.id, reason, clock_())) return;
  begin(cause, anchor, std::string(text(reason)), {});
}

// One probe a hop less than the others: nobody waits for it.
void Traces::calm(const Nexthop& nexthop, const IpAddress& anchor) {
  if (!journal_.reference_due(nexthop.id, clock_())) return;
  begin(nexthop, anchor, TraceJournal::kReference, {.probes = 2});
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
