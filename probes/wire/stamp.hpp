// The packets of STAMP (RFC 8762, with the session identifier of RFC 8972), both modes, of both
// sides; pure. With a key a packet is of the authenticated mode, else of the other.
//
// Lenient with TWAMP-Light (RFC 8762, 4.6): a request may be shorter than the base packet, what it
// lacks counts as zero; a reply may lack the last three bytes; what it does not tell is empty here.
// In authenticated mode nothing is lenient: a packet counts only if its HMAC does.
// What follows the base packet are TLVs (stamp_tlv.hpp), or padding.
#pragma once

#include <boost/system/result.hpp>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

#include "probes/wire/hmac_key.hpp"
#include "probes/wire/ntp_time.hpp"

namespace hopwise::probes::stamp {

inline constexpr std::uint16_t kPort = 862;
inline constexpr std::size_t kOpenBytes = 44;
inline constexpr std::size_t kAuthenticatedBytes = 112;
inline constexpr std::size_t kMinRequestBytes = 14;  // TWAMP-Test without padding
inline constexpr std::size_t kMinReplyBytes = 41;    // its reply: up to the sender's TTL

/// Of the base packet.
constexpr std::size_t base_bytes(const HmacKey* key) {
  return key != nullptr ? kAuthenticatedBytes : kOpenBytes;
}

enum class Refused : std::uint8_t { too_short, wrong_hmac };
std::string_view text(Refused why);

template <class T>
using Parsed = boost::system::result<T, Refused>;
[[noreturn]] void throw_exception_from_error(Refused why, const boost::source_location& where);

struct Request {
  std::uint32_t sequence = 0;
  std::uint64_t sent = 0;  // T1 as it stands in the packet: NTP's, or PTP's if `error` says so
  ErrorEstimate error;
  std::uint16_t ssid = 0;  // 0: none

  bool operator==(const Request&) const = default;
};

struct Reply {
  std::uint32_t sequence = 0;         // the reflector's own count, or (stateless) the request's
  WallTime sent;                      // T3
  WallTime received;                  // T2
  ErrorEstimate error;                // of T2 and T3
  std::optional<std::uint16_t> ssid;  // empty: the reflector does not echo it
  Request request;                    // as echoed: its sequence, `sent` and `error`
  std::optional<std::uint8_t> ttl;    // with which the request arrived

  bool operator==(const Reply&) const = default;
};

/// Fills the base packet at the beginning of `packet`, which is at least that long. What follows is
/// left as it is, so TLVs may be there before.
void build_request(const Request& request, const HmacKey* key, std::span<std::uint8_t> packet);

/// `packet` is a datagram's payload. It may be longer than the base packet.
Parsed<Reply> parse_reply(std::span<const std::uint8_t> packet, const HmacKey* key);

// The reflector's side.

Parsed<Request> parse_request(std::span<const std::uint8_t> packet, const HmacKey* key);

/// From here on a packet may have room for what tells a reply from a request.
constexpr std::size_t telling_bytes(const HmacKey* key) {
  return key != nullptr ? kAuthenticatedBytes : 24;
}
/// Whether a packet that could be a request is what a reflector sent: T2, where requests have zero
/// or padding, is at most five milliseconds before T3. `packet` has telling_bytes() or more.
bool is_reflected(std::span<const std::uint8_t> packet, const HmacKey* key);

/// What a reflector adds to what the request says.
struct Reflection {
  std::uint32_t sequence = 0;
  WallTime sent;
  WallTime received;
  ErrorEstimate error;
  std::uint8_t ttl = 0;  // 0: unknown
};

/// Fills the base packet at the beginning of `packet`; of a shorter one as much as has room.
/// Authenticated packets are never shorter: there is no request for them.
void build_reply(const Request& request, const Reflection& reflection, const HmacKey* key,
                 std::span<std::uint8_t> packet);

}  // namespace hopwise::probes::stamp
