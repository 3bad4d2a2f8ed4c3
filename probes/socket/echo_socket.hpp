// A raw ICMP or ICMPv6 socket that sees only what answers our own echo requests.
//
// A classic BPF filter on our identifier keeps all other ICMP of the host away: without it every
// ping on the machine would wake us. Replies are read in batches, each with the kernel's receive
// stamp; a request is stamped by the caller just before it is sent, on the same clock. (The
// kernel's transmit stamps come one by one through the error queue, and would double the system
// calls for the few microseconds between our clock and the driver's.)
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>

#include "core/model/result.hpp"
#include "core/model/sample.hpp"

namespace hopwise::probes {

class EchoSocket {
 public:
  struct Datagram {
    IpAddress from;
    TimePoint arrived;
    TimestampSource source = TimestampSource::user;
    std::span<const std::uint8_t> bytes;  // with the IP header for IPv4; its first 256 at most
  };
  struct Route {
    std::uint32_t mark = 0;
    std::uint32_t ifindex = 0;        // tells link-local destinations apart
    std::optional<IpAddress> from{};  // source address; else the kernel's choice
  };

  static Result<EchoSocket> open(Family family, std::uint16_t identifier);
  EchoSocket(EchoSocket&&) noexcept;
  EchoSocket& operator=(EchoSocket&&) noexcept;
  ~EchoSocket();

  /// Returns 0, or the errno of a message that did not leave.
  int send(const IpAddress& to, const Route& route, std::span<const std::uint8_t> message);
  /// Reads all that has arrived, without waiting.
  void drain(const std::function<void(const Datagram&)>& each);
  /// True when the kernel dropped datagrams for want of room since this was asked last.
  bool overflowed();

  [[nodiscard]] int fd() const;

 private:
  struct State;
  explicit EchoSocket(std::unique_ptr<State> state);

  std::unique_ptr<State> state_;
};

}  // namespace hopwise::probes
