#include "core/speaker/pulse.hpp"

namespace hopwise::speaker {
namespace {

std::optional<SpeakerHealth> health_after(Outcome outcome, SpeakerHealth before) {
  switch (outcome) {
    case Outcome::answered:
    case Outcome::rejected:
      return SpeakerHealth::alive;
    case Outcome::unreachable:
      return before == SpeakerHealth::absent ? SpeakerHealth::absent : SpeakerHealth::dead;
    case Outcome::silent:
    case Outcome::garbled:
      return SpeakerHealth::silent;
    case Outcome::closed:
      break;
  }
  return std::nullopt;
}

}  // namespace

std::optional<Pulse::Change> Pulse::heard(Outcome outcome, const std::string& detail,
                                          const Peer& peer, TimePoint now) {
  const auto health = health_after(outcome, health_);
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
