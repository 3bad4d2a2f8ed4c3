#include "probes/trace/tracer.hpp"

#include <algorithm>
#include <array>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/steady_timer.hpp>
#include <cerrno>
#include <map>
#include <random>
#include <utility>
#include <vector>

#include "probes/socket/datagram_socket.hpp"
#include "probes/wire/bytes.hpp"
#include "probes/wire/icmp.hpp"
#include "probes/wire/quote.hpp"

namespace hopwise::probes {
namespace {

namespace asio = boost::asio;
using std::chrono::steady_clock;

constexpr std::size_t kMessageBytes = kEchoHeaderBytes + 32;

struct Channel {
  Channel(asio::io_context& io, DatagramSocket s)
      : socket(std::move(s)), readable(io, socket.fd()) {}
  Channel(const Channel&) = delete;
  Channel& operator=(const Channel&) = delete;
  ~Channel() { readable.release(); }  // the socket closes it

  DatagramSocket socket;
  asio::posix::stream_descriptor readable;
};

struct Running {
  TraceRequest request;
  Tracer::Told told;
  std::uint64_t nonce = 0;
  Course course;
  bool changed = false;
};

/// A probe that is out, by the sequence that it carries.
struct Out {
  std::uint64_t trace = 0;
  std::size_t probe = 0;
};

constexpr std::size_t index(Family family) {
  return family == Family::v4 ? 0 : 1;
}

bool is_for_want_of_room(int error) {
  return error == EAGAIN || error == ENOBUFS || error == ENOMEM;
}

}  // namespace

struct Tracer::Impl : std::enable_shared_from_this<Impl> {
  explicit Impl(asio::io_context& context) : io(context), timer(context) {}

  Result<> open_channel(Family family);
  void wait_readable(Family family);
  void drain(Family family);
  void left(const DatagramSocket::Left& departure);
  void arrived(const DatagramSocket::Arrived& datagram);
  void take(std::uint16_t sequence, const TraceAnswer& answer);
  Running* running(std::uint16_t sequence);
  [[nodiscard]] EchoTag tag(std::uint64_t trace, const Running& of, std::uint16_t sequence) const;

  void turn();
  void send_due(std::uint64_t id, Running& trace, TimePoint now);
  int send(std::uint64_t id, Running& trace, std::uint8_t distance, std::uint16_t sequence);
  void tell();
  void arm();

  asio::io_context& io;
  asio::steady_timer timer;
  std::array<std::unique_ptr<Channel>, 2> channels;  // by family, opened when first wanted
  std::random_device entropy;
  std::uint16_t identifier = static_cast<std::uint16_t>(entropy());
  std::uint16_t next_sequence = static_cast<std::uint16_t>(entropy());
  std::uint64_t newest = 0;
  std::map<std::uint64_t, Running> traces;
  std::map<std::uint16_t, Out> out;
  DatagramSocket::Events events{
      .left = [this](const DatagramSocket::Left& departure) { left(departure); },
      .arrived = [this](const DatagramSocket::Arrived& datagram) { arrived(datagram); }};
};

// --- what comes in -------------------------------------------------------------------------------

Result<> Tracer::Impl::open_channel(Family family) {
  auto& channel = channels[index(family)];
  if (channel) return {};
  auto socket = DatagramSocket::open({.family = family,
                                      .protocol = DatagramSocket::Protocol::icmp,
                                      .identifier = identifier,
                                      .ports = {},
                                      .receive_bytes = 1U << 18U});
  if (!socket) return socket.error();
  channel = std::make_unique<Channel>(io, std::move(*socket));
  wait_readable(family);
  return {};
}

void Tracer::Impl::wait_readable(Family family) {
  channels[index(family)]->readable.async_wait(
      asio::posix::descriptor_base::wait_read,
      [weak = weak_from_this(), family](const boost::system::error_code& error) {
        const auto self = weak.lock();
        if (error || !self) return;
        self->drain(family);
        self->turn();
        self->wait_readable(family);
      });
}

void Tracer::Impl::drain(Family family) {
  channels[index(family)]->socket.drain(events);
}

Running* Tracer::Impl::running(std::uint16_t sequence) {
  const auto probe = out.find(sequence);
  return probe != out.end() ? &traces.at(probe->second.trace) : nullptr;
}

EchoTag Tracer::Impl::tag(std::uint64_t trace, const Running& of, std::uint16_t sequence) const {
  return {identifier, sequence, static_cast<std::uint32_t>(trace), of.nonce};
}

// The interface's stamp also tells whether the probe left by the nexthop's.
void Tracer::Impl::left(const DatagramSocket::Left& departure) {
  if (departure.message.size() < kEchoHeaderBytes) return;
  const auto sequence = get<std::uint16_t>(departure.message.subspan(6));
  Running* trace = running(sequence);
  if (trace == nullptr) return;
  if (departure.at) trace->course.left(out.at(sequence).probe, *departure.at);
  const bool is_told =
      !departure.hops.empty() &&
      std::ranges::all_of(departure.hops, [](const Hop& hop) { return hop.ifindex != 0; });
  if (is_told && !departure.by(trace->request.way.ifindex, trace->request.way.gateway))
    trace->course.fail(
        "a probe left by another interface or to another gateway than the nexthop's");
}

void Tracer::Impl::arrived(const DatagramSocket::Arrived& datagram) {
  const Family family = datagram.from.family;
  if (const auto reply = parse_reply(family, datagram.bytes)) {
    const auto sequence = static_cast<std::uint16_t>(reply->sequence);
    const Running* trace = running(sequence);
    if (trace == nullptr || *reply != tag(out.at(sequence).trace, *trace, sequence)) return;
    return take(sequence, {datagram.from, TraceAnswer::Kind::destination, {}, datagram.at});
  }
  const auto quote = parse_quote(family, datagram.bytes);
  const auto echo = quote ? quote->echo() : std::nullopt;
  if (!echo || echo->identifier != identifier) return;
  const Running* trace = running(echo->sequence);
  if (trace == nullptr || quote->destination != trace->request.destination) return;
  const auto whole = parse_refusal(family, datagram.bytes);
  if (whole && whole->tag != tag(out.at(echo->sequence).trace, *trace, echo->sequence)) return;
  take(echo->sequence,
       {datagram.from, quote->time_exceeded() ? TraceAnswer::Kind::hop : TraceAnswer::Kind::refusal,
        std::string(quote->note()), datagram.at});
}

void Tracer::Impl::take(std::uint16_t sequence, const TraceAnswer& answer) {
  Running* trace = running(sequence);
  trace->course.answered(out.at(sequence).probe, answer);
  trace->changed = true;
}

// --- what goes out -------------------------------------------------------------------------------

void Tracer::Impl::turn() {
  const TimePoint now = steady_clock::now();
  for (auto& [id, trace] : traces) {
    send_due(id, trace, now);
    trace.course.turn(now);
  }
  tell();
  arm();
}

void Tracer::Impl::send_due(std::uint64_t id, Running& trace, TimePoint now) {
  const auto distance = trace.course.due(now);
  if (!distance) return;
  while (out.contains(next_sequence)) next_sequence++;
  const std::uint16_t sequence = next_sequence++;
  if (const int error = send(id, trace, *distance, sequence); is_for_want_of_room(error)) {
    trace.course.postpone(now);
  } else if (error != 0) {
    trace.course.fail(
        system_error("send a probe to " + trace.request.destination.text(), error).message);
  } else {
    out[sequence] = {id, trace.course.sent(*distance, now)};
    trace.changed = true;
  }
}

int Tracer::Impl::send(std::uint64_t id, Running& trace, std::uint8_t distance,
                       std::uint16_t sequence) {
  const TraceRequest& request = trace.request;
  const Family family = request.destination.family;
  std::array<std::uint8_t, kMessageBytes> message{};
  build_request(family, tag(id, trace, sequence), message);
  DatagramSocket::Outgoing probe;
  probe.to = request.destination;
  probe.mark = request.way.mark;
  probe.ifindex = request.way.ifindex;
  probe.from = request.way.source;
  probe.ttl = distance;
  probe.bytes = message;
  int error = 0;
  channels[index(family)]->socket.send({&probe, 1}, {&error, 1});
  return error;
}

// Who is told may start and cancel others.
void Tracer::Impl::tell() {
  std::vector<std::pair<Told, Findings>> news;
  for (auto at = traces.begin(); at != traces.end();) {
    Running& trace = at->second;
    const bool ended = trace.course.ended();
    if (ended || std::exchange(trace.changed, false))
      news.emplace_back(trace.told, trace.course.findings());
    if (ended)
      std::erase_if(out, [&](const auto& probe) { return probe.second.trace == at->first; });
    at = ended ? traces.erase(at) : std::next(at);
  }
  for (const auto& [told, findings] : news) told(findings);
}

void Tracer::Impl::arm() {
  if (traces.empty()) {
    timer.cancel();
    return;
  }
  TimePoint next = TimePoint::max();
  for (const auto& [id, trace] : traces) next = std::min(next, trace.course.next());
  timer.expires_at(next);
  timer.async_wait([weak = weak_from_this()](const boost::system::error_code& error) {
    const auto self = weak.lock();
    if (error || !self) return;
    // What waits in the sockets came before now.
    for (const Family family : {Family::v4, Family::v6})
      if (self->channels[index(family)]) self->drain(family);
    self->turn();
  });
}

// --- the public face -----------------------------------------------------------------------------

Tracer::Tracer(asio::io_context& io) : impl_(std::make_shared<Impl>(io)) {}
Tracer::~Tracer() = default;

Result<std::uint64_t> Tracer::start(const TraceRequest& request, Told told) {
  const std::string what = "trace " + request.destination.text();
  if (impl_->traces.size() >= kMost)
    return Error{what + ": " + std::to_string(kMost) +
                 " traces are under way (wait for one to end)"};
  if (auto done = impl_->open_channel(request.destination.family); !done)
    return Error{what + ": " + done.error().message};
  const std::uint64_t id = ++impl_->newest;
  const std::uint64_t nonce = std::uint64_t{impl_->entropy()} << 32U | impl_->entropy();
  impl_->traces.emplace(id,
                        Running{request, std::move(told), nonce,
                                Course(request.destination, request.options, steady_clock::now())});
  impl_->arm();
  return id;
}

void Tracer::cancel(std::uint64_t trace) {
  const auto found = impl_->traces.find(trace);
  if (found == impl_->traces.end()) return;
  found->second.course.fail("canceled");
  impl_->turn();
}

}  // namespace hopwise::probes
