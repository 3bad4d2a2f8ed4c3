#include "test/lab/uplinks.hpp"

#include <arpa/inet.h>
#include <linux/if_packet.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <cstring>
#include <map>
#include <utility>

#include "test/lab/io_thread.hpp"
#include "test/lab/packet_socket.hpp"

namespace hopwise::lab {

namespace {

constexpr const char* kUpstreamDevice = "wan0";
constexpr int kReceiveBuffer = 16 << 20;

/// The flow of a packet that begins with its IP header; 0 for what is not watched.
FlowId flow_of(const std::uint8_t* packet, std::size_t size) {
  const bool v6 = size > 0 && packet[0] >> 4 == 6;
  const std::size_t header = v6 ? 40 : size > 0 ? (packet[0] & 0xfU) * 4U : 0;
  if (size < header + 4 || header < 20 || packet[v6 ? 6 : 9] != IPPROTO_TCP) return 0;
  std::array<std::uint16_t, 2> ports{};
  std::memcpy(ports.data(), packet + header, sizeof ports);
  const std::uint16_t to = ntohs(ports[1]);
  if (to != kLongPort && to != kShortPort) return 0;
  return flow_id(v6 ? Family::v6 : Family::v4, to, ntohs(ports[0]));
}

}  // namespace

struct Uplinks::Impl {
  Impl(const Namespace& where, TimePoint zero) : origin(zero), thread(where) {}
  ~Impl() { thread.end(); }

  void add(int fd) {
    const auto upstream = static_cast<std::uint16_t>(sockets.size());
    sockets.emplace_back(thread.io(), fd);
    bytes.push_back(0);
    wait(upstream);
  }

  void wait(std::uint16_t upstream) {
    using Descriptor = boost::asio::posix::stream_descriptor;
    sockets[upstream].async_wait(Descriptor::wait_read, [this, upstream](auto error) {
      if (error) return;
      read(upstream);
      wait(upstream);
    });
  }

  void read(std::uint16_t upstream) {
    std::array<std::uint8_t, 64> head{};
    const auto elapsed = seconds(std::chrono::steady_clock::now() - origin);
    const auto bin = static_cast<std::uint32_t>(std::max(0.0, elapsed) / kBinSeconds);
    for (;;) {
      const auto size =
          recv(sockets[upstream].native_handle(), head.data(), head.size(), MSG_TRUNC);
      if (size < 0) return;
      const auto length = static_cast<std::size_t>(size);
      if (const auto flow = flow_of(head.data(), std::min(length, head.size())); flow != 0)
        count(bin, upstream, flow, length);
    }
  }

  void count(std::uint32_t bin, std::uint16_t upstream, FlowId flow, std::size_t length) {
    if (bin != current_bin) {
      current_bin = bin;
      current.clear();
    }
    const auto [found, is_new] = current.try_emplace({upstream, flow}, slices.size());
    if (is_new) slices.push_back({.bin = bin, .upstream = upstream, .flow = flow});
    ++slices[found->second].packets;
    slices[found->second].bytes += length;
    bytes[upstream] += length;
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

  const TimePoint origin;
  IoThread thread;
  std::vector<boost::asio::posix::stream_descriptor> sockets;
  std::vector<std::uint64_t> bytes;
  std::vector<Slice> slices;
  std::uint32_t current_bin = 0;
  std::map<std::pair<std::uint16_t, FlowId>, std::size_t> current;  // -> index in slices
};

Uplinks::Uplinks(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Uplinks::~Uplinks() = default;

Result<std::unique_ptr<Uplinks>> Uplinks::watch(const Lab& lab, TimePoint origin) {
  auto impl = std::make_unique<Impl>(lab.router(), origin);
  for (std::size_t i = 0; i < lab.topology().upstreams.size(); ++i) {
    const auto fd = open_packet_socket(
        lab.upstream(i), {.device = kUpstreamDevice, .receive_buffer_bytes = kReceiveBuffer});
    if (!fd) return fd.error();
    impl->thread.ask([&] { impl->add(*fd); });
  }
  return std::unique_ptr<Uplinks>(new Uplinks(std::move(impl)));
}

std::vector<std::uint64_t> Uplinks::bytes() const {
  return impl_->thread.ask([this] { return impl_->bytes; });
}

std::vector<Slice> Uplinks::slices() const {
  return impl_->thread.ask([this] { return impl_->slices; });
}

std::uint64_t Uplinks::missed() const {
  return impl_->thread.ask([this] { return impl_->missed(); });
}

}  // namespace hopwise::lab
