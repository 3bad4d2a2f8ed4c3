// BGP's bytes: a cursor that never reads beyond its end, and the header of every message
// (RFC 4271, section 4.1). Pure.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <variant>
#include <vector>

#include "core/bgp/notification.hpp"
#include "core/model/address.hpp"

namespace hopwise::bgp {

using Bytes = std::span<const std::uint8_t>;

/// Reads big-endian numbers and slices; what does not fit yields nothing and moves nothing.
class Cursor {
 public:
  explicit Cursor(Bytes bytes) : rest_(bytes) {}

  [[nodiscard]] std::size_t left() const { return rest_.size(); }
  [[nodiscard]] bool done() const { return rest_.empty(); }
  [[nodiscard]] Bytes rest() const { return rest_; }

  std::optional<Bytes> take(std::size_t size) {
    if (size > rest_.size()) return std::nullopt;
    const Bytes taken = rest_.first(size);
    rest_ = rest_.subspan(size);
    return taken;
  }

  template <class T>
  std::optional<T> number() {
    const auto bytes = take(sizeof(T));
    if (!bytes) return std::nullopt;
    T value = 0;
    for (const std::uint8_t byte : *bytes) value = static_cast<T>(value << 8U | byte);
    return value;
  }

 private:
  Bytes rest_;
};

/// Appends `value`, big-endian.
template <class T>
void put(std::vector<std::uint8_t>& out, T value) {
  for (std::size_t i = sizeof(T); i-- > 0;)
    out.push_back(static_cast<std::uint8_t>(value >> (8 * i)));
}

/// The numbers of the two families among the Address Family Identifiers of IANA.
constexpr std::uint16_t afi(Family family) {
  return family == Family::v4 ? 1 : 2;
}
constexpr std::uint8_t kUnicast = 1;  // SAFI

/// IPv4 or IPv6 unicast; nothing for all else.
std::optional<Family> family_of(std::uint16_t afi, std::uint8_t safi);

/// One of each family.
template <class T>
struct PerFamily {
  T v4{}, v6{};

  T& operator[](Family family) { return family == Family::v4 ? v4 : v6; }
  const T& operator[](Family family) const { return family == Family::v4 ? v4 : v6; }
  bool operator==(const PerFamily&) const = default;
};

enum class MessageType : std::uint8_t {
  open = 1,
  update = 2,
  notification = 3,
  keepalive = 4,
  route_refresh = 5,  // RFC 2918
};

inline constexpr std::size_t kHeaderBytes = 19;
/// RFC 4271. Longer ones (RFC 8654) are not offered: a message is the least that is done at a
/// time, and 4096 bytes bound what it can cost.
inline constexpr std::size_t kMaxMessageBytes = 4096;

struct Header {
  MessageType type{};
  std::size_t length = 0;  // of the whole message
};

/// The first 19 bytes. A Notification is what RFC 4271, section 6.1, answers: the session ends.
std::variant<Header, Notification> parse_header(Bytes header);

/// Starts a message: marker, length (zero until finish()), type.
std::vector<std::uint8_t> begin(MessageType type);
/// Writes the length.
std::vector<std::uint8_t> finish(std::vector<std::uint8_t> message);

std::vector<std::uint8_t> build_keepalive();
/// Asks for all of a family anew (RFC 2918).
std::vector<std::uint8_t> build_route_refresh(Family family);

}  // namespace hopwise::bgp
