// A UDP socket that answers: what comes in batches goes back one by one, each to whom and from the
// address that it came, with its own class of service.
//
// One by one, for each carries the time when it leaves: in a batch the last would leave a hundred
// microseconds after the time that it tells. (A sendmmsg saves 5 % of the work; see README.md.)
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>

#include "core/model/address.hpp"
#include "core/model/result.hpp"
#include "core/model/time.hpp"

namespace hopwise::probes {

class ReflectSocket {
 public:
  struct Datagram {
    IpAddress from;
    std::uint16_t from_port = 0;
    IpAddress to;  // unspecified where it was sent to a broadcast address
    std::span<std::uint8_t> bytes;
    std::uint8_t ttl = 0;  // 0: unknown
    std::uint8_t traffic_class = 0;
    std::optional<WallTime> came;  // by the kernel's stamp
    bool truncated = false;        // there was more of it
  };

  /// Bound to `address` (unspecified: all of its family). Port 0: any free one. The error names the
  /// address and what to do.
  static Result<ReflectSocket> open(const IpAddress& address, std::uint16_t port);
  ReflectSocket(ReflectSocket&&) noexcept;
  ReflectSocket& operator=(ReflectSocket&&) noexcept;
  ~ReflectSocket();

  /// Reads what is there, at most a batch; returns how many. They hold until the next call.
  std::size_t receive();
  [[nodiscard]] Datagram datagram(std::size_t index) const;
  /// Answers the datagram `index` from our address `source`, with TTL 255 (RFC 8762, 4.3); 0 or an
  /// errno.
  int reply(std::size_t index, const IpAddress& source, std::span<const std::uint8_t> bytes,
            std::uint8_t traffic_class);

  /// Datagrams that the kernel dropped for want of room, as of the last receive().
  [[nodiscard]] std::uint32_t overflowed() const;
  [[nodiscard]] int fd() const;
  [[nodiscard]] std::uint16_t port() const;

  static constexpr std::size_t kBatch = 32;
  static constexpr std::size_t kDatagramBytes = 9216;  // a jumbo frame's

 private:
  struct State;
  explicit ReflectSocket(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace hopwise::probes
