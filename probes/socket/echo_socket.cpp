#include "probes/socket/echo_socket.hpp"

#include <linux/errqueue.h>
#include <linux/filter.h>
#include <linux/net_tstamp.h>
#include <linux/sock_diag.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>

#include "probes/socket/clock.hpp"

namespace hopwise::probes {
namespace {

constexpr std::size_t kBatch = 32;
constexpr std::size_t kDatagramBytes = 256;  // an error, and the headers and tag that it quotes
constexpr std::size_t kControlBytes = CMSG_SPACE(sizeof(scm_timestamping)) * 2;
constexpr int kReceiveBuffer = 4 << 20;  // thousands of replies: room for a stall of ours

// Types and offsets of an echo reply, and of an error that quotes an echo request.
struct Wire {
  std::uint8_t reply, request, first_error, last_error;
  std::uint32_t quoted;  // the quoted echo: behind the error's eight bytes and an IP header
};
constexpr Wire wire(Family family) {
  return family == Family::v4 ? Wire{0, 8, 3, 12, 28} : Wire{129, 128, 1, 4, 48};
}

// Accepts echo replies with our identifier, and errors about echo requests with it.
int attach_filter(int fd, Family family, std::uint16_t identifier) {
  const Wire w = wire(family);
  constexpr std::uint16_t kByte = BPF_LD | BPF_B | BPF_IND;
  constexpr std::uint16_t kHalf = BPF_LD | BPF_H | BPF_IND;
  constexpr std::uint16_t kEqual = BPF_JMP | BPF_JEQ | BPF_K;
  constexpr std::uint16_t kAtLeast = BPF_JMP | BPF_JGE | BPF_K;
  constexpr std::uint16_t kAbove = BPF_JMP | BPF_JGT | BPF_K;
  // X is where the message begins: a raw IPv4 socket delivers the IP header before it.
  const sock_filter to_message = family == Family::v4
                                     ? sock_filter{BPF_LDX | BPF_B | BPF_MSH, 0, 0, 0}
                                     : sock_filter{BPF_LDX | BPF_W | BPF_IMM, 0, 0, 0};  // NOLINT
  std::array<sock_filter, 13> program{{
      to_message,                        // 0
      {kByte, 0, 0, 0},                  // 1: the type
      {kEqual, 0, 2, w.reply},           // 2: else 5
      {kHalf, 0, 0, 4},                  // 3: a reply's identifier
      {BPF_JMP | BPF_JA, 0, 0, 5},       // 4: to 10
      {kAtLeast, 0, 6, w.first_error},   // 5: else 12
      {kAbove, 5, 0, w.last_error},      // 6: then 12
      {kByte, 0, 0, w.quoted},           // 7: the quoted type
      {kEqual, 0, 3, w.request},         // 8: else 12
      {kHalf, 0, 0, w.quoted + 4},       // 9: the quoted identifier
      {kEqual, 0, 1, identifier},        // 10: else 12
      {BPF_RET | BPF_K, 0, 0, 0xffffU},  // 11: ours
      {BPF_RET | BPF_K, 0, 0, 0},        // 12: not ours
  }};
  const sock_fprog filter{static_cast<unsigned short>(program.size()), program.data()};
  return setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &filter, sizeof(filter));
}

socklen_t fill(sockaddr_storage& storage, const IpAddress& address, std::uint32_t ifindex) {
  if (address.is_v4()) {
    sockaddr_in to{};
    to.sin_family = AF_INET;
    std::memcpy(&to.sin_addr, address.bytes.data(), sizeof(to.sin_addr));
    std::memcpy(&storage, &to, sizeof(to));
    return sizeof(to);
  }
  sockaddr_in6 to{};
  to.sin6_family = AF_INET6;
  std::memcpy(&to.sin6_addr, address.bytes.data(), sizeof(to.sin6_addr));
  if (address.is_link_local()) to.sin6_scope_id = ifindex;
  std::memcpy(&storage, &to, sizeof(to));
  return sizeof(to);
}

// Returns where the next one goes.
template <class Value>
cmsghdr* put(cmsghdr* at, int level, int type, const Value& value) {
  at->cmsg_level = level;
  at->cmsg_type = type;
  at->cmsg_len = CMSG_LEN(sizeof(value));
  std::memcpy(CMSG_DATA(at), &value, sizeof(value));
  return reinterpret_cast<cmsghdr*>(reinterpret_cast<char*>(at) + CMSG_SPACE(sizeof(value)));
}

IpAddress address_of(const sockaddr_storage& storage) {
  const auto* raw = reinterpret_cast<const char*>(&storage);
  return storage.ss_family == AF_INET
             ? IpAddress::from_bytes(Family::v4, raw + offsetof(sockaddr_in, sin_addr))
             : IpAddress::from_bytes(Family::v6, raw + offsetof(sockaddr_in6, sin6_addr));
}

std::optional<WallTime> stamp_of(msghdr& message) {
  for (cmsghdr* c = CMSG_FIRSTHDR(&message); c != nullptr; c = CMSG_NXTHDR(&message, c)) {
    if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SO_TIMESTAMPING) continue;
    scm_timestamping stamps{};
    std::memcpy(&stamps, CMSG_DATA(c), sizeof(stamps));
    const auto& software = stamps.ts[0];
    if (software.tv_sec == 0 && software.tv_nsec == 0) continue;
    return WallTime(std::chrono::seconds(software.tv_sec) +
                    std::chrono::nanoseconds(software.tv_nsec));
  }
  return {};
}

}  // namespace

struct EchoSocket::State {
  explicit State(int descriptor) : fd(descriptor) { offer(kBatch); }
  State(const State&) = delete;
  State& operator=(const State&) = delete;
  ~State() { close(fd); }

  void offer(std::size_t count);
  std::size_t receive();
  Datagram datagram(std::size_t index, bool stamps_hold) const;

  int fd;
  ClockBridge clocks{ClockPair::now()};
  std::uint32_t drops = 0;
  // The batch that recvmmsg fills.
  std::array<mmsghdr, kBatch> headers{};
  std::array<iovec, kBatch> vectors{};
  std::array<sockaddr_storage, kBatch> from{};
  std::array<std::array<std::uint8_t, kDatagramBytes>, kBatch> bytes{};
  struct alignas(cmsghdr) Control {
    std::array<std::uint8_t, kControlBytes> bytes;
  };
  std::array<Control, kBatch> controls{};
};

// Readies the first `count` headers for another batch: the kernel wrote sizes into them.
void EchoSocket::State::offer(std::size_t count) {
  for (std::size_t i = 0; i < count; i++) {
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

std::size_t EchoSocket::State::receive() {
  const int count = recvmmsg(fd, headers.data(), kBatch, MSG_DONTWAIT, nullptr);
  return count > 0 ? static_cast<std::size_t>(count) : 0;
}

EchoSocket::Datagram EchoSocket::State::datagram(std::size_t index, bool stamps_hold) const {
  msghdr header = headers[index].msg_hdr;
  Datagram datagram{address_of(from[index]),
                    clocks.last(),
                    TimestampSource::user,
                    {bytes[index].data(), headers[index].msg_len}};
  const auto stamp = stamps_hold ? stamp_of(header) : std::nullopt;
  if (const auto arrived = stamp ? clocks.monotonic(*stamp) : std::nullopt) {
    datagram.arrived = *arrived;
    datagram.source = TimestampSource::kernel;
  }
  return datagram;
}

EchoSocket::EchoSocket(std::unique_ptr<State> state) : state_(std::move(state)) {}
EchoSocket::EchoSocket(EchoSocket&&) noexcept = default;
EchoSocket& EchoSocket::operator=(EchoSocket&&) noexcept = default;
EchoSocket::~EchoSocket() = default;

Result<EchoSocket> EchoSocket::open(Family family, std::uint16_t identifier) {
  const bool v4 = family == Family::v4;
  const char* name = v4 ? "raw ICMP socket" : "raw ICMPv6 socket";
  const int fd = socket(v4 ? AF_INET : AF_INET6, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK,
                        v4 ? static_cast<int>(IPPROTO_ICMP) : static_cast<int>(IPPROTO_ICMPV6));
  if (fd < 0) return system_error(std::string("open ") + name, errno);
  EchoSocket echo(std::make_unique<State>(fd));
  if (attach_filter(fd, family, identifier) < 0)
    return system_error(std::string("attach filter to ") + name, errno);
  const int stamps = SOF_TIMESTAMPING_RX_SOFTWARE | SOF_TIMESTAMPING_SOFTWARE;
  if (setsockopt(fd, SOL_SOCKET, SO_TIMESTAMPING, &stamps, sizeof(stamps)) < 0)
    return system_error(std::string("ask for receive stamps on ") + name, errno);
  // Without CAP_NET_ADMIN the default room will do; sending needs that capability anyway.
  setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &kReceiveBuffer, sizeof(kReceiveBuffer));
  return echo;
}

int EchoSocket::send(const IpAddress& to, const Route& route,
                     std::span<const std::uint8_t> message) {
  sockaddr_storage address{};
  alignas(cmsghdr)
      std::array<char, CMSG_SPACE(sizeof(route.mark)) + CMSG_SPACE(sizeof(in6_pktinfo))>
          control{};
  iovec vector{const_cast<std::uint8_t*>(message.data()), message.size()};
  msghdr header{};
  header.msg_name = &address;
  header.msg_namelen = fill(address, to, route.ifindex);
  header.msg_iov = &vector;
  header.msg_iovlen = 1;
  header.msg_control = control.data();
  header.msg_controllen = control.size();
  cmsghdr* next = put(CMSG_FIRSTHDR(&header), SOL_SOCKET, SO_MARK, route.mark);
  std::size_t used = CMSG_SPACE(sizeof(route.mark));
  if (route.from && route.from->is_v4()) {
    in_pktinfo source{};
    std::memcpy(&source.ipi_spec_dst, route.from->bytes.data(), sizeof(source.ipi_spec_dst));
    put(next, IPPROTO_IP, IP_PKTINFO, source);
    used += CMSG_SPACE(sizeof(source));
  } else if (route.from) {
    in6_pktinfo source{};
    std::memcpy(&source.ipi6_addr, route.from->bytes.data(), sizeof(source.ipi6_addr));
    if (route.from->is_link_local()) source.ipi6_ifindex = route.ifindex;
    put(next, IPPROTO_IPV6, IPV6_PKTINFO, source);
    used += CMSG_SPACE(sizeof(source));
  }
  header.msg_controllen = used;
  return sendmsg(state_->fd, &header, MSG_DONTWAIT | MSG_NOSIGNAL) < 0 ? errno : 0;
}

void EchoSocket::drain(const std::function<void(const Datagram&)>& each) {
  // Everything read here arrived since the last drain, so it is since then that the clocks must
  // have kept together.
  bool stamps_hold = true;
  for (std::size_t count = kBatch; count == kBatch;) {
    count = state_->receive();
    stamps_hold = state_->clocks.sight(ClockPair::now()) && stamps_hold;
    for (std::size_t i = 0; i < count; i++) each(state_->datagram(i, stamps_hold));
    state_->offer(count);
  }
}

bool EchoSocket::overflowed() {
  std::array<std::uint32_t, SK_MEMINFO_VARS> memory{};
  socklen_t size = sizeof(memory);
  if (getsockopt(state_->fd, SOL_SOCKET, SO_MEMINFO, memory.data(), &size) < 0) return false;
  return std::exchange(state_->drops, memory[SK_MEMINFO_DROPS]) != memory[SK_MEMINFO_DROPS];
}

int EchoSocket::fd() const {
  return state_->fd;
}

}  // namespace hopwise::probes
