#include "test/unit/probes/tap.hpp"

#include <arpa/inet.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>

#include "probes/wire/bytes.hpp"
#include "test/catch.hpp"

namespace hopwise::probes {
namespace {

constexpr std::size_t kIp = 14, kSourceAddress4 = kIp + 12;

}  // namespace

bool Seen::is_echo_request() const {
  return (protocol == kIcmp && frame.at(message) == 8) ||
         (protocol == kIcmpv6 && frame.at(message) == 128);
}

bool Seen::is_syn() const {
  return protocol == kTcp && frame.at(message + 13) == 2;
}

Frame Seen::back(const std::function<void(Frame&)>& edit) const {
  Frame answer = frame;
  std::swap_ranges(answer.begin(), answer.begin() + 6, answer.begin() + 6);
  std::swap_ranges(answer.begin() + kSourceAddress4, answer.begin() + kSourceAddress4 + 4,
                   answer.begin() + kSourceAddress4 + 4);
  if (protocol != kIcmp)
    std::swap_ranges(answer.begin() + message, answer.begin() + message + 2,
                     answer.begin() + message + 2);
  edit(answer);
  const std::span all(answer);
  if (answer.size() < message + 8) return answer;
  put(all.subspan(kIp + 2), static_cast<std::uint16_t>(answer.size() - kIp));
  put(all.subspan(kIp + 10), std::uint16_t{0});
  put(all.subspan(kIp + 10), static_cast<std::uint16_t>(~sum(all.subspan(kIp, 20))));
  if (protocol == kUdp) {  // no checksum
    put(all.subspan(message + 4), static_cast<std::uint16_t>(answer.size() - message));
    put(all.subspan(message + 6), std::uint16_t{0});
  }
  if (protocol == kIcmp) {
    put(all.subspan(message + 2), std::uint16_t{0});
    put(all.subspan(message + 2), static_cast<std::uint16_t>(~sum(all.subspan(message))));
  }
  return answer;
}

Tap::Tap(const NetNamespace& where, const char* interface) {
  const NetNamespace::Visit visit(where);
  fd_ = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, htons(ETH_P_ALL));
  REQUIRE(fd_ >= 0);
  sockaddr_ll address{};
  address.sll_family = AF_PACKET;
  address.sll_protocol = htons(ETH_P_ALL);
  address.sll_ifindex = static_cast<int>(if_nametoindex(interface));
  REQUIRE(bind(fd_, reinterpret_cast<const sockaddr*>(&address), sizeof(address)) == 0);
  const int room = 64 << 20;
  setsockopt(fd_, SOL_SOCKET, SO_RCVBUFFORCE, &room, sizeof(room));
}

Tap::~Tap() {
  close(fd_);
}

std::vector<Seen> Tap::read() const {
  std::vector<Seen> all;
  std::array<std::uint8_t, 2048> buffer{};
  sockaddr_ll from{};
  for (;;) {
    socklen_t size = sizeof(from);
    const ssize_t count =
        recvfrom(fd_, buffer.data(), buffer.size(), 0, reinterpret_cast<sockaddr*>(&from), &size);
    if (count < 0) return all;
    if (from.sll_pkttype == PACKET_OUTGOING || count < 34) continue;
    const bool v4 = ntohs(from.sll_protocol) == ETH_P_IP;
    if (!v4 && ntohs(from.sll_protocol) != ETH_P_IPV6) continue;
    all.push_back({{buffer.begin(), buffer.begin() + count},
                   buffer[kIp + (v4 ? 9 : 6)],
                   kIp + (v4 ? std::size_t{20} : std::size_t{40})});
  }
}

bool Tap::send(const Frame& frame) const {
  return ::send(fd_, frame.data(), frame.size(), 0) == static_cast<ssize_t>(frame.size());
}

}  // namespace hopwise::probes
