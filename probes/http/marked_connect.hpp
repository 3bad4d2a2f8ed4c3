// A TCP connection that leaves by exactly one nexthop: begun, and looked at in the kernel.
#pragma once

#include <boost/asio/ip/tcp.hpp>
#include <cstdint>
#include <optional>

#include "core/model/address.hpp"
#include "core/model/result.hpp"
#include "core/model/time.hpp"

namespace hopwise::probes {

struct Destination {
  IpAddress address;
  std::uint16_t port = 0;
  std::uint32_t ifindex = 0;  // of the nexthop: scope of link-local addresses, and its MTU
};

/// How a probe leaves by its nexthop.
struct Departure {
  std::uint32_t mark = 0;         // Binding::mark
  std::optional<IpAddress> from;  // source address; else the kernel's choice
};

/// Begins to connect `socket`, which is closed before and open after. An error: nothing has left,
/// as where the mark's guard refuses it. Needs CAP_NET_ADMIN for the mark.
Result<> begin_connect(boost::asio::ip::tcp::socket& socket, const Destination& to,
                       const Departure& by);

/// What the kernel knows of a handshake (TCP_INFO).
struct HandshakeState {
  bool established = false;
  std::uint32_t retransmissions = 0;  // of the SYN, until established
  std::optional<Duration> rtt;        // of SYN and SYN-ACK, once established
};
HandshakeState look_at(int fd);

/// SO_ERROR: how an attempt to connect ended, 0 for well.
int take_error(int fd);

}  // namespace hopwise::probes
