#include "probes/reflect/reflector.hpp"

#include <sys/socket.h>
#include <unistd.h>

#include <boost/asio/posix/stream_descriptor.hpp>
#include <random>

#include "probes/reflect/reflect_socket.hpp"
#include "probes/reflect/responder.hpp"
#include "probes/socket/clock.hpp"
#include "probes/socket/clock_error.hpp"

namespace hopwise::probes {
namespace {

namespace asio = boost::asio;

// So many batches of one socket before the other one has its turn.
constexpr int kBatches = 8;
constexpr auto kClockEvery = std::chrono::seconds(10);

// A socket, and Asio's look at it, which must not close it.
struct Ear {
  Ear(asio::io_context& io, IpAddress where, ReflectSocket&& s)
      : address(where), socket(std::move(s)), readable(io, socket.fd()) {}
  Ear(const Ear&) = delete;
  Ear& operator=(const Ear&) = delete;
  ~Ear() { readable.release(); }

  IpAddress address;
  ReflectSocket socket;
  asio::posix::stream_descriptor readable;
};

// All addresses, of IPv6 too unless the kernel was built or started without.
std::vector<IpAddress> everywhere() {
  std::vector<IpAddress> all{IpAddress{Family::v4, {}}};
  const int fd = socket(AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  if (fd < 0) return all;
  close(fd);
  all.push_back(IpAddress{Family::v6, {}});
  return all;
}

std::uint64_t random_seed() {
  std::random_device device;
  return std::uint64_t{device()} << 32U | device();
}

}  // namespace

struct Reflector::Impl {
  explicit Impl(Responder&& r) : responder(std::move(r)) {}

  Result<> listen(asio::io_context& io, const ReflectorOptions& options);
  void wait(Ear& ear);
  void turn(Ear& ear);
  std::size_t answer_batch(Ear& ear);
  void answer(Ear& ear, std::size_t index, const ClockPair& now);
  void look_at_clock(TimePoint now);

  Responder responder;
  std::vector<std::unique_ptr<Ear>> ears;
  TimePoint clock_seen;
  std::uint64_t user_stamped = 0;
};

Result<> Reflector::Impl::listen(asio::io_context& io, const ReflectorOptions& options) {
  for (const IpAddress& address : options.listen.empty() ? everywhere() : options.listen) {
    auto socket = ReflectSocket::open(address, options.port);
    if (!socket) return socket.error();
    ears.push_back(std::make_unique<Ear>(io, address, std::move(*socket)));
  }
  look_at_clock(ClockPair::now().monotonic);
  for (const auto& ear : ears) wait(*ear);
  return {};
}

void Reflector::Impl::wait(Ear& ear) {
  ear.readable.async_wait(asio::posix::descriptor_base::wait_read,
                          [this, &ear](const boost::system::error_code& error) {
                            if (error) return;
                            turn(ear);
                            wait(ear);
                          });
}

void Reflector::Impl::turn(Ear& ear) {
  for (int i = 0; i < kBatches; i++)
    if (answer_batch(ear) < ReflectSocket::kBatch) return;
}

std::size_t Reflector::Impl::answer_batch(Ear& ear) {
  const std::size_t count = ear.socket.receive();
  const ClockPair now = ClockPair::now();
  look_at_clock(now.monotonic);
  for (std::size_t i = 0; i < count; i++) answer(ear, i, now);
  return count;
}

void Reflector::Impl::answer(Ear& ear, std::size_t index, const ClockPair& now) {
  const auto datagram = ear.socket.datagram(index);
  if (datagram.truncated) return responder.drop(Fate::too_long);
  if (!datagram.came) user_stamped++;
  Responder::Answer answer;
  const auto fate =
      responder.judge({datagram.from, datagram.from_port, datagram.to, datagram.bytes, datagram.ttl,
                       datagram.traffic_class, datagram.came.value_or(now.wall), now.monotonic},
                      answer);
  if (fate != Fate::answered) return;
  responder.seal(answer, std::chrono::system_clock::now());
  const int error = ear.socket.reply(index, datagram.to, answer.packet, answer.traffic_class);
  responder.left(answer, error == 0 ? Fate::answered : Fate::unsent);
}

void Reflector::Impl::look_at_clock(TimePoint now) {
  if (now - clock_seen < kClockEvery && clock_seen != TimePoint()) return;
  clock_seen = now;
  responder.set_clock(wall_clock_error());
}

Reflector::Reflector(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Reflector::~Reflector() = default;

Result<std::unique_ptr<Reflector>> Reflector::open(asio::io_context& io,
                                                   const ReflectorOptions& options) {
  auto responder = Responder::make(options, random_seed());
  if (!responder) return responder.error();
  auto impl = std::make_unique<Impl>(std::move(*responder));
  if (const auto listening = impl->listen(io, options); !listening) return listening.error();
  return std::unique_ptr<Reflector>(new Reflector(std::move(impl)));
}

std::vector<std::string> Reflector::listens() const {
  std::vector<std::string> all;
  for (const auto& ear : impl_->ears) {
    const std::string address = ear->address.text();
    all.push_back((ear->address.is_v4() ? address : '[' + address + ']') + ':' +
                  std::to_string(ear->socket.port()));
  }
  return all;
}

ReflectorCounters Reflector::counters() const {
  ReflectorCounters now = impl_->responder.counters();
  for (const auto& ear : impl_->ears) now.overflowed += ear->socket.overflowed();
  now.user_stamped = impl_->user_stamped;
  return now;
}

}  // namespace hopwise::probes
