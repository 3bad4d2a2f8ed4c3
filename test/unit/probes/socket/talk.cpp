#include "test/unit/probes/socket/talk.hpp"

#include <net/if.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdio>
#include <cstring>

#include "probes/wire/icmp.hpp"
#include "test/catch.hpp"

namespace hopwise::probes {
namespace {

using Protocol = DatagramSocket::Protocol;

constexpr std::size_t kTcpBytes = 20;
constexpr std::uint8_t kSyn = 2;

std::uint32_t word(std::span<const std::uint8_t> bytes, std::size_t at) {
  std::uint32_t value = 0;
  std::memcpy(&value, &bytes[at], sizeof(value));
  return ntohl(value);
}

void put(std::vector<std::uint8_t>& bytes, std::size_t at, std::uint32_t value) {
  value = htonl(value);
  std::memcpy(&bytes[at], &value, sizeof(value));
}

std::uint16_t checksum(const IpAddress& from, const IpAddress& to,
                       std::span<const std::uint8_t> segment) {
  std::uint64_t sum = IPPROTO_TCP + segment.size();
  const auto add = [&sum](std::span<const std::uint8_t> bytes) {
    for (std::size_t i = 0; i + 1 < bytes.size(); i += 2) sum += bytes[i] << 8U | bytes[i + 1];
  };
  add({from.bytes.data(), from.size()});
  add({to.bytes.data(), to.size()});
  add(segment);
  while (sum >> 16U != 0) sum = (sum & 0xffffU) + (sum >> 16U);
  return static_cast<std::uint16_t>(~sum);
}

std::vector<std::uint8_t> syn(const IpAddress& from, const IpAddress& to, std::uint16_t port,
                              std::uint32_t number) {
  std::vector<std::uint8_t> segment(kTcpBytes);
  put(segment, 0, std::uint32_t{port} << 16U | Talk::kPort);
  put(segment, 4, number);
  segment[12] = kTcpBytes / 4 << 4U;
  segment[13] = kSyn;
  const std::uint16_t sum = checksum(from, to, segment);
  segment[16] = static_cast<std::uint8_t>(sum >> 8U);
  segment[17] = static_cast<std::uint8_t>(sum);
  return segment;
}

// A UDP socket in `where` that is bound to the anchor.
int echo_socket(const NetNamespace& where, const IpAddress& anchor) {
  const NetNamespace::Visit visit(where);
  sockaddr_in6 six{};
  six.sin6_family = AF_INET6;
  six.sin6_port = htons(Talk::kPort);
  std::memcpy(&six.sin6_addr, anchor.bytes.data(), sizeof(six.sin6_addr));
  sockaddr_in four{};
  four.sin_family = AF_INET;
  four.sin_port = htons(Talk::kPort);
  std::memcpy(&four.sin_addr, anchor.bytes.data(), sizeof(four.sin_addr));
  const int fd = socket(anchor.is_v4() ? AF_INET : AF_INET6, SOCK_DGRAM | SOCK_NONBLOCK, 0);
  const int shared = 1;  // several talks at a time
  setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &shared, sizeof(shared));
  const auto* address = anchor.is_v4() ? reinterpret_cast<const sockaddr*>(&four)
                                       : reinterpret_cast<const sockaddr*>(&six);
  REQUIRE(bind(fd, address, anchor.is_v4() ? sizeof(four) : sizeof(six)) == 0);
  return fd;
}

DatagramSocket open(const Tongue& tongue, DatagramSocket::Options options) {
  constexpr std::array<std::uint16_t, 1> kAnyPort{0};
  options.family = tongue.family;
  options.protocol = tongue.protocol;
  options.identifier = Talk::kIdentifier;
  if (options.ports.empty() && tongue.protocol == Protocol::tcp) options.ports = kAnyPort;
  auto opened = DatagramSocket::open(options);
  INFO((opened ? "" : opened.error().message));
  REQUIRE(opened.has_value());
  return std::move(*opened);
}

}  // namespace

Talk::Talk(const Lan& lan, const Tongue& tongue, DatagramSocket::Options options)
    : tongue_(tongue), visit_(lan.router), socket(open(tongue, std::move(options))) {
  lan.router.sh(
      "ip -4 rule flush; ip -4 rule add prio 32766 table main; ip -6 rule flush; ip -6 rule add "
      "prio 32766 table main\n"
      "for n in 1 2; do ip rule add prio 10 fwmark $n table $n; ip -6 rule add prio 10 fwmark $n "
      "table $n; ip route replace default via 10.9.0.$n table $n; ip -6 route replace default via "
      "fd09::$n table $n; done");
  if (tongue.protocol == Protocol::udp)
    for (const auto* gateway : {&lan.a, &lan.b}) echoes_.push_back(echo_socket(*gateway, anchor()));
}

Talk::~Talk() {
  for (const int fd : echoes_) close(fd);
}

IpAddress Talk::anchor() const {
  return address(tongue_.family == Family::v4 ? "203.0.113.1" : "2001:db8::1");
}

IpAddress Talk::own() const {
  return address(tongue_.family == Family::v4 ? "10.9.0.254" : "fd09::fe");
}

DatagramSocket::Outgoing Talk::message(std::uint32_t number) {
  DatagramSocket::Outgoing datagram;
  datagram.to = anchor();
  datagram.mark = 1;
  std::vector<std::uint8_t> bytes(kEchoHeaderBytes + kMinPayloadBytes);
  if (tongue_.protocol == Protocol::icmp)
    build_request(tongue_.family, {kIdentifier, number, 0, 1}, bytes);
  if (tongue_.protocol == Protocol::tcp) {
    datagram.from = own();  // it is in the checksum
    bytes = syn(own(), anchor(), socket.port(), number);
  }
  if (tongue_.protocol == Protocol::udp) {
    datagram.port = kPort;
    put(bytes, 0, number);
  }
  datagram.bytes = messages_.emplace_back(number, std::move(bytes)).second;
  return datagram;
}

std::optional<std::uint32_t> Talk::number(const DatagramSocket::Left& left) const {
  // The kernel fills ICMPv6's checksum in.
  const std::ptrdiff_t skipped = tongue_.protocol == Protocol::icmp ? 4 : 0;
  for (const auto& [number, sent] : messages_)
    if (std::ranges::equal(sent.begin() + skipped, sent.end(), left.message.begin() + skipped,
                           left.message.end()))
      return number;
  return {};
}

std::optional<std::uint32_t> Talk::number(const DatagramSocket::Arrived& arrived) const {
  if (tongue_.protocol == Protocol::icmp) {
    const auto tag = parse_reply(tongue_.family, arrived.bytes);
    return tag ? std::optional(tag->sequence) : std::nullopt;
  }
  const std::size_t header =
      tongue_.family == Family::v4 && tongue_.protocol == Protocol::tcp ? 20 : 0;
  const bool tcp = tongue_.protocol == Protocol::tcp;
  if (arrived.bytes.size() < header + (tcp ? kTcpBytes : 4)) return {};
  return tcp ? word(arrived.bytes, header + 8) - 1 : word(arrived.bytes, 0);
}

std::vector<int> Talk::send(const std::vector<DatagramSocket::Outgoing>& batch) {
  std::vector<int> errors(batch.size(), -1);
  socket.send(batch, errors);
  return errors;
}

void Talk::answer() const {
  std::array<char, 2048> bytes{};
  for (const int fd : echoes_) {
    sockaddr_storage from{};
    socklen_t size = sizeof(from);
    auto* name = reinterpret_cast<sockaddr*>(&from);
    for (ssize_t count = 0; (count = recvfrom(fd, bytes.data(), bytes.size(), 0, name, &size)) > 0;)
      sendto(fd, bytes.data(), static_cast<std::size_t>(count), 0, name, size);
  }
}

bool Talk::drain(const DatagramSocket::Events& events) {
  answer();
  return socket.drain(events);
}

bool Talk::drain_until(const DatagramSocket::Events& events, const std::function<bool()>& done) {
  const auto limit = std::chrono::steady_clock::now() + std::chrono::seconds(10);
  while (!done() && std::chrono::steady_clock::now() < limit) {
    drain(events);
    pollfd readable{socket.fd(), POLLIN, 0};
    if (!done()) poll(&readable, 1, 10);
  }
  return done();
}

Tongue any_tongue() {
  return kTongues[GENERATE(range(std::size_t{0}, kTongues.size()))];
}

std::uint32_t ifindex(const Lan& lan, const char* interface) {
  const NetNamespace::Visit visit(lan.router);
  return if_nametoindex(interface);
}

EthernetAddress mac(const NetNamespace& where, const char* interface) {
  const auto shown =
      where.output(std::string("ip -o link show ") + interface + " | sed 's/.*link.ether //'");
  EthernetAddress read{};
  std::array<unsigned, 6> octets{};
  REQUIRE(std::sscanf(shown.c_str(), "%x:%x:%x:%x:%x:%x", &octets[0], &octets[1], &octets[2],
                      &octets[3], &octets[4], &octets[5]) == 6);
  for (std::size_t i = 0; i < read.size(); i++) read[i] = static_cast<std::uint8_t>(octets[i]);
  return read;
}

}  // namespace hopwise::probes
