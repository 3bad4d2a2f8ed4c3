// What a reflector does with one datagram, in place: judge() makes the reply's TLVs of the
// request's and decides, seal() writes the base packet with the time, left() counts it. Pure: time,
// addresses and bytes are arguments.
//
// A reply is exactly as long as its request, so nothing is amplified (RFC 8762, 4.6 would answer a
// short request with 44 bytes: it gets as much of them as it sent). No loops: what comes from our
// own port, or from one below 1024, where services answer what they do not know, is not answered,
// and no reply of another reflector; on a port of users none that is too short to tell.
// Authenticity comes before the rate, so that nobody spends another's.
#pragma once

#include <cstdint>
#include <optional>
#include <span>

#include "probes/reflect/limiter.hpp"
#include "probes/reflect/options.hpp"
#include "probes/reflect/sessions.hpp"
#include "probes/wire/stamp.hpp"

namespace hopwise::probes {

class Responder {
 public:
  struct Asked {
    IpAddress from;
    std::uint16_t from_port = 0;
    IpAddress to;
    std::span<std::uint8_t> packet;  // becomes the reply
    std::uint8_t ttl = 0;            // 0: unknown
    std::uint8_t traffic_class = 0;  // DSCP and ECN
    WallTime received;
    TimePoint now;
  };

  /// The reply to the newest request: from judge() to left().
  struct Answer {
    stamp::Request request;
    stamp::Reflection reflection;
    std::span<std::uint8_t> packet;
    std::uint8_t traffic_class = 0;  // with which the reply leaves: no ECN
  };

  /// The error tells that the key is empty or cannot be used.
  static Result<Responder> make(const ReflectorOptions& options, std::uint64_t seed);

  /// Of this host's clock: how far off it may be, and whether it is synchronised.
  void set_clock(const ErrorEstimate& error) { clock_ = error; }

  /// Any fate but `answered` is final, and counted. `answered` is not before left().
  Fate judge(const Asked& asked, Answer& answer);
  void seal(Answer& answer, WallTime sent) const;
  /// What became of the sealed answer: `answered` or `unsent`.
  void left(const Answer& answer, Fate fate);
  /// A datagram that did not come this far: `too_long`.
  void drop(Fate fate) { counters_.datagrams[static_cast<std::size_t>(fate)]++; }

  [[nodiscard]] ReflectorCounters counters() const;

 private:
  Responder(const ReflectorOptions& options, std::optional<HmacKey> key, std::uint64_t seed);
  [[nodiscard]] const HmacKey* key() const { return key_ ? &*key_ : nullptr; }
  [[nodiscard]] Fate screen(const Asked& asked) const;
  [[nodiscard]] bool may_loop(std::span<const std::uint8_t> packet) const;
  [[nodiscard]] Fate limit(const Asked& asked);
  void answer_tlvs(const Asked& asked, Answer& answer);

  ReflectorOptions options_;
  std::optional<HmacKey> key_;
  Limiter limiter_;
  std::optional<Sessions> sessions_;
  Session* session_ = nullptr;  // of the newest request
  ErrorEstimate clock_ = ErrorEstimate::of(std::chrono::seconds(1));
  ReflectorCounters counters_;
};

}  // namespace hopwise::probes
