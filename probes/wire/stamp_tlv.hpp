// What may follow STAMP's base packet: TLVs (RFC 8972, 4, with its errata 8199 and 8339); pure.
//
// The sender leaves room for what it asks, the reflector fills it in place: a reply is never longer
// than its request. The flags tell what became of each TLV: U, not understood (as it is sent out);
// M, malformed: what follows was not looked at; I, the HMAC TLV did not hold: none was looked at.
// With a key the TLVs count only with an HMAC TLV behind them, of the packet's sequence and all of
// them; only padding may follow it. Zeros to the end, which no TLV of a sender begins with, are
// TWAMP-Light's padding, and left as they are.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>

#include "probes/wire/hmac_key.hpp"
#include "probes/wire/ntp_time.hpp"

namespace hopwise::probes::stamp {

inline constexpr std::size_t kTlvHeaderBytes = 4;

enum class TlvType : std::uint8_t {
  extra_padding = 1,
  timestamp_information = 3,
  class_of_service = 4,
  direct_measurement = 5,
  follow_up_telemetry = 7,
  hmac = 8,
};

inline constexpr std::uint8_t kUnrecognised = 0x80;  // U
inline constexpr std::uint8_t kMalformed = 0x40;     // M
inline constexpr std::uint8_t kTampered = 0x20;      // I

// RFC 8972, tables 7 and 9, as far as we can tell; other values may come.
enum class SyncSource : std::uint8_t { unknown = 0, ntp = 1, ptp = 2, free_running = 5 };
enum class StampMethod : std::uint8_t { unknown = 0, hardware = 1, software = 2, control = 3 };

/// The reflector's clock where requests come in (T2) and replies go out (T3).
struct TimestampInformation {
  SyncSource source_in{}, source_out{};
  StampMethod method_in{}, method_out{};

  bool operator==(const TimestampInformation&) const = default;
};

struct ClassOfService {
  std::uint8_t asked = 0;    // DSCP that the reply should have
  std::uint8_t arrived = 0;  // DSCP that the request had in the end
  std::uint8_t ecn = 0;      // its ECN
  bool refused = false;      // the reply has the request's DSCP, not the one asked for

  bool operator==(const ClassOfService&) const = default;
};

/// Packets of the session, as its ends count them.
struct DirectMeasurement {
  std::uint32_t sent = 0;       // by the sender
  std::uint32_t received = 0;   // by the reflector
  std::uint32_t reflected = 0;  // before this reply

  bool operator==(const DirectMeasurement&) const = default;
};

/// When the reply before this one really left.
struct FollowUp {
  std::uint32_t sequence = 0;  // the reflector's
  std::uint64_t sent = 0;      // in the format of the reply's other timestamps
  StampMethod method{};

  bool operator==(const FollowUp&) const = default;
};

enum class TlvVerdict : std::uint8_t { whole, malformed, tampered };

// The sender's side.

/// Writes the TLVs of a request, one behind the other, into `area`: what follows the base packet.
/// Each says whether it had room. Unused bytes of `area` are not touched: leave them out, or zero.
class TlvWriter {
 public:
  explicit TlvWriter(std::span<std::uint8_t> area) : area_(area) {}

  [[nodiscard]] bool pad(std::size_t value_bytes);  // zeros
  [[nodiscard]] bool ask_timestamp_information();
  [[nodiscard]] bool ask_class_of_service(std::uint8_t dscp);
  [[nodiscard]] bool ask_direct_measurement(std::uint32_t sent);
  [[nodiscard]] bool ask_follow_up();
  /// Last of all but padding; `sequence` is the packet's.
  [[nodiscard]] bool sign(const HmacKey& key, std::uint32_t sequence);

  [[nodiscard]] std::size_t size() const { return used_; }

 private:
  std::span<std::uint8_t> begin(TlvType type, std::size_t value_bytes);

  std::span<std::uint8_t> area_;
  std::size_t used_ = 0;
};

/// What the TLVs of a reply tell. Nothing that was not whole is told.
struct Told {
  TlvVerdict verdict = TlvVerdict::whole;
  std::uint32_t unrecognised = 0;  // TLVs that the reflector or we do not know
  std::optional<TimestampInformation> timestamps;
  std::optional<ClassOfService> service;
  std::optional<DirectMeasurement> counts;
  std::optional<FollowUp> follow_up;
};

/// `sequence` is the reply's own.
Told read_tlvs(std::span<const std::uint8_t> area, std::uint32_t sequence, const HmacKey* key);

// The reflector's side.

struct TlvAnswers {
  std::uint32_t request_sequence = 0;
  std::uint32_t reply_sequence = 0;
  std::uint8_t traffic_class = 0;  // with which the request arrived
  std::uint8_t highest_dscp = 63;  // that may be asked for
  SyncSource source{};
  /// What a stateful reflector knows of the session; without it these TLVs are not understood, and
  /// the follow-up is zero.
  struct Session {
    std::uint32_t received = 0;   // this request too
    std::uint32_t reflected = 0;  // before this reply
    std::optional<FollowUp> before;
  };
  std::optional<Session> session;
};

struct TlvReflection {
  TlvVerdict verdict = TlvVerdict::whole;
  std::optional<std::uint8_t> dscp;  // asked for, and allowed
};

/// Turns `area`, the request's TLVs, into the reply's, in place.
TlvReflection reflect_tlvs(std::span<std::uint8_t> area, const TlvAnswers& answers,
                           const HmacKey* key);

}  // namespace hopwise::probes::stamp
