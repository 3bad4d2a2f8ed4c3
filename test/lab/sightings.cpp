#include "test/lab/sightings.hpp"

#include <linux/if_packet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <time.h>

#include <algorithm>
#include <array>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <cstring>
#include <limits>
#include <optional>

#include "test/lab/io_thread.hpp"
#include "test/lab/packet_socket.hpp"

namespace hopwise::lab {
namespace {

constexpr const char* kUpstreamDevice = "eth0";
constexpr int kReceiveBuffer = 32 << 20;
constexpr std::size_t kHead = 44;  // as far as is looked at

bool begins(const std::uint8_t* at, const char* prefix) {
  const Prefix wanted = *Prefix::parse(prefix);
  return Prefix::covering(IpAddress::from_bytes(wanted.address.family, at), wanted.length) ==
         wanted;
}

/// The family of a datagram from the client LAN to the service; nothing for all else.
std::optional<Family> family_of(const std::uint8_t* packet, std::size_t size) {
  if (size >= 20 && packet[0] >> 4 == 4 && packet[9] == IPPROTO_UDP &&
      begins(packet + 12, "10.10.0.0/24") && begins(packet + 16, "203.0.113.0/24"))
    return Family::v4;
  if (size >= 40 && packet[0] >> 4 == 6 && packet[6] == IPPROTO_UDP &&
      begins(packet + 8, "fd00:10::/64") && begins(packet + 24, "2001:db8:113::/48"))
    return Family::v6;
  return std::nullopt;
}

StampNs stamp_of(msghdr& message) {
  for (cmsghdr* word = CMSG_FIRSTHDR(&message); word != nullptr; word = CMSG_NXTHDR(&message, word))
    if (word->cmsg_level == SOL_SOCKET && word->cmsg_type == SO_TIMESTAMPNS) {
      timespec at{};
      std::memcpy(&at, CMSG_DATA(word), sizeof at);
      return at.tv_sec * StampNs{1'000'000'000} + at.tv_nsec;
    }
  return wall_now();
}

}  // namespace

struct Sightings::Impl {
  explicit Impl(const Namespace& where) : thread(where) {}
  ~Impl() { thread.end(); }

  void add(int fd) {
    sockets.emplace_back(thread.io(), fd);
    wait(sockets.size() - 1);
  }

  void wait(std::size_t upstream) {
    using Descriptor = boost::asio::posix::stream_descriptor;
    sockets[upstream].async_wait(Descriptor::wait_read, [this, upstream](auto error) {
      if (error) return;
      read(upstream);
      wait(upstream);
    });
  }

  void read(std::size_t upstream) {
    std::array<std::uint8_t, kHead> head{};
    alignas(cmsghdr) std::array<char, 64> control{};
    for (;;) {
      iovec part{head.data(), head.size()};
      msghdr message{};
      message.msg_iov = &part;
      message.msg_iovlen = 1;
      message.msg_control = control.data();
      message.msg_controllen = control.size();
      const auto size = recvmsg(sockets[upstream].native_handle(), &message, 0);
      if (size < 0) return;
      if (const auto family = family_of(head.data(), static_cast<std::size_t>(size)))
        seen.push_back({stamp_of(message), upstream, *family});
    }
  }

  std::uint64_t missed() {
    std::uint64_t sum = 0;
    for (auto& socket : sockets) {
      tpacket_stats stats{};
      socklen_t size = sizeof stats;
      getsockopt(socket.native_handle(), SOL_PACKET, PACKET_STATISTICS, &stats, &size);
      sum += stats.tp_drops;
    }
    return sum;
  }

  IoThread thread;
  std::vector<boost::asio::posix::stream_descriptor> sockets;
  std::vector<Sighting> seen;
};

Sightings::Sightings(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Sightings::~Sightings() = default;

Result<std::unique_ptr<Sightings>> Sightings::watch(const Lab& lab) {
  auto impl = std::make_unique<Impl>(lab.router());
  for (std::size_t i = 0; i < lab.topology().upstreams.size(); ++i) {
    const auto fd = open_packet_socket(lab.upstream(i), {.device = kUpstreamDevice,
                                                         .receive_buffer_bytes = kReceiveBuffer,
                                                         .stamps = PacketSocket::Stamps::kernel});
    if (!fd) return fd.error();
    impl->thread.ask([&] { impl->add(*fd); });
  }
  return std::unique_ptr<Sightings>(new Sightings(std::move(impl)));
}

std::vector<Sighting> Sightings::all() const {
  return impl_->thread.ask([this] { return impl_->seen; });
}

std::uint64_t Sightings::missed() const {
  return impl_->thread.ask([this] { return impl_->missed(); });
}

Stale stale_packets(const std::vector<Offers>& changes, const std::vector<Sighting>& sightings,
                    StampNs from, StampNs to) {
  Stale stale;
  const auto end_of = [&](std::size_t begin, std::size_t upstream) {
    for (std::size_t i = begin + 1; i < changes.size(); ++i)
      if (changes[i].family == changes[begin].family && changes[i].upstreams.contains(upstream))
        return std::min(changes[i].at, to);
    return to;
  };
  std::array<std::set<std::size_t>, 2> before;
  for (std::size_t i = 0; i < changes.size(); ++i) {
    const Offers& change = changes[i];
    auto& held = before[change.family == Family::v4 ? 0 : 1];
    const auto gone = std::exchange(held, change.upstreams);
    if (change.at < from || change.at > to) continue;
    for (const auto upstream : gone) {
      if (change.upstreams.contains(upstream)) continue;
      ++stale.withdrawals;
      const auto end = end_of(i, upstream);
      for (const auto& seen : sightings) {
        if (seen.upstream != upstream || seen.family != change.family) continue;
        if (seen.at <= change.at || seen.at >= end) continue;
        ++stale.packets;
        stale.worst =
            std::max<Duration>(stale.worst, std::chrono::nanoseconds(seen.at - change.at));
      }
    }
  }
  return stale;
}

}  // namespace hopwise::lab
