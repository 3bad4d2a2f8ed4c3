// One loop. It wakes when replies are there or something is due, and then always does the same:
// reads what came, judges deadlines, sends what is due, and sets the timer to what is due next.
#include "probes/prober.hpp"

#include <algorithm>
#include <array>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/steady_timer.hpp>
#include <cerrno>
#include <map>
#include <random>
#include <set>

#include "probes/binding/binding.hpp"
#include "probes/binding/leads.hpp"
#include "probes/binding/rule_watch.hpp"
#include "probes/schedule/flow.hpp"
#include "probes/socket/echo_socket.hpp"
#include "probes/wire/icmp.hpp"

namespace hopwise::probes {
namespace {

namespace asio = boost::asio;
using std::chrono::steady_clock;

// A timer that fires this late means that the host, not the path, made replies late.
constexpr Duration kStall = std::chrono::milliseconds(50);

struct Channel {
  Channel(asio::io_context& io, EchoSocket s) : socket(std::move(s)), readable(io, socket.fd()) {}
  Channel(const Channel&) = delete;
  Channel& operator=(const Channel&) = delete;
  ~Channel() { readable.release(); }  // the socket closes it

  EchoSocket socket;
  asio::posix::stream_descriptor readable;
};

constexpr std::size_t index(Family family) {
  return family == Family::v4 ? 0 : 1;
}

bool is_unreachable(int error) {
  return error == ENETUNREACH || error == EHOSTUNREACH;
}

}  // namespace

struct Prober::Impl : std::enable_shared_from_this<Impl> {
  Impl(asio::io_context& context, const Options& o, Events the_events)
      : io(context), options(o), events(std::move(the_events)), timer(context) {}

  Result<> open_channel(Family family);
  Result<> bind(NexthopId id, Family family);
  Result<> bind(const Target& target);
  Result<> bind_anew(NexthopId id, Family family);
  bool lead(NexthopId id);
  void keep_anchors(const Target& target);
  void add_flow(const Nexthop& nexthop, const IpAddress& anchor);

  void wait_readable(Family family);
  void drain(Family family);
  void turn();
  void judge(Flow& flow, TimePoint now);
  void after_stall(Duration stall);
  void strayed(const std::string& why);
  void received(const EchoSocket::Datagram& datagram);
  [[nodiscard]] Flow* flow_of(const EchoTag& tag) const;
  void send(Flow& flow);
  void report(const Flow& flow, const Verdict& verdict, TimestampSource source);
  void arm();
  double unit() { return std::uniform_real_distribution<>{}(chance); }

  asio::io_context& io;
  Options options;
  Events events;
  std::unique_ptr<Binding> binding;
  std::shared_ptr<RuleWatch> watch;
  std::array<std::unique_ptr<Channel>, 2> channels;  // by family; IPv6 may be missing
  std::map<NexthopId, Nexthop> nexthops;
  std::map<NexthopId, bool> ready;
  std::optional<Leads> leads;  // where marks carry traffic
  Flows flows;
  asio::steady_timer timer;
  std::optional<TimePoint> armed;  // what the timer is set to
  std::random_device entropy;
  std::minstd_rand chance{entropy()};
  std::uint16_t identifier = static_cast<std::uint16_t>(entropy());
  std::array<std::uint8_t, kEchoHeaderBytes + kMaxPayloadBytes> message{};
  std::function<void(const EchoSocket::Datagram&)> on_datagram =
      [this](const EchoSocket::Datagram& datagram) { received(datagram); };
};

// --- targets -------------------------------------------------------------------------------------

Result<> Prober::Impl::open_channel(Family family) {
  auto& channel = channels[index(family)];
  if (channel) return {};
  auto socket = EchoSocket::open(family, identifier);
  if (!socket) return socket.error();
  channel = std::make_unique<Channel>(io, std::move(*socket));
  wait_readable(family);
  return {};
}

Result<> Prober::Impl::bind(NexthopId id, Family family) {
  if (auto done = open_channel(family); !done) return done;
  return binding->bind(nexthops.at(id), family);
}

Result<> Prober::Impl::bind(const Target& target) {
  std::set<Family> families;
  for (const AnchorSpec& spec : target.anchors) families.insert(spec.anchor.address.family);
  for (const Family family : families)
    if (auto done = bind(target.nexthop.id, family); !done) return done;
  return {};
}

bool Prober::Impl::lead(NexthopId id) {
  return !leads || leads->lead(nexthops.at(id));
}

// After the kernel dropped a route: it dropped the other family's as well.
Result<> Prober::Impl::bind_anew(NexthopId id, Family family) {
  lead(id);
  return bind(id, family);
}

void Prober::Impl::keep_anchors(const Target& target) {
  std::vector<IpAddress> anchors;
  for (const AnchorSpec& spec : target.anchors) anchors.push_back(spec.anchor.address);
  flows.remove_others(target.nexthop.id, anchors);
  for (const IpAddress& anchor : anchors)
    if (!flows.has(target.nexthop.id, anchor)) add_flow(target.nexthop, anchor);
}

void Prober::Impl::add_flow(const Nexthop& nexthop, const IpAddress& anchor) {
  const TimePoint now = steady_clock::now();
  Flow flow{.nexthop = nexthop.id,
            .anchor = anchor,
            .route = {binding->mark(nexthop.id), nexthop.key.ifindex},
            .nonce = std::uint64_t{entropy()} << 32U | entropy(),
            .stream = Stream(options, now),
            .trouble = {}};
  flow.stream.set_ready(ready[nexthop.id], now);
  flows.add(std::move(flow));
}

// --- the loop ------------------------------------------------------------------------------------

void Prober::Impl::wait_readable(Family family) {
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

// A reply to a probe that was sent without its rule came after the kernel told of the removal.
void Prober::Impl::drain(Family family) {
  (void)watch->intact();
  if (auto& channel = channels[index(family)]) channel->socket.drain(on_datagram);
}

void Prober::Impl::turn() {
  const TimePoint now = steady_clock::now();
  if (leads) leads->tell();
  if (armed && now - *armed > kStall) after_stall(now - *armed);
  flows.each([&](Flow& flow) {
    if (flow.stream.is_overdue(now)) judge(flow, now);
    if (flow.stream.next_send() <= now) send(flow);
  });
  arm();
}

// A reply that waits in the socket came before `now`: it is read before anything is called lost.
void Prober::Impl::judge(Flow& flow, TimePoint now) {
  drain(flow.anchor.family);
  while (const auto lost = flow.stream.overdue(now)) report(flow, *lost, TimestampSource::user);
}

void Prober::Impl::after_stall(Duration stall) {
  std::array<bool, 2> overflowed{};
  for (const Family family : {Family::v4, Family::v6}) {
    drain(family);
    const auto& channel = channels[index(family)];
    overflowed[index(family)] = channel && channel->socket.overflowed();
  }
  flows.each([&](Flow& flow) {
    flow.stream.forgive(stall);
    if (overflowed[index(flow.anchor.family)]) flow.stream.void_outstanding();
  });
}

void Prober::Impl::strayed(const std::string& why) {
  flows.each([&](Flow& flow) {
    flow.stream.void_outstanding();
    flow.trouble = why;
  });
}

void Prober::Impl::arm() {
  const std::optional<TimePoint> due = flows.due();
  if (due == armed) return;
  armed = due;
  if (!due) {
    timer.cancel();
    return;
  }
  // What fell due only now, by a timeout that became shorter, is not a stall.
  armed = std::max(*due, steady_clock::now());
  timer.expires_at(*armed);
  timer.async_wait([weak = weak_from_this()](const boost::system::error_code& error) {
    const auto self = weak.lock();
    if (!error && self) self->turn();
  });
}

void Prober::Impl::received(const EchoSocket::Datagram& datagram) {
  const Family family = datagram.from.family;
  if (const auto tag = parse_reply(family, datagram.bytes)) {
    Flow* flow = flow_of(*tag);
    if (flow == nullptr) return;
    if (const auto verdict = flow->stream.reply(tag->sequence, datagram.arrived))
      report(*flow, *verdict, datagram.source);
  } else if (const auto refusal = parse_refusal(family, datagram.bytes)) {
    if (Flow* flow = flow_of(refusal->tag))
      flow->trouble = RefusedBy{datagram.from, refusal->type, refusal->code};
  }
}

Flow* Prober::Impl::flow_of(const EchoTag& tag) const {
  return tag.identifier == identifier ? flows.find(tag) : nullptr;
}

void Prober::Impl::send(Flow& flow) {
  const Family family = flow.anchor.family;
  if (!watch->intact()) return flow.stream.unsent(steady_clock::now(), unit());
  if (!binding->holds(flow.nexthop, family)) {
    if (const auto bound = bind_anew(flow.nexthop, family); !bound) {
      flow.trouble = bound.error().message;
      return flow.stream.unsent(steady_clock::now(), unit());
    }
  }
  const std::size_t payload =
      std::clamp<std::size_t>(options.payload_bytes, kMinPayloadBytes, kMaxPayloadBytes);
  const std::span bytes = std::span(message).first(kEchoHeaderBytes + payload);
  build_request(family, {identifier, flow.stream.sequence(), flow.slot, flow.nonce}, bytes);
  EchoSocket& socket = channels[index(family)]->socket;
  TimePoint at = steady_clock::now();
  int error = socket.send(flow.anchor, flow.route, bytes);
  // The kernel drops routes when an interface goes down, and does not put them back.
  if (is_unreachable(error) && bind_anew(flow.nexthop, family)) {
    at = steady_clock::now();
    error = socket.send(flow.anchor, flow.route, bytes);
  }
  if (error == 0) return flow.stream.sent(at, unit());
  flow.trouble = SendFailure{error};
  flow.stream.unsent(at, unit());
}

void Prober::Impl::report(const Flow& flow, const Verdict& verdict, TimestampSource source) {
  const Sample sample{flow.nexthop,        flow.anchor, verdict.outcome, verdict.sent,
                      steady_clock::now(), verdict.rtt, source};
  events.samples({&sample, 1});
}

// --- the public face -----------------------------------------------------------------------------

Prober::Prober(std::shared_ptr<Impl> impl) : impl_(std::move(impl)) {}
Prober::~Prober() = default;

Result<std::unique_ptr<Prober>> Prober::open(asio::io_context& io, const Options& options,
                                             Events events, Staging) {
  auto impl = std::make_shared<Impl>(io, options, std::move(events));
  auto binding = Binding::open(options);
  if (!binding) return binding.error();
  impl->binding = std::move(*binding);
  auto watch = RuleWatch::open(io, *impl->binding,
                               [raw = impl.get()](const std::string& why) { raw->strayed(why); });
  if (!watch) return watch.error();
  impl->watch = std::move(*watch);
  if (options.marks_carry_traffic)
    impl->leads.emplace(*impl->binding, *impl->watch, impl->events.marks);
  if (auto done = impl->open_channel(Family::v4); !done) return done.error();
  // A kernel without IPv6 is no fault until an IPv6 anchor is named: set_target() says it then.
  (void)impl->open_channel(Family::v6);
  return std::unique_ptr<Prober>(new Prober(std::move(impl)));
}

Result<> Prober::set_target(const Target& target) {
  const NexthopId id = target.nexthop.id;
  const auto known = impl_->nexthops.find(id);
  if (known != impl_->nexthops.end() && known->second.key != target.nexthop.key) remove_target(id);
  impl_->nexthops[id] = target.nexthop;
  auto bound = impl_->bind(target);
  if (!impl_->lead(id) && bound)
    bound = Error{"route by the mark of " + target.nexthop.name +
                  ": its rule or table cannot be made; it carries no traffic"};
  impl_->keep_anchors(target);
  impl_->arm();
  return bound;
}

Result<> Prober::end_inheritance() {
  return impl_->binding->end_inheritance();
}

void Prober::remove_target(NexthopId id) {
  impl_->flows.remove(id);
  impl_->binding->unbind(id);
  impl_->nexthops.erase(id);
  impl_->ready.erase(id);
  if (impl_->leads) impl_->leads->forget(id);
  impl_->arm();
}

void Prober::set_ready(NexthopId id, const Readiness& readiness) {
  const bool ready = readiness.ready;
  if (!impl_->nexthops.contains(id)) return;
  impl_->ready[id] = ready;
  // The kernel drops routes with the link, and does not put them back.
  if (ready)
    impl_->lead(id);
  else if (impl_->leads)
    impl_->leads->forget(id);
  impl_->flows.each(id, [&](Flow& flow) { flow.stream.set_ready(ready, steady_clock::now()); });
  impl_->arm();
}

void Prober::set_suspicious(NexthopId id, bool suspicious) {
  impl_->flows.each(
      id, [&](Flow& flow) { flow.stream.set_suspicious(suspicious, steady_clock::now()); });
  impl_->arm();
}

Result<Way> Prober::way(NexthopId id, const IpAddress& destination) {
  const auto nexthop = impl_->nexthops.find(id);
  if (nexthop == impl_->nexthops.end())
    return Error{"find the nexthop of id " + std::to_string(raw(id)) + ": it is gone"};
  if (auto bound = impl_->bind(id, destination.family); !bound) return bound.error();
  return Way{impl_->binding->mark(id), nexthop->second.key.ifindex};
}

void Prober::reconfigure(const Options& options) {
  impl_->options = options;
  impl_->flows.each([&](Flow& flow) { flow.stream.reconfigure(options); });
  impl_->arm();
}

ProberTotals Prober::totals() const {
  return {};
}

std::vector<ProbeStatus> Prober::status() const {
  std::vector<ProbeStatus> all;
  impl_->flows.each([&](const Flow& flow) {
    const Stream::Counters& c = flow.stream.counters();
    ProbeStatus status;
    status.nexthop = flow.nexthop;
    status.anchor = flow.anchor;
    status.state =
        flow.stream.suspicious(steady_clock::now()) ? ProbeState::suspicious : ProbeState::probing;
    status.sent = c.sent;
    status.received = c.received;
    status.lost = c.lost;
    status.late = c.late;
    status.duplicate = c.duplicate;
    status.unsent = c.unsent;
    status.last_error = text(flow.trouble);
    all.push_back(std::move(status));
  });
  return all;
}

}  // namespace hopwise::probes
