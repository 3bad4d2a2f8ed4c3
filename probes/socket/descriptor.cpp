#include "probes/socket/descriptor.hpp"

#include <linux/filter.h>
#include <linux/net_tstamp.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <cerrno>
#include <cstring>
#include <string>

#include "probes/socket/filter.hpp"

namespace hopwise::probes {
namespace {

using Options = DatagramSocket::Options;
using Protocol = DatagramSocket::Protocol;

// Datagrams wait in it for the interface: a whole turn's, when all are due at once.
constexpr int kSendBuffer = 4 << 20;
#ifndef IPV6_FLOWINFO_SEND
constexpr int IPV6_FLOWINFO_SEND = 33;  // linux/in6.h, which <netinet/in.h> cannot bear
#endif

bool is_v4(const Options& options) {
  return options.family == Family::v4;
}

std::string name(const Options& options) {
  switch (options.protocol) {
    case Protocol::icmp:
      return is_v4(options) ? "raw ICMP socket" : "raw ICMPv6 socket";
    case Protocol::tcp:
      return is_v4(options) ? "raw TCP socket, IPv4" : "raw TCP socket, IPv6";
    case Protocol::udp:
      return is_v4(options) ? "UDP socket, IPv4" : "UDP socket, IPv6";
  }
  return {};
}

Result<Descriptor> create(const Options& options) {
  const bool raw = options.protocol != Protocol::udp;
  int protocol = IPPROTO_UDP;
  if (options.protocol == Protocol::tcp) protocol = IPPROTO_TCP;
  if (options.protocol == Protocol::icmp)
    protocol = is_v4(options) ? static_cast<int>(IPPROTO_ICMP) : static_cast<int>(IPPROTO_ICMPV6);
  Descriptor fd(socket(is_v4(options) ? AF_INET : AF_INET6,
                       (raw ? SOCK_RAW : SOCK_DGRAM) | SOCK_CLOEXEC | SOCK_NONBLOCK, protocol));
  if (fd.get() < 0)
    return system_error("open " + name(options), errno, raw ? "needs CAP_NET_RAW" : "");
  return fd;
}

Result<> attach_filter(int fd, const Options& options, std::span<const std::uint16_t> ports) {
  if (options.protocol == Protocol::udp) return {};
  std::vector<sock_filter> program = options.protocol == Protocol::icmp
                                         ? echo_filter(options.family, options.identifier, ports)
                                         : tcp_filter(options.family, ports);
  const sock_fprog filter{static_cast<unsigned short>(program.size()), program.data()};
  if (setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &filter, sizeof(filter)) < 0)
    return system_error("attach filter to " + name(options), errno);
  return {};
}

// Binds to `port` of every address; 0: any. Returns which.
Result<std::uint16_t> bind_port(int fd, const Options& options, std::uint16_t port) {
  const int only = 1;  // else a port could not be held for IPv4 and for IPv6
  if (!is_v4(options)) setsockopt(fd, SOL_IPV6, IPV6_V6ONLY, &only, sizeof(only));
  sockaddr_storage address{};
  address.ss_family = is_v4(options) ? AF_INET : AF_INET6;
  // The port is where it is in both families.
  auto& inet = reinterpret_cast<sockaddr_in&>(address);
  inet.sin_port = htons(port);
  socklen_t size = is_v4(options) ? sizeof(sockaddr_in) : sizeof(sockaddr_in6);
  if (bind(fd, reinterpret_cast<const sockaddr*>(&address), size) < 0 ||
      getsockname(fd, reinterpret_cast<sockaddr*>(&address), &size) < 0)
    return system_error("bind port " + std::to_string(port) + " for " + name(options), errno,
                        errno == EADDRINUSE ? "another program has it" : "");
  return ntohs(inet.sin_port);
}

// A port to which a TCP socket is bound is given to nobody, and a reply to it, which no connection
// awaits, the kernel answers by RST: the peer forgets the SYN.
Result<> hold_ports(Opened& opened, const Options& options) {
  for (const std::uint16_t wanted : options.ports) {
    Descriptor holder(
        socket(is_v4(options) ? AF_INET : AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, IPPROTO_TCP));
    if (holder.get() < 0) return system_error("open a TCP socket to hold a port", errno);
    const auto port = bind_port(holder.get(), options, wanted);
    if (!port) return port.error();
    opened.holders.push_back(std::move(holder));
    opened.ports.push_back(*port);
  }
  return {};
}

Result<> bind_ports(Opened& opened, const Options& options) {
  if (options.protocol == Protocol::icmp) return {};
  if (options.protocol == Protocol::tcp) return hold_ports(opened, options);
  const auto port = bind_port(opened.socket.get(), options,
                              options.ports.empty() ? std::uint16_t{0} : options.ports.front());
  if (!port) return port.error();
  opened.ports = {*port};
  return {};
}

Result<> set(int fd, const Options& options, int level, int option, int value) {
  if (setsockopt(fd, level, option, &value, sizeof(value)) < 0)
    return system_error("set option " + std::to_string(option) + " of " + name(options), errno);
  return {};
}

Result<> ask_for_ancillary(int fd, const Options& options) {
  // With the packet, not SOF_TIMESTAMPING_OPT_TSONLY: what it says is the proof.
  constexpr int kStamps = SOF_TIMESTAMPING_SOFTWARE | SOF_TIMESTAMPING_RX_SOFTWARE |
                          SOF_TIMESTAMPING_TX_SOFTWARE | SOF_TIMESTAMPING_OPT_ID |
                          SOF_TIMESTAMPING_OPT_CMSG;
  if (auto done = set(fd, options, SOL_SOCKET, SO_TIMESTAMPING, kStamps); !done) return done;
  if (is_v4(options)) {
    if (auto done = set(fd, options, SOL_IP, IP_PKTINFO, 1); !done) return done;
    // Raw sockets get the whole header.
    return set(fd, options, SOL_IP, IP_RECVTTL, options.protocol == Protocol::udp ? 1 : 0);
  }
  if (auto done = set(fd, options, SOL_IPV6, IPV6_RECVPKTINFO, 1); !done) return done;
  if (auto done = set(fd, options, SOL_IPV6, IPV6_FLOWINFO_SEND, 1); !done) return done;
  return set(fd, options, SOL_IPV6, IPV6_RECVHOPLIMIT, 1);
}

}  // namespace

Result<Opened> open_descriptor(const Options& options) {
  if (options.ports.size() > DatagramSocket::kMaxPorts)
    return Error{"open " + name(options) + ": more than " +
                 std::to_string(DatagramSocket::kMaxPorts) + " ports"};
  auto created = create(options);
  if (!created) return created.error();
  Opened opened{std::move(*created), {}, {}};
  const int fd = opened.socket.get();
  if (auto done = bind_ports(opened, options); !done) return done.error();
  const auto filtered = options.protocol == Protocol::icmp ? options.ports : opened.ports;
  if (auto done = attach_filter(fd, options, filtered); !done) return done.error();
  if (auto done = ask_for_ancillary(fd, options); !done) return done.error();
  // Without CAP_NET_ADMIN the default room will do; sending needs that capability anyway.
  const int room = static_cast<int>(options.receive_bytes);
  setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &room, sizeof(room));
  setsockopt(fd, SOL_SOCKET, SO_SNDBUFFORCE, &kSendBuffer, sizeof(kSendBuffer));
  return opened;
}

}  // namespace hopwise::probes
