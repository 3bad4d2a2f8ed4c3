#include "probes/socket/datagram_socket.hpp"

#include <linux/sock_diag.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cstddef>
#include <utility>

#include "probes/socket/descriptor.hpp"
#include "probes/socket/stamps.hpp"

namespace hopwise::probes {
namespace {

constexpr std::size_t kBatch = 64;
constexpr std::size_t kStampBatch = 128;  // two for each datagram, or more
// Datagrams that are in queues of interfaces at a time; of more the wait is not told.
constexpr std::size_t kQueued = 4096;
// Ethernet's or a tunnel's, and IPv6's with UDP's.
constexpr std::size_t kHeaderBytes = 64;

std::uint8_t protocol_number(const DatagramSocket::Options& options) {
  if (options.protocol == DatagramSocket::Protocol::tcp) return IPPROTO_TCP;
  if (options.protocol == DatagramSocket::Protocol::udp) return IPPROTO_UDP;
  return static_cast<std::uint8_t>(options.family == Family::v4 ? int{IPPROTO_ICMP}
                                                                : int{IPPROTO_ICMPV6});
}

IpAddress address_of(const sockaddr_storage& storage) {
  const auto* raw = reinterpret_cast<const char*>(&storage);
  return storage.ss_family == AF_INET
             ? IpAddress::from_bytes(Family::v4, raw + offsetof(sockaddr_in, sin_addr))
             : IpAddress::from_bytes(Family::v6, raw + offsetof(sockaddr_in6, sin6_addr));
}

// What the kernel says of a socket's buffer.
struct Memory {
  std::uint32_t drops = 0;
  bool full = false;

  static Memory of(int fd) {
    std::array<std::uint32_t, SK_MEMINFO_VARS> memory{};
    socklen_t size = sizeof(memory);
    if (getsockopt(fd, SOL_SOCKET, SO_MEMINFO, memory.data(), &size) < 0) return {};
    return {memory[SK_MEMINFO_DROPS],
            memory[SK_MEMINFO_RMEM_ALLOC] > memory[SK_MEMINFO_RCVBUF] / 2};
  }
};

}  // namespace

struct DatagramSocket::State {
  State(const Options& options, Opened opened)
      : family(options.family),
        protocol(protocol_number(options)),
        now(options.clocks),
        open(std::move(opened)),
        clock(options.clocks()) {}

  void read_departures(const std::function<void(const Left&)>& left);
  [[nodiscard]] Arrived arrived(std::size_t index) const;
  [[nodiscard]] bool dropped(const Memory& before);

  Family family;
  std::uint8_t protocol;
  std::function<ClockPair()> now;
  Opened open;
  StampClock clock;
  std::uint32_t drops = 0;
  Outbox outbox{kBatch};
  Inbox inbox{Inbox::Source::datagrams, kBatch, kReceived};
  Inbox looped{Inbox::Source::error_queue, kStampBatch, kHeaderBytes + kLooped};
  Departures departures{kQueued};
};

// Reads the error queue to its end.
void DatagramSocket::State::read_departures(const std::function<void(const Left&)>& left) {
  std::size_t count = 0;
  do {
    count = looped.receive(open.socket.get());
    clock.look(now());
    for (std::size_t i = 0; i < count; i++) {
      const Ancillary told = read_ancillary(looped.header(i));
      if (!told.point || !told.stamp) continue;
      const auto frame = looped.bytes(i);
      const bool whole = (looped.header(i).msg_flags & MSG_TRUNC) == 0;
      const auto departure =
          departures.note({*told.point, told.key, clock.at(*told.stamp), told.ifindex,
                           whole ? frame : frame.first(0), read_looped(family, protocol, frame)});
      if (departure) left({departure->message, departure->at, departure->queued, departure->hops});
    }
  } while (count == looped.room());
}

DatagramSocket::Arrived DatagramSocket::State::arrived(std::size_t index) const {
  const Ancillary told = read_ancillary(inbox.header(index));
  const auto& from = inbox.from(index);
  Arrived arrived{address_of(from),      0,       inbox.bytes(index), clock.last(),
                  TimestampSource::user, told.ttl};
  // The port is where it is in both families. Raw sockets have a protocol there, or nothing.
  if (protocol == IPPROTO_UDP)
    arrived.from_port = ntohs(reinterpret_cast<const sockaddr_in&>(from).sin_port);
  // Of raw IPv4 the header came along.
  constexpr std::size_t kTtl = 8, kHeader = 20;
  if (family == Family::v4 && protocol != IPPROTO_UDP && arrived.bytes.size() >= kHeader)
    arrived.ttl = arrived.bytes[kTtl];
  if (const auto at = told.stamp ? clock.at(*told.stamp) : std::nullopt) {
    arrived.at = *at;
    arrived.source = TimestampSource::kernel;
  }
  return arrived;
}

// `before`: as it was before all was read. The kernel counts damaged datagrams too, which anybody
// may send; for want of room it drops only while the buffer is full, and only reading empties it.
bool DatagramSocket::State::dropped(const Memory& before) {
  const Memory after = Memory::of(open.socket.get());
  const bool more = std::exchange(drops, after.drops) != after.drops;
  return more && (before.full || after.full);
}

DatagramSocket::DatagramSocket(std::unique_ptr<State> state) : state_(std::move(state)) {}
DatagramSocket::DatagramSocket(DatagramSocket&&) noexcept = default;
DatagramSocket& DatagramSocket::operator=(DatagramSocket&&) noexcept = default;
DatagramSocket::~DatagramSocket() = default;

Result<DatagramSocket> DatagramSocket::open(const Options& options) {
  auto opened = open_descriptor(options);
  if (!opened) return opened.error();
  return DatagramSocket(std::make_unique<State>(options, std::move(*opened)));
}

void DatagramSocket::send(std::span<const Outgoing> batch, std::span<int> errors) {
  for (std::size_t done = 0; done < batch.size(); done += kBatch) {
    const std::size_t count = std::min(kBatch, batch.size() - done);
    state_->outbox.send(fd(), batch.subspan(done, count), errors.subspan(done, count));
  }
}

bool DatagramSocket::drain(const Events& events) {
  State& s = *state_;
  const Memory before = Memory::of(fd());
  s.clock.begin_turn();
  s.clock.look(s.now());
  const TimePoint began = s.clock.last();
  bool more = true;
  while (more) {
    // A reply is read before its probe's stamp, and handed out behind it: the stamp is there first.
    const std::size_t count = s.inbox.receive(fd());
    s.read_departures(events.left);
    more = count == s.inbox.room();
    for (std::size_t i = 0; i < count; i++) {
      const Arrived arrived = s.arrived(i);
      events.arrived(arrived);
      // What comes in while it reads is left to the next: a flood does not hold it here.
      if (arrived.source == TimestampSource::kernel && arrived.at > began) more = false;
    }
  }
  return !s.dropped(before);
}

int DatagramSocket::fd() const {
  return state_->open.socket.get();
}

std::span<const std::uint16_t> DatagramSocket::ports() const {
  return state_->open.ports;
}

std::uint16_t DatagramSocket::port() const {
  return ports().empty() ? std::uint16_t{0} : ports().front();
}

bool DatagramSocket::Left::by(std::uint32_t ifindex,
                              const std::optional<EthernetAddress>& to) const {
  return std::any_of(hops.begin(), hops.end(), [&](const Hop& hop) {
    return hop.ifindex == ifindex && (!to || hop.to == to);
  });
}

}  // namespace hopwise::probes
