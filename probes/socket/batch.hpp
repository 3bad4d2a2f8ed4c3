// Messages to and from a socket, many by one system call. All memory is there from the start.
#pragma once

#include <sys/socket.h>

#include <array>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "core/model/address.hpp"

namespace hopwise::probes {

/// The ancillary data of one message.
struct alignas(cmsghdr) Control {
  static constexpr std::size_t kBytes = 256;
  std::array<std::uint8_t, kBytes> bytes;
};

/// What recvmmsg(2) fills.
class Inbox {
 public:
  enum class Source : std::uint8_t { datagrams, error_queue };
  /// `room` messages, of each its first `bytes`.
  Inbox(Source source, std::size_t room, std::size_t bytes);
  Inbox(const Inbox&) = delete;
  Inbox& operator=(const Inbox&) = delete;

  /// How many there were, without waiting; what was read before is gone. Errors that other packets
  /// left with the socket are passed over.
  std::size_t receive(int fd);
  [[nodiscard]] std::size_t room() const { return headers_.size(); }
  [[nodiscard]] const msghdr& header(std::size_t index) const { return headers_[index].msg_hdr; }
  [[nodiscard]] std::span<const std::uint8_t> bytes(std::size_t index) const;
  /// Of datagrams.
  [[nodiscard]] const sockaddr_storage& from(std::size_t index) const { return from_[index]; }

 private:
  void offer(std::size_t count);

  Source source_;
  std::size_t bytes_each_;
  std::size_t used_;
  std::vector<mmsghdr> headers_;
  std::vector<iovec> vectors_;
  std::vector<sockaddr_storage> from_;
  std::vector<Control> controls_;
  std::vector<std::uint8_t> bytes_;
};

/// Which transmit stamps the kernel is to take of a datagram.
enum class Stamps : std::uint8_t {
  all,        // before each interface's queue, and when the last one's driver takes it
  departure,  // the latter only: of a VLAN it does not tell, only of the device below
};

/// A datagram to be sent.
struct Outgoing {
  IpAddress to;
  std::uint16_t port = 0;  // udp
  std::uint32_t mark = 0;
  std::uint32_t ifindex = 0;                  // scope of link-local addresses
  std::optional<IpAddress> from;              // source address; else the kernel's choice
  std::optional<std::uint8_t> ttl;            // 1 to 255; else the kernel's
  std::optional<std::uint8_t> traffic_class;  // DSCP and ECN
  std::uint32_t flow_label = 0;  // IPv6, 20 bits; 0: the kernel's choice, one for each flow
  Stamps stamps = Stamps::all;
  std::span<const std::uint8_t> bytes;  // the message, without the IP header
};

/// What sendmmsg(2) takes.
class Outbox {
 public:
  explicit Outbox(std::size_t room);
  Outbox(const Outbox&) = delete;
  Outbox& operator=(const Outbox&) = delete;

  [[nodiscard]] std::size_t room() const { return headers_.size(); }
  /// At most room() of them. `errors` gets 0 or an errno for each; one that fails does not keep the
  /// next ones.
  void send(int fd, std::span<const Outgoing> batch, std::span<int> errors);

 private:
  void put(std::size_t index, const Outgoing& datagram);

  std::vector<mmsghdr> headers_;
  std::vector<iovec> vectors_;
  std::vector<sockaddr_storage> to_;
  std::vector<Control> controls_;
};

}  // namespace hopwise::probes
