// A socket that serves all probers of one family and kind: batches out, batches in, and for each
// datagram when it crossed the interface, by the kernel's stamps.
//
// Send: sendmmsg, each datagram with its own mark, source address, TTL and (raw ICMPv6, UDP) its
// own destination; the kernel stamps it when it enters an interface's queue and when it is handed
// to the driver, and loops it back on the error queue with its link-layer header. So a stamp tells
// which datagram left (by its own payload; no counter can come apart), when, after how long a wait,
// by which interfaces, and to which link-layer address. Receive: recvmmsg; replies are handed out
// only after every transmit stamp that was there before them.
//
// Stamps are CLOCK_REALTIME; they are told as TimePoints, and where that clock was set between two
// looks they are not told at all: the datagram that came in then has the time of reading, source
// user, and the one that left has no time.
//
// Waiting: fd() is readable when a datagram came in, and also when a transmit stamp is there
// (poll(2): EPOLLERR, which cannot be masked); Asio's async_wait(wait_read) completes on both, and
// asks anew each time, so nothing that a drain left is forgotten. So every batch sent wakes whoever
// waits. Who drains in the turn in which it sent finds the stamps of empty queues there at once.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>

#include "core/model/address.hpp"
#include "core/model/result.hpp"
#include "core/model/sample.hpp"
#include "probes/socket/batch.hpp"
#include "probes/socket/clock.hpp"
#include "probes/socket/departures.hpp"

namespace hopwise::probes {

class DatagramSocket {
 public:
  enum class Protocol : std::uint8_t { icmp, tcp, udp };

  struct Options {
    Family family = Family::v4;
    Protocol protocol = Protocol::icmp;
    std::uint16_t identifier = 0;  // icmp: only echoes with it come in, and errors about them
    /// icmp: errors about TCP and UDP from these come in too. tcp: only what comes to these comes
    /// in, and nobody else on this host is given them; 0: any free one. udp: where it is bound, one
    /// or none; 0: any free one. At most kMaxPorts.
    std::span<const std::uint16_t> ports{};
    std::size_t receive_bytes = 16U << 20U;  // of the socket's buffer, the kernel doubles it
    std::function<ClockPair()> clocks = ClockPair::now;
  };
  static constexpr std::size_t kMaxPorts = 64;

  using Outgoing = probes::Outgoing;

  /// A datagram has left. An interface whose driver gives no transmit stamps never says so; nor is
  /// it said of one that a queue dropped, which send() is not told, or whose stamp found no room in
  /// the receive buffer.
  struct Left {
    std::span<const std::uint8_t> message;  // as sent, but ICMPv6's checksum; its first kLooped
    std::optional<TimePoint> at;            // handed to the driver; empty: the clock was set
    std::optional<Duration> queued;         // from entering the first queue until then
    std::span<const Hop> hops;  // all that it was given to, in this order: a VLAN and its parent

    /// True when it was given to that interface, and there to that link-layer address if one is
    /// told.
    [[nodiscard]] bool by(std::uint32_t ifindex, const std::optional<EthernetAddress>& to) const;
  };

  /// A datagram has come in. What send() could not say an ICMP error says, on the ICMP socket.
  struct Arrived {
    IpAddress from;
    std::uint16_t from_port = 0;  // udp
    std::span<const std::uint8_t>
        bytes;  // raw sockets of IPv4: from the IP header on; its first kReceived
    TimePoint at;
    TimestampSource source = TimestampSource::user;
    std::optional<std::uint8_t> ttl;
  };
  static constexpr std::size_t kLooped = 192, kReceived = 2048;  // bytes

  struct Events {
    std::function<void(const Left&)> left;
    std::function<void(const Arrived&)> arrived;
  };

  /// Needs CAP_NET_RAW and CAP_NET_ADMIN (udp: the latter, for marks). The error names the socket.
  static Result<DatagramSocket> open(const Options& options);
  DatagramSocket(DatagramSocket&&) noexcept;
  DatagramSocket& operator=(DatagramSocket&&) noexcept;
  ~DatagramSocket();

  /// Sends all; `errors` gets 0 or an errno for each. One that fails does not keep the next ones:
  /// EAGAIN and ENOBUFS (no room), EINVAL (no such source address), ENETUNREACH (no route).
  void send(std::span<const Outgoing> batch, std::span<int> errors);
  /// Reads all that was there when it began: transmit stamps and datagrams, in an order in which
  /// each reply comes after its probe's stamp. False when the kernel dropped datagrams for want of
  /// room since the last.
  bool drain(const Events& events);

  [[nodiscard]] int fd() const;
  /// tcp: those held; udp: the one where it is bound.
  [[nodiscard]] std::span<const std::uint16_t> ports() const;
  [[nodiscard]] std::uint16_t port() const;  // the first of them; 0: none

 private:
  struct State;
  explicit DatagramSocket(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace hopwise::probes
