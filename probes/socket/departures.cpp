#include "probes/socket/departures.hpp"

namespace hopwise::probes {

std::optional<Departures::Departure> Departures::note(const Stamp& stamp) {
  Pending& pending = pending_[stamp.key & (pending_.size() - 1)];
  if (pending.hops == 0 || pending.key != stamp.key)
    pending = {.key = stamp.key, .message_bytes = 0, .hops = 0, .queued_at = {}, .by = {}};
  if (stamp.point == StampPoint::queue) {
    if (pending.hops == 0) {
      pending.queued_at = stamp.at;
      pending.message_bytes = static_cast<std::uint16_t>(stamp.looped.message.size());
    }
    add_hop(pending, stamp);
    return {};
  }
  Departure departure{stamp.looped.message, stamp.at, {}, {}};
  // A tunnel put its headers before the message; the end is the message's still.
  if (departure.message.empty() && stamp.frame.size() >= pending.message_bytes)
    departure.message = stamp.frame.last(pending.message_bytes);
  if (stamp.at && pending.queued_at && *stamp.at >= *pending.queued_at)
    departure.queued = *stamp.at - *pending.queued_at;
  add_hop(pending, stamp);
  departure.hops = {pending.by.data(), pending.hops};
  pending.hops = 0;
  if (departure.message.empty()) return {};
  return departure;
}

void Departures::add_hop(Pending& pending, const Stamp& stamp) {
  const Hop hop{stamp.ifindex, stamp.looped.to};
  // The driver's stamp is of the interface whose queue it came from.
  if (pending.hops > 0 && pending.by[pending.hops - 1] == hop) return;
  if (pending.hops < kHops) pending.by[pending.hops++] = hop;
}

}  // namespace hopwise::probes
