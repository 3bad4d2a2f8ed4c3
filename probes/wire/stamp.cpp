#include "probes/wire/stamp.hpp"

#include <algorithm>
#include <array>
#include <stdexcept>
#include <string>

#include "probes/wire/bytes.hpp"

namespace hopwise::probes::stamp {
namespace {

// Where the fields stand (RFC 8762, 4.2 and 4.3; RFC 8972, 3). The sequence is always at 0, and the
// request's fields stand where the reply has the reflector's.
struct Layout {
  std::size_t sent, error, ssid, received, sequence_echo, sent_echo, error_echo, ttl;
};
constexpr Layout kOpen{4, 12, 14, 16, 24, 28, 36, 40};
constexpr Layout kAuthenticated{16, 24, 26, 32, 48, 64, 72, 80};
constexpr std::size_t kSigned = 96;  // the HMAC follows
static_assert(telling_bytes(nullptr) == kOpen.received + sizeof(std::uint64_t));
// Longer than a reflector takes, and shorter than the pace of a sender that asks with what it
// received last, whose T2 stands there still.
constexpr Duration kTurnaround = std::chrono::milliseconds(5);
static_assert(kSigned + kDigestBytes == kAuthenticatedBytes);

const Layout& layout(const HmacKey* key) {
  return key != nullptr ? kAuthenticated : kOpen;
}

using Base = std::array<std::uint8_t, kAuthenticatedBytes>;

bool authentic(std::span<const std::uint8_t> packet, const HmacKey& key) {
  return key.signed_by(packet.subspan(kSigned, kDigestBytes), packet.first(kSigned));
}

// The base packet of `packet`, zero where it ends before.
Parsed<Base> base_of(std::span<const std::uint8_t> packet, const HmacKey* key, std::size_t least) {
  if (packet.size() < (key != nullptr ? kAuthenticatedBytes : least)) return Refused::too_short;
  if (key != nullptr && !authentic(packet, *key)) return Refused::wrong_hmac;
  Base base{};
  std::copy_n(packet.begin(), std::min(packet.size(), base_bytes(key)), base.begin());
  return base;
}

// Signs `base` and moves as much of it as has room.
void finish(Base& base, const HmacKey* key, std::span<std::uint8_t> packet) {
  if (key != nullptr) {
    const Digest digest = key->sign(std::span(base).first(kSigned));
    std::copy(digest.begin(), digest.end(), base.begin() + kSigned);
  }
  std::copy_n(base.begin(), std::min(packet.size(), base_bytes(key)), packet.begin());
}

class Writer {
 public:
  explicit Writer(Base& base) : base_(base) {}
  template <class T>
  void at(std::size_t offset, T value) {
    put(std::span<std::uint8_t>(base_).subspan(offset), value);
  }

 private:
  Base& base_;
};

class Reader {
 public:
  explicit Reader(const Base& base) : base_(base) {}
  template <class T>
  [[nodiscard]] T at(std::size_t offset) const {
    return get<T>(std::span<const std::uint8_t>(base_).subspan(offset));
  }
  [[nodiscard]] ErrorEstimate error(std::size_t offset) const {
    return ErrorEstimate::from(at<std::uint16_t>(offset));
  }
  [[nodiscard]] WallTime time(std::size_t offset, ErrorEstimate::Format format) const {
    const auto stamp = at<std::uint64_t>(offset);
    return format == ErrorEstimate::Format::ptp ? from_ptp(stamp) : from_ntp(stamp);
  }

 private:
  const Base& base_;
};

}  // namespace

std::string_view text(Refused why) {
  switch (why) {
    case Refused::too_short:
      return "too short";
    case Refused::wrong_hmac:
      return "wrong HMAC";
  }
  return "?";
}

void throw_exception_from_error(Refused why, const boost::source_location&) {
  throw std::runtime_error("STAMP packet: " + std::string(text(why)));
}

void build_request(const Request& request, const HmacKey* key, std::span<std::uint8_t> packet) {
  const Layout& where = layout(key);
  Base base{};
  Writer write(base);
  write.at(0, request.sequence);
  write.at(where.sent, request.sent);
  write.at(where.error, request.error.word());
  write.at(where.ssid, request.ssid);
  finish(base, key, packet);
}

Parsed<Request> parse_request(std::span<const std::uint8_t> packet, const HmacKey* key) {
  const auto base = base_of(packet, key, kMinRequestBytes);
  if (!base) return base.error();
  const Layout& where = layout(key);
  const Reader read(*base);
  return Request{read.at<std::uint32_t>(0), read.at<std::uint64_t>(where.sent),
                 read.error(where.error), read.at<std::uint16_t>(where.ssid)};
}

bool is_reflected(std::span<const std::uint8_t> packet, const HmacKey* key) {
  const Layout& where = layout(key);
  Base base{};
  std::copy_n(packet.begin(), std::min(packet.size(), base.size()), base.begin());
  const Reader read(base);
  if (read.at<std::uint64_t>(where.received) == 0) return false;
  const auto format = read.error(where.error).format;
  const Duration stay = read.time(where.sent, format) - read.time(where.received, format);
  return stay >= Duration::zero() && stay <= kTurnaround;
}

void build_reply(const Request& request, const Reflection& reflection, const HmacKey* key,
                 std::span<std::uint8_t> packet) {
  const Layout& where = layout(key);
  Base base{};
  Writer write(base);
  write.at(0, reflection.sequence);
  write.at(where.sent, to_ntp(reflection.sent));
  write.at(where.error, reflection.error.word());
  write.at(where.ssid, request.ssid);
  write.at(where.received, to_ntp(reflection.received));
  write.at(where.sequence_echo, request.sequence);
  write.at(where.sent_echo, request.sent);
  write.at(where.error_echo, request.error.word());
  write.at(where.ttl, reflection.ttl);
  finish(base, key, packet);
}

Parsed<Reply> parse_reply(std::span<const std::uint8_t> packet, const HmacKey* key) {
  const auto base = base_of(packet, key, kMinReplyBytes);
  if (!base) return base.error();
  const Layout& where = layout(key);
  const Reader read(*base);
  Reply reply;
  reply.sequence = read.at<std::uint32_t>(0);
  reply.error = read.error(where.error);
  reply.sent = read.time(where.sent, reply.error.format);
  reply.received = read.time(where.received, reply.error.format);
  if (const auto ssid = read.at<std::uint16_t>(where.ssid); ssid != 0) reply.ssid = ssid;
  reply.request.sequence = read.at<std::uint32_t>(where.sequence_echo);
  reply.request.sent = read.at<std::uint64_t>(where.sent_echo);
  reply.request.error = read.error(where.error_echo);
  reply.request.ssid = reply.ssid.value_or(0);
  // 0 and 255 is what reflectors write that cannot tell.
  if (const auto ttl = read.at<std::uint8_t>(where.ttl); ttl != 0 && ttl != 255) reply.ttl = ttl;
  return reply;
}

}  // namespace hopwise::probes::stamp
