// A socket that serves all probers of one family and kind: batches out, batches in, and for each
// datagram when it crossed the interface, by the kernel's stamps.
//
// Send: sendmmsg, each datagram with its own mark, source address, TTL and (raw ICMPv6, UDP) its
// own destination; the kernel stamps it when it enters the interface's queue and when it is handed
// to the driver, and loops it back on the error queue with its link-layer header. So a stamp tells
// which datagram left (by its own payload; no counter can come apart), when, after how long a wait,
// by which interface, and to which link-layer address. Receive: recvmmsg; replies are handed out
// only after every transmit stamp that was there before them.
//
// Stamps are CLOCK_REALTIME; they are told as TimePoints, and where that clock was set between two
// looks they are not told at all (the datagram then has the time of reading, source user).
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>

#include "core/model/address.hpp"
#include "core/model/path.hpp"
#include "core/model/result.hpp"
#include "core/model/sample.hpp"

namespace hopwise::probes {

class DatagramSocket {
 public:
  enum class Protocol : std::uint8_t { icmp, tcp, udp };

  struct Options {
    Family family = Family::v4;
    Protocol protocol = Protocol::icmp;
    std::uint16_t identifier = 0;           // icmp: only echoes with it come in
    std::span<const std::uint16_t> ports;   // tcp: only what comes to these ports; udp: one, or 0
    std::size_t receive_bytes = 8U << 20U;  // of the socket's buffer
  };

  struct Outgoing {
    IpAddress to;
    std::uint16_t port = 0;  // udp
    std::uint32_t mark = 0;
    std::uint32_t ifindex = 0;      // scope of link-local destinations
    std::optional<IpAddress> from;  // source address; else the kernel's choice
    std::optional<std::uint8_t> ttl;
    std::optional<std::uint8_t> traffic_class;  // DSCP and ECN
    std::uint32_t flow_label = 0;               // IPv6; 0: the kernel's choice
    std::span<const std::uint8_t> bytes;        // the message, without the IP header
  };

  /// A datagram has left.
  struct Left {
    std::span<const std::uint8_t> message;  // as sent: what Outgoing::bytes held
    TimePoint at;                           // handed to the driver
    std::optional<Duration> queued;         // from entering the queue until then
    std::uint32_t ifindex = 0;              // 0: not told
    std::optional<EthernetAddress> to;      // where it has an Ethernet header
  };

  /// A datagram has come in. What send() could not say an ICMP error says, on the ICMP socket.
  struct Arrived {
    IpAddress from;
    std::uint16_t from_port = 0;          // udp
    std::span<const std::uint8_t> bytes;  // raw sockets of IPv4: from the IP header on
    TimePoint at;
    TimestampSource source = TimestampSource::user;
    std::optional<std::uint8_t> ttl;
  };

  struct Events {
    std::function<void(const Left&)> left;
    std::function<void(const Arrived&)> arrived;
  };

  /// Needs CAP_NET_RAW and CAP_NET_ADMIN (udp: the latter, for marks). The error names the socket.
  static Result<DatagramSocket> open(const Options& options);
  DatagramSocket(DatagramSocket&&) noexcept;
  DatagramSocket& operator=(DatagramSocket&&) noexcept;
  ~DatagramSocket();

  /// Sends all; `errors` gets 0 or an errno for each. One that fails does not keep the next ones.
  void send(std::span<const Outgoing> batch, std::span<int> errors);
  /// Reads all there is: transmit stamps and datagrams, in an order in which each reply comes after
  /// its probe's stamp. False when the kernel dropped datagrams for want of room since the last.
  bool drain(const Events& events);

  [[nodiscard]] int fd() const;
  [[nodiscard]] std::uint16_t port() const;  // udp: where it is bound

 private:
  struct State;
  explicit DatagramSocket(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace hopwise::probes
