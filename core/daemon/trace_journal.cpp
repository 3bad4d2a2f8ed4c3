#include "core/daemon/trace_journal.hpp"

#include <algorithm>

#include "core/model/format.hpp"

namespace hopwise {
namespace {

bool is_since(const std::optional<TimePoint>& then, Duration pause, TimePoint now) {
  return !then || now - *then >= pause;
}

// The one that answered most there.
std::optional<IpAddress> at(const std::vector<TraceHop>& hops, std::uint8_t distance) {
  for (const TraceHop& hop : hops)
    if (hop.distance == distance && !hop.answers.empty())
      return std::ranges::max_element(hop.answers, {}, &TraceHop::Answer::count)->from;
  return {};
}

// Where a way is not one way, any of those that answer there belongs to it.
bool answers(const std::vector<TraceHop>& hops, std::uint8_t distance, const IpAddress& address) {
  return std::ranges::any_of(hops, [&](const TraceHop& hop) {
    return hop.distance == distance &&
           std::ranges::find(hop.answers, address, &TraceHop::Answer::from) != hop.answers.end();
  });
}

// Nearest first, those that answered in both.
void find_change(TraceVerdict& verdict, const Trace& trace, const std::vector<TraceHop>& whole) {
  for (const TraceHop& hop : trace.hops) {
    const auto is = at(trace.hops, hop.distance), was = at(whole, hop.distance);
    if (!is || !was || answers(whole, hop.distance, *is) || answers(trace.hops, hop.distance, *was))
      continue;
    verdict.changed = {*was, *is};
    verdict.changed_at = hop.distance;
    return;
  }
}

}  // namespace

TraceVerdict judge(const Trace& trace, const std::vector<TraceHop>* whole) {
  TraceVerdict verdict{.reached = trace.reached};
  if (const TraceHop* last = farthest(trace)) {
    verdict.last = at(trace.hops, last->distance);
    verdict.distance = last->distance;
    for (const auto& answer : last->answers)
      if (answer.note) verdict.note = answer.note;
    verdict.loss = loss_at(trace, static_cast<std::size_t>(last - trace.hops.data()));
  } else {
    verdict.loss = 1;
  }
  if (whole == nullptr) return verdict;
  find_change(verdict, trace, *whole);
  if (trace.reached || verdict.changed) return verdict;
  for (const TraceHop& hop : *whole)
    if (hop.distance > verdict.distance && !verdict.next_was)
      verdict.next_was = at(*whole, hop.distance);
  return verdict;
}

std::string text(const TraceVerdict& verdict) {
  const std::string hop = " (hop " + std::to_string(verdict.distance) + ")";
  std::string said;
  if (!verdict.last)
    said = "nothing answers";
  else if (verdict.reached)
    said = format("reached at hop %d, loss %.0f %%", verdict.distance, 100 * verdict.loss);
  else if (verdict.note)
    said = verdict.last->text() + hop + " says " + *verdict.note;
  else
    said = "nothing answers behind " + verdict.last->text() + hop;
  if (verdict.changed)
    said += "; at hop " + std::to_string(verdict.changed_at) + " is " +
            verdict.changed->second.text() + ", " + verdict.changed->first.text() +
            " was there when the way was whole";
  if (verdict.next_was)
    said += "; " + verdict.next_was->text() + " came next when the way was whole";
  return said;
}

std::uint64_t TraceJournal::begin(const Order& order) {
  // Of those that run there are always fewer than are kept.
  while (traces_.size() >= kKept) {
    const auto ended = std::ranges::find(traces_, true, &Trace::ended);
    traces_.erase(ended != traces_.end() ? ended : traces_.begin());
  }
  Trace trace;
  trace.id = ++newest_;
  trace.nexthop = order.nexthop.id;
  trace.nexthop_name = order.nexthop.name;
  trace.destination = order.destination;
  trace.because = order.because;
  trace.started = order.now;
  traces_.push_back(std::move(trace));
  Begun& begun = begun_[order.nexthop.id];
  if (order.because == kReference)
    last_reference_ = begun.reference = order.now;
  else if (order.because != kOperator)
    begun.cause = order.now;
  return newest_;
}

void TraceJournal::note(std::uint64_t id, Trace found) {
  Trace* trace = find_mutable(id);
  if (trace == nullptr || trace->ended) return;
  trace->ended = found.ended;
  trace->reached = found.reached;
  trace->hops = std::move(found.hops);
  trace->error = std::move(found.error);
  if (!trace->ended) return;
  trace->verdict = trace->error ? "failed: " + *trace->error
                                : text(judge(*trace, whole(trace->nexthop, trace->destination)));
  // A nexthop that went meanwhile was forgotten with all its ways.
  if (trace->reached && !trace->error && begun_.contains(trace->nexthop)) remember(*trace);
}

bool TraceJournal::may_ask(NexthopId nexthop, Reason reason, TimePoint now) const {
  if (reason != Reason::path_down && reason != Reason::path_degraded) return false;
  if (running_by_daemon() >= kMostAtOnce) return false;
  const auto begun = begun_.find(nexthop);
  return begun == begun_.end() || is_since(begun->second.cause, kBetweenCauses, now);
}

bool TraceJournal::reference_due(NexthopId nexthop, TimePoint now) const {
  if (running_by_daemon() > 0 || !is_since(last_reference_, kReferencePause, now)) return false;
  const auto begun = begun_.find(nexthop);
  return begun == begun_.end() || is_since(begun->second.reference, kBetweenReferences, now);
}

const Trace* TraceJournal::find(std::uint64_t id) const {
  const auto found = std::ranges::find(traces_, id, &Trace::id);
  return found != traces_.end() ? &*found : nullptr;
}

Trace* TraceJournal::find_mutable(std::uint64_t id) {
  const auto found = std::ranges::find(traces_, id, &Trace::id);
  return found != traces_.end() ? &*found : nullptr;
}

const std::vector<TraceHop>* TraceJournal::whole(NexthopId nexthop,
                                                 const IpAddress& destination) const {
  const auto found = whole_.find({nexthop, destination});
  return found != whole_.end() ? &found->second.hops : nullptr;
}

void TraceJournal::remember(const Trace& trace) {
  whole_[{trace.nexthop, trace.destination}] = {trace.id, trace.hops};
  if (whole_.size() > kWaysKept)
    whole_.erase(
        std::ranges::min_element(whole_, {}, [](const auto& way) { return way.second.id; }));
}

void TraceJournal::forget(NexthopId nexthop) {
  begun_.erase(nexthop);
  std::erase_if(whole_, [&](const auto& way) { return way.first.first == nexthop; });
}

std::size_t TraceJournal::running() const {
  return static_cast<std::size_t>(std::ranges::count(traces_, false, &Trace::ended));
}

std::size_t TraceJournal::running_by_daemon() const {
  return static_cast<std::size_t>(std::ranges::count_if(
      traces_, [](const Trace& trace) { return !trace.ended && trace.because != kOperator; }));
}

}  // namespace hopwise
