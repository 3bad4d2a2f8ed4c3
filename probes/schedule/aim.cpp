#include "probes/schedule/aim.hpp"

#include <algorithm>

#include "core/model/result.hpp"

namespace hopwise::probes {
namespace {

ProbeState state_of(const Aim& aim, TimePoint now) {
  if (!aim.stream.ready()) return ProbeState::waiting;
  if (aim.stuck) return ProbeState::unbound;
  return aim.stream.suspicious(now) ? ProbeState::suspicious : ProbeState::probing;
}

// Of all sessions of which something is known.
std::optional<DirectionalLoss> directional(const Aim& aim) {
  std::optional<DirectionalLoss> all;
  for (const Directional& session : aim.sessions) {
    const auto loss = session.loss();
    if (!loss) continue;
    if (!all) all.emplace();
    all->forward += loss->forward;
    all->backward += loss->backward;
  }
  return all;
}

}  // namespace

std::optional<std::string> text(const Trouble& trouble) {
  if (const auto* failure = std::get_if<SendFailure>(&trouble))
    return system_error("send probe", failure->error).message;
  if (const auto* refused = std::get_if<RefusedBy>(&trouble))
    return "ICMP type " + std::to_string(refused->type) + " code " + std::to_string(refused->code) +
           " from " + refused->by.text();
  if (const auto* unbound = std::get_if<std::string>(&trouble)) return *unbound;
  return {};
}

ProbeStatus Aim::status(TimePoint now) const {
  const Stream::Counters& c = stream.counters();
  ProbeStatus status;
  status.nexthop = nexthop;
  status.anchor = anchor();
  status.state = state_of(*this, now);
  status.sent = c.sent;
  status.received = c.received;
  status.lost = c.lost;
  status.late = c.late;
  status.duplicate = c.duplicate;
  status.unsent = c.unsent;
  status.forged = forged + c.forged;
  status.refused = refused;
  status.proved = c.proved;
  status.voids = c.voids;
  status.kernel_stamped = c.kernel_stamped;
  status.rtt = stream.rtt();
  status.flows = stream.flows();
  status.directional = directional(*this);
  status.forward = forward;
  status.backward = backward;
  status.last_error = text(trouble);
  return status;
}

Aim* Aims::add(Aim aim, TimePoint now) {
  if (size() == kMost) return nullptr;
  if (slots_.size() < kMost && (free_.empty() || now - free_.front().since < kRest)) {
    aim.slot = static_cast<std::uint32_t>(slots_.size());
    slots_.emplace_back();
  } else {
    aim.slot = free_.front().slot;
    free_.pop_front();
  }
  by_nexthop_[aim.nexthop].push_back(aim.slot);
  auto& place = slots_[aim.slot];
  place = std::make_unique<Aim>(std::move(aim));
  return place.get();
}

Aim* Aims::find(NexthopId id, const AnchorSpec& spec) const {
  const auto found = by_nexthop_.find(id);
  if (found == by_nexthop_.end()) return nullptr;
  for (const std::uint32_t slot : found->second)
    if (slots_[slot]->spec == spec) return slots_[slot].get();
  return nullptr;
}

void Aims::remove(const Aim& aim, TimePoint now) {
  const std::uint32_t slot = aim.slot;
  const auto nexthop = by_nexthop_.find(aim.nexthop);
  std::erase(nexthop->second, slot);
  if (nexthop->second.empty()) by_nexthop_.erase(nexthop);
  slots_[slot].reset();
  free_.push_back({slot, now});
}

}  // namespace hopwise::probes
