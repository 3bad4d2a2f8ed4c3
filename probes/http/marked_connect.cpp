#include "probes/http/marked_connect.hpp"

#include <net/if.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

namespace hopwise::probes {
namespace {

namespace asio = boost::asio;

struct SocketAddress {
  sockaddr_storage storage{};
  socklen_t size = 0;

  [[nodiscard]] const sockaddr* get() const { return reinterpret_cast<const sockaddr*>(&storage); }
};

SocketAddress socket_address(const IpAddress& address, std::uint16_t port, std::uint32_t ifindex) {
  SocketAddress made;
  if (address.is_v4()) {
    sockaddr_in v4{};
    v4.sin_family = AF_INET;
    v4.sin_port = htons(port);
    std::memcpy(&v4.sin_addr, address.bytes.data(), sizeof v4.sin_addr);
    std::memcpy(&made.storage, &v4, made.size = sizeof v4);
  } else {
    sockaddr_in6 v6{};
    v6.sin6_family = AF_INET6;
    v6.sin6_port = htons(port);
    std::memcpy(&v6.sin6_addr, address.bytes.data(), sizeof v6.sin6_addr);
    if (address.is_link_local()) v6.sin6_scope_id = ifindex;
    std::memcpy(&made.storage, &v6, made.size = sizeof v6);
  }
  return made;
}

bool set(int fd, int level, int option, std::uint32_t value) {
  return setsockopt(fd, level, option, &value, sizeof value) == 0;
}

Result<> bind_source(int fd, const Destination& to, const IpAddress& from) {
  // The port is chosen when connecting: one port serves many destinations.
  set(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, 1);
  const SocketAddress source = socket_address(from, 0, to.ifindex);
  if (bind(fd, source.get(), source.size) == 0) return {};
  return system_error("bind a probe's socket to " + from.text(), errno,
                      "is it still an address of this host?");
}

// Segments fit the interface that they leave by in the end: behind the staging device the kernel
// does not see it, and would take the device's MTU. Elsewhere this is what it takes anyway.
void limit_segments(int fd, const Destination& to) {
  ifreq about{};
  about.ifr_ifindex = static_cast<int>(to.ifindex);
  if (to.ifindex == 0 || ioctl(fd, SIOCGIFNAME, &about) != 0 || ioctl(fd, SIOCGIFMTU, &about) != 0)
    return;
  const int headers = to.address.is_v4() ? 40 : 60;
  if (about.ifr_mtu > headers)
    set(fd, IPPROTO_TCP, TCP_MAXSEG, static_cast<std::uint32_t>(about.ifr_mtu - headers));
}

}  // namespace

Result<> begin_connect(asio::ip::tcp::socket& socket, const Destination& to, const Departure& by) {
  const bool v4 = to.address.is_v4();
  const int fd =
      ::socket(v4 ? AF_INET : AF_INET6, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, IPPROTO_TCP);
  if (fd < 0)
    return system_error("open a socket to " + to.address.text(), errno,
                        errno == EMFILE ? "raise LimitNOFILE" : "");
  boost::system::error_code error;
  socket.assign(v4 ? asio::ip::tcp::v4() : asio::ip::tcp::v6(), fd, error);
  if (error) {
    close(fd);
    return system_error("watch a socket to " + to.address.text(), error.value());
  }
  if (!set(fd, SOL_SOCKET, SO_MARK, by.mark))
    return system_error("mark a socket to " + to.address.text(), errno);
  set(fd, IPPROTO_TCP, TCP_NODELAY, 1);
  limit_segments(fd, to);
  if (by.from)
    if (auto bound = bind_source(fd, to, *by.from); !bound) return bound;
  const SocketAddress address = socket_address(to.address, to.port, to.ifindex);
  if (connect(fd, address.get(), address.size) == 0 || errno == EINPROGRESS) return {};
  return system_error("connect to " + to.address.text(), errno, "nothing has left");
}

HandshakeState look_at(int fd) {
  tcp_info info{};
  socklen_t size = sizeof info;
  if (getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &size) != 0) return {};
  HandshakeState state;
  // Data of the peer may be here already, and its end: it is established all the same.
  state.established = info.tcpi_state != TCP_SYN_SENT && info.tcpi_state != TCP_CLOSE;
  state.retransmissions = info.tcpi_total_retrans;
  if (state.established && info.tcpi_rtt > 0) state.rtt = std::chrono::microseconds(info.tcpi_rtt);
  return state;
}

int take_error(int fd) {
  int error = 0;
  socklen_t size = sizeof error;
  return getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &size) == 0 ? error : errno;
}

}  // namespace hopwise::probes
