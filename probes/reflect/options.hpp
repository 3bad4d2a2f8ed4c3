// What a reflector may do and for whom, and what became of all that came: plain data.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "core/model/address.hpp"
#include "core/model/time.hpp"

namespace hopwise::probes {

struct ReflectorOptions {
  enum class Mode : std::uint8_t { stateful, stateless };

  std::vector<IpAddress> listen;  // empty: all addresses of both families
  std::uint16_t port = 862;
  std::string key;  // raw; with it only authenticated requests are answered
  Mode mode = Mode::stateful;
  double source_rate = 1'000;     // replies a second to one IPv4 address or IPv6 /64
  double total_rate = 200'000;    // to all
  std::size_t sources = 65'536;   // whose rate is remembered
  std::size_t sessions = 65'536;  // of a stateful reflector
  Duration session_age = std::chrono::minutes(15);  // REFWAIT of RFC 5357
  std::vector<Prefix> allow;                        // sources; empty: all
  /// Class of service may be asked for up to this: CS6 and CS7 carry routing.
  std::uint8_t highest_dscp = 47;
};

/// What became of a datagram.
enum class Fate : std::uint8_t {
  answered,
  too_short,    // no request
  too_long,     // more than a reply could hold
  wrong_hmac,   // or none, where a key is asked for
  source_rate,  // its source asks too much
  total_rate,   // all together do
  not_allowed,  // not from where requests are answered
  bad_address,  // from or to a group, a broadcast address or none
  bad_port,     // from a port that answers by itself: a loop
  reflected,    // a reflector's reply, or too short to tell: a loop
  unsent,       // this host could not send the reply
};
inline constexpr std::size_t kFates = 11;
/// "answered", "too_short": label and log.
std::string_view text(Fate fate);

struct ReflectorCounters {
  std::array<std::uint64_t, kFates> datagrams{};  // by Fate
  std::uint64_t tlvs_malformed = 0;               // of those answered
  std::uint64_t tlvs_tampered = 0;
  std::uint64_t overflowed = 0;          // dropped by the kernel: we were too slow
  std::uint64_t user_stamped = 0;        // T2 is when we read it, not when it came
  std::uint64_t sessions = 0;            // held now
  std::uint64_t sessions_forgotten = 0;  // for want of room

  [[nodiscard]] std::uint64_t of(Fate fate) const {
    return datagrams[static_cast<std::size_t>(fate)];
  }
};

}  // namespace hopwise::probes
