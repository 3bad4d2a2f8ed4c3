// Whether one process of the routing daemon lives, by what came of the questions put to it. Pure.
#pragma once

#include <optional>
#include <string>

#include "core/model/speaker.hpp"

namespace hopwise::speaker {

/// What came of a question.
enum class Fate : std::uint8_t {
  answered,
  rejected,     // answered too: the daemon does not know the command, or refuses it
  unreachable,  // no socket, nobody behind it, or no right to use it
  closed,       // the connection ended instead
  silent,       // nothing within the time-out
  garbled,      // what came is no answer, or has no end
};

/// Who is behind a socket, by SO_PEERCRED of its listener.
struct Peer {
  int pid = 0;
  std::optional<Duration> age{};  // of the process

  [[nodiscard]] bool known() const { return pid != 0; }
};

class Pulse {
 public:
  explicit Pulse(std::string name) : name_(std::move(name)) {}

  struct Change {
    SpeakerHealth before;
    bool restarted = false;  // another process than before
  };
  /// `detail` says why, of all but answers. A change of health, or another process, is returned.
  /// `closed` changes nothing: whether it lives, the next question shows.
  std::optional<Change> heard(Fate fate, const std::string& detail, const Peer& peer,
                              TimePoint now);

  [[nodiscard]] const std::string& name() const { return name_; }
  [[nodiscard]] SpeakerHealth health() const { return health_; }
  [[nodiscard]] const std::string& because() const { return because_; }
  [[nodiscard]] bool alive() const { return health_ == SpeakerHealth::alive; }
  [[nodiscard]] SpeakerProcess status(TimePoint now) const;

 private:
  std::string name_;
  SpeakerHealth health_ = SpeakerHealth::absent;
  std::string because_;
  TimePoint since_{};
  Peer peer_;
  TimePoint peer_seen_{};
  std::uint64_t restarts_ = 0;
};

}  // namespace hopwise::speaker
