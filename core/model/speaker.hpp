// The routing daemon beside us, as the status tells of it: its health, where the kernel's routes
// are not what it believes to have installed, and its BFD sessions. Plain data.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/model/address.hpp"
#include "core/model/time.hpp"

namespace hopwise {

enum class SpeakerKind : std::uint8_t {
  none,  // none asked: switched off, or none answers in this network namespace
  frr,
  bird,
};
std::string_view text(SpeakerKind kind);

enum class SpeakerHealth : std::uint8_t {
  absent,  // never seen: not in use
  alive,   // its newest answer was in time
  silent,  // it is there and does not answer: hung, stopped, or very busy
  dead,    // it was there, and its socket is closed
};
std::string_view text(SpeakerHealth health);

/// One process of it: of FRR zebra, bgpd, bfdd and staticd, of BIRD bird.
struct SpeakerProcess {
  std::string name;
  SpeakerHealth health = SpeakerHealth::absent;
  std::string because{};             // of silent and dead
  Duration since{};                  // how long it has been so
  std::optional<Duration> uptime{};  // of the process; empty: it is not there, or cannot be told
  std::uint64_t restarts = 0;        // seen by this run of hopwise
};

/// How the kernel's route differs from what the routing daemon believes to have installed.
enum class DivergenceKind : std::uint8_t {
  missing,  // the kernel lacks nexthops
  extra,    // the kernel has nexthops that the daemon does not
  both,     // each has some that the other lacks
  weights,  // the same nexthops, weighted otherwise
  unknown,  // the daemon knows no such route
  refused,  // the daemon says itself that the kernel refused it
};
inline constexpr std::size_t kDivergenceKinds = 6;
std::string_view text(DivergenceKind kind);

/// One set of nexthops that routing uses, shown by one of its prefixes.
struct Divergence {
  Prefix prefix;
  DivergenceKind kind = DivergenceKind::missing;
  std::vector<std::string> missing{};  // in the kernel: "10.99.2.2@eth1"
  std::vector<std::string> extra{};
  Duration since{};  // how long it has been seen
};

/// RFC 5880, 4.1; `init` and `down` are one here: nothing is known to come back.
enum class BfdState : std::uint8_t { down, up, admin_down };
std::string_view text(BfdState state);

struct BfdSession {
  IpAddress peer;
  std::string interface {};  // empty: any
  BfdState state = BfdState::down;
  bool failed = false;    // down for a reason that says so of the path: takes its nexthops out
  std::string because{};  // the daemon's diagnostic; empty where it tells none
};

struct SpeakerStatus {
  SpeakerKind kind = SpeakerKind::none;
  std::string socket{};       // FRR's folder or BIRD's socket
  std::string note{};         // what the operator must know; empty when all is well
  std::string not_checked{};  // why routes are not compared; empty: they are
  std::vector<SpeakerProcess> processes{};
  std::uint64_t looks = 0;                // routes compared
  std::vector<Divergence> divergences{};  // that stand
  std::vector<BfdSession> bfd{};
};

}  // namespace hopwise
