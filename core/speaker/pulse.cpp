#include "core/speaker/pulse.hpp"

namespace hopwise::speaker {
namespace {

std::optional<SpeakerHealth> health_after(Fate fate, SpeakerHealth before) {
  switch (fate) {
    case Fate::answered:
    case Fate::rejected:
      return SpeakerHealth::alive;
    case Fate::unreachable:
      return before == SpeakerHealth::absent ? SpeakerHealth::absent : SpeakerHealth::dead;
    case Fate::silent:
    case Fate::garbled:
      return SpeakerHealth::silent;
    case Fate::closed:
      break;
  }
  return std::nullopt;
}

}  // namespace

std::optional<Pulse::Change> Pulse::heard(Fate fate, const std::string& detail, const Peer& peer,
                                          TimePoint now) {
  const auto health = health_after(fate, health_);
  if (!health) return std::nullopt;
  Change change{health_, false};
  if (*health == SpeakerHealth::alive && peer.known()) {
    change.restarted = peer_.known() && peer_.pid != peer.pid;
    if (change.restarted) ++restarts_;
    peer_ = peer;
    peer_seen_ = now;
  }
  because_ = *health == SpeakerHealth::alive ? std::string() : detail;
  if (*health == health_ && !change.restarted) return std::nullopt;
  if (*health != health_) since_ = now;
  health_ = *health;
  return change;
}

SpeakerProcess Pulse::status(TimePoint now) const {
  SpeakerProcess status{.name = name_,
                        .health = health_,
                        .because = because_,
                        .since = now - since_,
                        .restarts = restarts_};
  if (health_ != SpeakerHealth::dead && health_ != SpeakerHealth::absent && peer_.age)
    status.uptime = *peer_.age + (now - peer_seen_);
  if (health_ == SpeakerHealth::absent) status.since = {};
  return status;
}

}  // namespace hopwise::speaker
