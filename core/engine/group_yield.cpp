// A queue on a path that carries much of ours: how much of it gives way.
//
// Such a queue has few per cent too many under it. To leave the path for it would fill the others,
// and those who share the link with us see the same queue, leave as well, and return as well. So
// the answer is in proportion, and remembered:
//
// - What flows now is all there is: the carrier learns that (Carrier::fill()). The share becomes
//   what this bears with some room, reckoned from what flows: of a share that was being raised,
//   much is still on its way. That is for good; the slow law goes on from there.
// - While the queue does not shrink, half of what is left goes, as a limit that the ramp lifts; and
//   then, unless our load explains it, all. One that after the first part stands as still as no
//   queue does, and loses nothing, is none: the path is left.
// - Where our own load explains the queue, and nothing has shown that others fill the link too, the
//   slow law answers. Only what does not shrink by that gives way, and no more than the first part:
//   flows come and go by chance, and the queue with them.
#include <algorithm>

#include "core/engine/group_law.hpp"
#include "core/model/format.hpp"

namespace hopwise::engine {
namespace {

constexpr double kMuch = 0.3;    // of the capacity: it matters to the queue
constexpr double kKeeps = 0.85;  // of what flows
constexpr double kShrinks = 0.9;
constexpr Duration kVerdict = std::chrono::seconds(2);
constexpr Duration kOwnVerdict = std::chrono::seconds(4);
constexpr int kParts = 2;

}  // namespace

// False: that is no answer here.
bool GroupLaw::gives_way(Share& s, TimePoint now) {
  TrackedNexthop& nexthop = *s.nexthop;
  const double demand = demand_.total_bit_s(now).value_or(0);
  if (unmet_ && objectives_.unmet == Unmet::routing) return false;  // no slow law to go on from it
  if (s.relief || nexthop.fell_by_loss() || !s.could_bit_s || demand <= 0) return false;
  if (nexthop.onset(now) == Onset::at_once) return false;
  if (!s.yield) {
    if (!s.loaded && nexthop.load.carried_bit_s < kMuch * *s.could_bit_s) return false;
    if (nexthop.onset(now) == Onset::unsure) return true;
    s.yield.emplace(now, nexthop.reading()->queue_ms());
    if (s.loaded && !nexthop.carrier.shared(now)) return true;
  } else {
    s.yield->note(nexthop.reading()->queue_ms());
    const bool own = s.loaded && !nexthop.carrier.shared(now);
    if (!own && s.yield->parts == 1 && s.yield->stands(now) && nexthop.loss() <= 0) {
      nexthop.carrier.refute();
      return false;
    }
    if (now - s.yield->at < (own ? kOwnVerdict : kVerdict)) return true;
    if (own && s.yield->parts > 0) return true;
    const double before = s.yield->queue_ms;
    s.yield->judge(nexthop.reading()->queue_ms(), now);
    if (s.yield->queue_ms < kShrinks * before) return true;
    if (s.yield->parts == kParts) return s.loaded;
  }
  give_part(s, demand, now);
  return true;
}

void GroupLaw::give_part(Share& s, double demand_bit_s, TimePoint now) {
  TrackedNexthop& nexthop = *s.nexthop;
  if (s.yield->parts++ == 0) {
    nexthop.carrier.fill(s.yield->queue_ms, now);
    // What is wanted of paths that are out or limited is on the others as well.
    const double flows = std::min(demand_.carried_bit_s(index(s)) / demand_bit_s, 1.0);
    if (s.weight > 0) reduce(s, kKeeps * flows * s.wanted / s.weight, now);
  } else {
    set_limit(s, std::min(s.limit, std::max(s.weight / 2, least_share(s))));
  }
  const double gone = s.weight - weights()[index(s)];
  if (gone < kRaise) return;
  s.left = now;
  trigger({Reason::path_degraded, nexthop.id(),
           nexthop.evidence() + format(" gives_way=%.3f", gone), true});
}

// Lowers what the slow law wants of it. The others take that in proportion, as far as they have
// room and may.
void GroupLaw::reduce(Share& s, double to, TimePoint now) {
  to = std::max(to, least_share(s));
  if (to >= s.wanted) return;
  Arena arena;
  auto wanted = row<double>(arena, shares_.size());
  auto bounds = row<Bounds>(arena, shares_.size());
  for (const Share& o : shares_) {
    const bool takes = o.usable && o.most() >= 1 && !in_fault(o.nexthop->state());
    const double most = std::max(takes ? std::min(room_of(o), o.cap.at(now)) : 0, o.wanted);
    wanted.push_back(o.wanted);
    bounds.push_back(&o == &s ? Bounds{to, to} : Bounds{o.wanted, most});
  }
  bounded_shares(wanted, bounds, wanted);
  for (std::size_t i = 0; i < shares_.size(); ++i) shares_[i].wanted = wanted[i];
}

}  // namespace hopwise::engine
