#include "probes/socket/departures.hpp"

#include <algorithm>

namespace hopwise::probes {

std::optional<Departures::Departure> Departures::note(const Stamp& stamp) {
  Pending& pending = pending_[stamp.key & (pending_.size() - 1)];
  if (pending.hops == 0 || pending.key != stamp.key)
    pending = {.key = stamp.key, .message_bytes = 0, .hops = 0, .queued_at = {}, .by = {}};
  if (stamp.point == StampPoint::queue) {
    if (pending.hops == 0) {
      pending.queued_at = stamp.at;
      if (!stamp.frame.empty())
        pending.message_bytes = static_cast<std::uint16_t>(stamp.looped.message.size());
    }
    add_hop(pending, stamp);
    return {};
  }
  Departure departure{stamp.looped.message, stamp.at, {}, {}};
  // A tunnel put its headers before the message, of its own protocol or even of ours; the end is
  // the message's still.
  const std::size_t size = pending.message_bytes;
  if (size != 0 && departure.message.size() != size)
    departure.message = stamp.frame.last(std::min(size, stamp.frame.size()));
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
