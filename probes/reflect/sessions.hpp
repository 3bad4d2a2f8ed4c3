// The sessions of a stateful reflector: each has its own sequence (RFC 8762, 4.3.1), by which its
// sender tells losses on the way there from those on the way back. Pure.
//
// A session is who asks: address, port, and identifier (RFC 8972, 3). It ends when nothing came for
// `age`, or when more sessions are newer than the table holds; one that comes back begins at zero.
#pragma once

#include <cstdint>
#include <optional>

#include "core/model/address.hpp"
#include "core/model/time.hpp"
#include "probes/reflect/limiter.hpp"
#include "probes/reflect/recent.hpp"
#include "probes/wire/stamp_tlv.hpp"

namespace hopwise::probes {

struct SessionKey {
  IpAddress from;
  std::uint16_t port = 0;
  std::uint16_t ssid = 0;

  bool operator==(const SessionKey&) const = default;
};

struct Session {
  std::uint32_t received = 0;
  std::uint32_t reflected = 0;  // and the sequence of the next reply
  std::optional<stamp::FollowUp> before;
  TimePoint used;
};

class Sessions {
 public:
  struct Bounds {
    std::size_t sessions = 0;
    Duration age{};
  };
  Sessions(const Bounds& bounds, std::uint64_t seed)
      : age_(bounds.age), table_(bounds.sessions, Hash{{seed}}) {}

  /// Counts a request of `key`; the reference holds until the next call.
  Session& receive(const SessionKey& key, TimePoint now) {
    Session& session = table_.at(key);
    if (now - session.used > age_) session = {};
    session.used = now;
    session.received++;
    return session;
  }

  [[nodiscard]] std::size_t size() const { return table_.size(); }
  [[nodiscard]] std::uint64_t forgotten() const { return table_.forgotten(); }

 private:
  struct Hash {
    SeededHash address;
    std::size_t operator()(const SessionKey& key) const {
      const SeededHash inner{address.seed ^ (std::uint64_t{key.port} << 16U | key.ssid) << 13U};
      return inner(key.from);
    }
  };

  Duration age_;
  Recent<SessionKey, Session, Hash> table_;
};

}  // namespace hopwise::probes
