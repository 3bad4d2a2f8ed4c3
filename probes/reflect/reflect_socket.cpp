#include "probes/reflect/reflect_socket.hpp"

#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <string>

namespace hopwise::probes {
namespace {

constexpr int kReceiveBuffer = 4 << 20;
constexpr int kHops = 255;
constexpr int kOn = 1;

// Room for what comes with a datagram: stamp, drops, address, TTL, class.
struct alignas(cmsghdr) Control {
  std::array<char, CMSG_SPACE(sizeof(timespec)) + CMSG_SPACE(sizeof(in6_pktinfo)) +
                       3 * CMSG_SPACE(sizeof(int))>
      bytes;
};

template <class T>
T held(const cmsghdr* message) {
  T value{};
  std::memcpy(&value, CMSG_DATA(message),
              std::min(sizeof(value), static_cast<std::size_t>(message->cmsg_len) - CMSG_LEN(0)));
  return value;
}

// Adds one control message behind those that are there; `header` has room for it.
template <class T>
void add(msghdr& header, int level, int type, const T& value) {
  auto* message =
      reinterpret_cast<cmsghdr*>(static_cast<char*>(header.msg_control) + header.msg_controllen);
  message->cmsg_level = level;
  message->cmsg_type = type;
  message->cmsg_len = CMSG_LEN(sizeof(value));
  std::memcpy(CMSG_DATA(message), &value, sizeof(value));
  header.msg_controllen += CMSG_SPACE(sizeof(value));
}

socklen_t fill(sockaddr_storage& storage, const IpAddress& address, std::uint16_t port) {
  if (address.is_v4()) {
    sockaddr_in to{};
    to.sin_family = AF_INET;
    to.sin_port = htons(port);
    std::memcpy(&to.sin_addr, address.bytes.data(), sizeof(to.sin_addr));
    std::memcpy(&storage, &to, sizeof(to));
    return sizeof(to);
  }
  sockaddr_in6 to{};
  to.sin6_family = AF_INET6;
  to.sin6_port = htons(port);
  std::memcpy(&to.sin6_addr, address.bytes.data(), sizeof(to.sin6_addr));
  std::memcpy(&storage, &to, sizeof(to));
  return sizeof(to);
}

struct Endpoint {
  IpAddress address;
  std::uint16_t port = 0;
};
Endpoint endpoint_of(const sockaddr_storage& storage) {
  if (storage.ss_family == AF_INET) {
    sockaddr_in from{};
    std::memcpy(&from, &storage, sizeof(from));
    return {IpAddress::from_bytes(Family::v4, &from.sin_addr), ntohs(from.sin_port)};
  }
  sockaddr_in6 from{};
  std::memcpy(&from, &storage, sizeof(from));
  return {IpAddress::from_bytes(Family::v6, &from.sin6_addr), ntohs(from.sin6_port)};
}

std::string_view remedy(int error) {
  switch (error) {
    case EADDRINUSE:
      return "another program has this port: `ss -ulpn` tells which; or use --port";
    case EACCES:
      return "ports below 1024 need CAP_NET_BIND_SERVICE; or use --port";
    case EADDRNOTAVAIL:
      return "no interface has this address";
    default:
      return {};
  }
}

int ask_for(int fd, Family family) {
  struct Wish {
    int level, name, value;
  };
  const bool v4 = family == Family::v4;
  const std::array wishes{
      Wish{SOL_SOCKET, SO_TIMESTAMPNS, kOn},
      Wish{SOL_SOCKET, SO_RXQ_OVFL, kOn},
      v4 ? Wish{IPPROTO_IP, IP_PKTINFO, kOn} : Wish{IPPROTO_IPV6, IPV6_RECVPKTINFO, kOn},
      v4 ? Wish{IPPROTO_IP, IP_RECVTTL, kOn} : Wish{IPPROTO_IPV6, IPV6_RECVHOPLIMIT, kOn},
      v4 ? Wish{IPPROTO_IP, IP_RECVTOS, kOn} : Wish{IPPROTO_IPV6, IPV6_RECVTCLASS, kOn},
      v4 ? Wish{IPPROTO_IP, IP_TTL, kHops} : Wish{IPPROTO_IPV6, IPV6_UNICAST_HOPS, kHops},
      v4 ? Wish{SOL_SOCKET, SO_BROADCAST, 0} : Wish{IPPROTO_IPV6, IPV6_V6ONLY, kOn}};
  for (const Wish& wish : wishes)
    if (setsockopt(fd, wish.level, wish.name, &wish.value, sizeof(wish.value)) < 0) return errno;
  // More room where we may; what there is otherwise will do.
  if (setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &kReceiveBuffer, sizeof(kReceiveBuffer)) < 0)
    setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &kReceiveBuffer, sizeof(kReceiveBuffer));
  return 0;
}

}  // namespace

struct ReflectSocket::State {
  explicit State(int descriptor) : fd(descriptor) {}
  State(const State&) = delete;
  State& operator=(const State&) = delete;
  ~State() { close(fd); }

  void offer();

  int fd;
  std::uint16_t port = 0;
  std::uint32_t overflowed = 0;
  // The batch that recvmmsg fills.
  std::array<mmsghdr, kBatch> headers{};
  std::array<iovec, kBatch> vectors{};
  std::array<sockaddr_storage, kBatch> from{};
  std::array<Control, kBatch> controls{};
  std::array<std::array<std::uint8_t, kDatagramBytes>, kBatch> bytes{};
};

// Readies all headers for another batch: the kernel writes sizes into them.
void ReflectSocket::State::offer() {
  for (std::size_t i = 0; i < kBatch; i++) {
    vectors[i] = {bytes[i].data(), bytes[i].size()};
    headers[i].msg_hdr = {.msg_name = &from[i],
                          .msg_namelen = sizeof(from[i]),
                          .msg_iov = &vectors[i],
                          .msg_iovlen = 1,
                          .msg_control = controls[i].bytes.data(),
                          .msg_controllen = controls[i].bytes.size(),
                          .msg_flags = 0};
  }
}

ReflectSocket::ReflectSocket(std::unique_ptr<State> state) : state_(std::move(state)) {}
ReflectSocket::ReflectSocket(ReflectSocket&&) noexcept = default;
ReflectSocket& ReflectSocket::operator=(ReflectSocket&&) noexcept = default;
ReflectSocket::~ReflectSocket() = default;

Result<ReflectSocket> ReflectSocket::open(const IpAddress& address, std::uint16_t port) {
  const std::string where =
      (address.is_v4() ? address.text() : '[' + address.text() + ']') + ':' + std::to_string(port);
  const int fd =
      socket(address.is_v4() ? AF_INET : AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (fd < 0) return system_error("open UDP socket for " + where, errno);
  ReflectSocket made(std::make_unique<State>(fd));
  if (const int error = ask_for(fd, address.family); error != 0)
    return system_error("ask for stamps and addresses on UDP " + where, error);
  sockaddr_storage local{};
  socklen_t size = fill(local, address, port);
  if (bind(fd, reinterpret_cast<const sockaddr*>(&local), size) < 0)
    return system_error("bind UDP " + where, errno, remedy(errno));
  size = sizeof(local);
  if (getsockname(fd, reinterpret_cast<sockaddr*>(&local), &size) < 0)
    return system_error("ask for the port of UDP " + where, errno);
  made.state_->port = endpoint_of(local).port;
  return made;
}

std::size_t ReflectSocket::receive() {
  state_->offer();
  const int count = recvmmsg(state_->fd, state_->headers.data(), kBatch, MSG_DONTWAIT, nullptr);
  return count > 0 ? static_cast<std::size_t>(count) : 0;
}

ReflectSocket::Datagram ReflectSocket::datagram(std::size_t index) const {
  const Endpoint from = endpoint_of(state_->from[index]);
  Datagram datagram;
  datagram.from = from.address;
  datagram.from_port = from.port;
  datagram.to.family = from.address.family;
  datagram.bytes = std::span(state_->bytes[index]).first(state_->headers[index].msg_len);
  msghdr header = state_->headers[index].msg_hdr;
  datagram.truncated = (header.msg_flags & MSG_TRUNC) != 0;
  for (cmsghdr* c = CMSG_FIRSTHDR(&header); c != nullptr; c = CMSG_NXTHDR(&header, c)) {
    const auto is = [c](int level, int type) {
      return c->cmsg_level == level && c->cmsg_type == type;
    };
    if (is(SOL_SOCKET, SO_TIMESTAMPNS)) {
      const auto stamp = held<timespec>(c);
      datagram.came = WallTime(std::chrono::seconds(stamp.tv_sec) + Duration(stamp.tv_nsec));
    } else if (is(SOL_SOCKET, SO_RXQ_OVFL)) {
      state_->overflowed = held<std::uint32_t>(c);
    } else if (is(IPPROTO_IP, IP_TTL) || is(IPPROTO_IPV6, IPV6_HOPLIMIT)) {
      datagram.ttl = static_cast<std::uint8_t>(held<int>(c));
    } else if (is(IPPROTO_IP, IP_TOS) || is(IPPROTO_IPV6, IPV6_TCLASS)) {
      datagram.traffic_class = static_cast<std::uint8_t>(held<int>(c));
    } else if (is(IPPROTO_IP, IP_PKTINFO)) {
      const auto info = held<in_pktinfo>(c);
      // They differ where the destination is not our own address alone.
      if (info.ipi_addr.s_addr == info.ipi_spec_dst.s_addr)
        datagram.to = IpAddress::from_bytes(Family::v4, &info.ipi_addr);
    } else if (is(IPPROTO_IPV6, IPV6_PKTINFO)) {
      const auto info = held<in6_pktinfo>(c);
      datagram.to = IpAddress::from_bytes(Family::v6, &info.ipi6_addr);
    }
  }
  return datagram;
}

int ReflectSocket::reply(std::size_t index, const IpAddress& source,
                         std::span<const std::uint8_t> bytes, std::uint8_t traffic_class) {
  iovec vector{const_cast<std::uint8_t*>(bytes.data()), bytes.size()};
  Control control{};
  msghdr header{};
  header.msg_name = &state_->from[index];
  header.msg_namelen = state_->headers[index].msg_hdr.msg_namelen;
  header.msg_iov = &vector;
  header.msg_iovlen = 1;
  header.msg_control = control.bytes.data();
  if (source.is_v4()) {
    in_pktinfo info{};
    std::memcpy(&info.ipi_spec_dst, source.bytes.data(), sizeof(info.ipi_spec_dst));
    add(header, IPPROTO_IP, IP_PKTINFO, info);
    add(header, IPPROTO_IP, IP_TOS, int{traffic_class});
  } else {
    in6_pktinfo info{};
    std::memcpy(&info.ipi6_addr, source.bytes.data(), sizeof(info.ipi6_addr));
    // A link-local address means nothing without its link; which one stands in the peer's address.
    if (source.is_link_local()) {
      sockaddr_in6 peer{};
      std::memcpy(&peer, &state_->from[index], sizeof(peer));
      info.ipi6_ifindex = peer.sin6_scope_id;
    }
    add(header, IPPROTO_IPV6, IPV6_PKTINFO, info);
    add(header, IPPROTO_IPV6, IPV6_TCLASS, int{traffic_class});
  }
  return sendmsg(state_->fd, &header, MSG_DONTWAIT | MSG_NOSIGNAL) < 0 ? errno : 0;
}

std::uint32_t ReflectSocket::overflowed() const {
  return state_->overflowed;
}
int ReflectSocket::fd() const {
  return state_->fd;
}
std::uint16_t ReflectSocket::port() const {
  return state_->port;
}

}  // namespace hopwise::probes
