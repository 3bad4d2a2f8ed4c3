// How long a peer is turned away after a session's end (DampPeerOscillations of RFC 4271, section
// 8.1): each session that did not live long doubles it. Pure.
#pragma once

#include <algorithm>

#include "core/model/time.hpp"

namespace hopwise::bgp {

class HoldOff {
 public:
  static constexpr Duration kFirst = std::chrono::milliseconds(500);
  static constexpr Duration kMost = std::chrono::minutes(1);
  /// A session that lived so long was none of a flap.
  static constexpr Duration kStable = std::chrono::minutes(1);
  /// Too many prefixes are still too many a second later.
  static constexpr Duration kAfterTooMany = std::chrono::minutes(1);
  static constexpr Duration kMostAfterTooMany = std::chrono::minutes(15);

  enum class Ending : std::uint8_t { usual, too_many_prefixes };

  /// A connection was there from `began` to `now`. Returns until when the peer is turned away.
  TimePoint ended(TimePoint began, TimePoint now, Ending how) {
    if (now - began >= kStable) next_ = Duration{};
    const bool too_many = how == Ending::too_many_prefixes;
    if (too_many) next_ = std::max(next_, kAfterTooMany);
    until_ = now + next_;
    next_ = std::min(std::max(next_ * 2, kFirst), too_many ? kMostAfterTooMany : kMost);
    return until_;
  }
  [[nodiscard]] bool holds(TimePoint now) const { return now < until_; }
  [[nodiscard]] TimePoint until() const { return until_; }

 private:
  Duration next_{};  // the first end costs nothing: daemons are restarted
  TimePoint until_{};
};

}  // namespace hopwise::bgp
