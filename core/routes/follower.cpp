// Three sockets. One tells of links, addresses and neighbours: few words that must not stand behind
// a storm of routes. One tells of nexthop objects and routes, together because a route means what
// its object was when the kernel told of it. The third dumps.
//
// A handful of route events is read, then all that is known of links, and only then are the routes
// looked at: so whatever a route refers to has been heard of. All work is done by slice(), which
// returns to the loop after a few milliseconds and comes back while there is more.
#include "core/routes/follower.hpp"

#include <linux/rtnetlink.h>
#include <poll.h>

#include <algorithm>
#include <array>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <span>
#include <unordered_map>
#include <utility>

#include "core/netlink/request.hpp"
#include "core/routes/dump.hpp"

namespace hopwise::routes {
namespace {

using netlink::Batch;
using netlink::Socket;
using Clock = std::chrono::steady_clock;

// Dumps may take at most about this part of the thread's time.
constexpr int kDumpShare = 5;
// One slice: this for events, and as much for a dump or a walk over the routes.
constexpr auto kSlice = std::chrono::milliseconds(2);
// Where there is both to do: of so many steps one is the dump's. A walk is what an event changed.
constexpr int kStepsADump = 4;
// So many dumps more, where each was disturbed.
constexpr int kDisturbedDumps = 3;

constexpr std::array kLinkGroups{RTNLGRP_LINK, RTNLGRP_NEIGH, RTNLGRP_IPV4_IFADDR,
                                 RTNLGRP_IPV6_IFADDR};
constexpr std::array kRouteGroups{RTNLGRP_NEXTHOP, RTNLGRP_IPV4_ROUTE, RTNLGRP_IPV6_ROUTE};

Result<Socket> listen(std::span<const rtnetlink_groups> groups, int receive_buffer_bytes) {
  auto socket = Socket::open(NETLINK_ROUTE, 0, receive_buffer_bytes);
  if (!socket) return socket.error();
  for (const int group : groups)
    if (auto joined = socket->join(group); !joined) return joined.error();
  return socket;
}

Result<std::uint32_t> table_of_vrf(Socket& socket, const std::string& name) {
  netlink::Request request(RTM_GETLINK, 0);
  request.fixed<ifinfomsg>();
  std::optional<std::uint32_t> table;
  const auto dumped = socket.dump(request.header, "dump links", [&](const nlmsghdr& message) {
    const auto parsed = parse(message);
    const auto* link = parsed ? std::get_if<LinkMessage>(&*parsed) : nullptr;
    if (link != nullptr && link->interface.name == name) table = link->interface.vrf_table;
  });
  if (!dumped) return dumped.error();
  if (table) return *table;
  return Error{"follow the routes of VRF " + name +
               ": there is no VRF device of this name (see `ip link show type vrf`)"};
}

}  // namespace

struct Follower::Impl : std::enable_shared_from_this<Follower::Impl> {
  Impl(boost::asio::io_context& i, const Options& o, Events e)
      : io(i),
        options(o),
        events(std::move(e)),
        link_wait(i),
        route_wait(i),
        dump_wait(i),
        timer(i) {}

  boost::asio::io_context& io;
  Options options;
  Events events;
  std::optional<Fib> fib;
  Counts counts;

  // What has been told, beside routes.
  std::map<std::uint32_t, Interface> interfaces;
  std::unordered_map<NexthopKey, Neighbour> watched;

  using Descriptor = boost::asio::posix::stream_descriptor;  // borrows a socket's
  struct Wait {
    explicit Wait(boost::asio::io_context& io) : descriptor(io) {}
    Descriptor descriptor;
    bool armed = false;
  };
  // An event socket. After a loss the kernel drops all that comes until the socket has been read
  // empty, and says so once only.
  struct Ear {
    std::optional<Socket> socket;
    Batch batch;
    bool deaf = false;  // from a loss until it is empty
  };
  Ear links, routes;
  std::optional<Dump> dump;
  Wait link_wait, route_wait, dump_wait;
  bool slice_posted = false;

  boost::asio::steady_timer timer;
  bool dump_planned = false;
  bool resyncing = false;   // from the beginning of a dump to the end of the walk after it
  bool dump_again = false;  // what it tells may be wrong in part
  int disturbed = 0;        // dumps in a row
  Duration dump_spent{};    // of the thread's time
  TimePoint next_dump{};    // not before
  Fib::Tell tell_route;

  // What on_link() answered since something was heard last: it looks at up to 129 lengths, and BGP
  // asks of a few next hops a million times.
  using Asked = std::pair<IpAddress, std::optional<IpAddress>>;
  std::map<Asked, std::optional<NexthopKey>> answers;

  Result<> open();
  Result<> start();
  void stop();
  void arm(Wait& wait);
  void slice();
  void slice_soon();
  void take_links();
  bool take_routes();
  bool receive(Ear& ear);
  void apply(const nlmsghdr& message);
  void apply(const Message& message);
  void ambiguous();
  void plan_dump();
  void begin_dump();
  bool step_dump();
  bool work_on_dump();
  void dump_ended();
  void report_interface(std::uint32_t ifindex);
  void report_interfaces();
  void report_neighbours();
};

// --- start and stop -----------------------------------------------------------------------------

Result<> Follower::Impl::open() {
  auto dumper = Socket::open(NETLINK_ROUTE);
  if (!dumper) return dumper.error();
  if (!options.vrf.empty()) {
    auto table = table_of_vrf(*dumper, options.vrf);
    if (!table) return table.error();
    options.table = *table;
  }
  auto link_socket = listen(kLinkGroups, options.receive_buffer_bytes);
  if (!link_socket) return link_socket.error();
  auto route_socket = listen(kRouteGroups, options.receive_buffer_bytes);
  if (!route_socket) return route_socket.error();
  links.socket = std::move(*link_socket);
  routes.socket = std::move(*route_socket);
  dump.emplace(std::move(*dumper), options.table);
  fib.emplace(options.table, options.protocols);
  tell_route = [this](const Prefix& prefix, const NexthopSet& set) {
    if (set)
      events.route(Route{prefix, set});
    else
      events.withdrawn(prefix);
  };
  return {};
}

// Events are taken in meanwhile: the buffers would not hold what comes in a second.
Result<> Follower::Impl::start() {
  if (auto opened = open(); !opened) return opened;
  if (auto begun = dump->begin(*fib); !begun) return begun;
  resyncing = true;
  while (dump->running()) {
    take_routes();
    const auto step = dump->step(*fib);
    answers.clear();
    if (!step) return step.error();
    pollfd readable{dump->fd(), POLLIN, 0};
    if (*step == Dump::Step::waits) poll(&readable, 1, -1);
    if (*step == Dump::Step::kind_complete) report_interfaces();
    fib->tell_touched(tell_route);
  }
  while (fib->walking()) fib->walk(tell_route);
  report_neighbours();
  dump_ended();
  link_wait.descriptor.assign(links.socket->fd());
  route_wait.descriptor.assign(routes.socket->fd());
  dump_wait.descriptor.assign(dump->fd());
  slice();
  return {};
}

void Follower::Impl::stop() {
  for (Wait* wait : {&link_wait, &route_wait, &dump_wait})
    if (wait->descriptor.is_open()) wait->descriptor.release();
  timer.cancel();
}

// --- slices -------------------------------------------------------------------------------------

void Follower::Impl::arm(Wait& wait) {
  if (std::exchange(wait.armed, true)) return;
  wait.descriptor.async_wait(Descriptor::wait_read, [weak = weak_from_this(), &wait](
                                                        const boost::system::error_code& error) {
    const auto self = weak.lock();
    if (error || !self) return;
    wait.armed = false;
    self->slice();
  });
}

void Follower::Impl::slice_soon() {
  if (std::exchange(slice_posted, true)) return;
  boost::asio::post(io, [weak = weak_from_this()] {
    const auto self = weak.lock();
    if (!self || !self->link_wait.descriptor.is_open()) return;
    self->slice_posted = false;
    self->slice();
  });
}

void Follower::Impl::slice() {
  take_links();
  const bool more_events = take_routes();
  const bool more_dump = work_on_dump();
  arm(link_wait);
  if (!more_events) arm(route_wait);
  if (dump->running() && !more_dump) arm(dump_wait);
  if (more_events || more_dump) slice_soon();
}

// --- events -------------------------------------------------------------------------------------

// Links and neighbours are told of at once. What is left after a slice's time waits for the next.
void Follower::Impl::take_links() {
  const TimePoint end = Clock::now() + kSlice;
  bool more = true;
  while (more && Clock::now() < end) {
    more = receive(links);
    if (links.batch.empty()) continue;
    links.batch.each([this](const nlmsghdr& message) { apply(message); });
    report_neighbours();
  }
}

// True when there may be more.
bool Follower::Impl::take_routes() {
  const TimePoint end = Clock::now() + kSlice;
  bool more = true;
  while (more && Clock::now() < end) {
    more = receive(routes);
    take_links();
    routes.batch.each([this](const nlmsghdr& message) { apply(message); });
    fib->tell_touched(tell_route);
  }
  return more;
}

// True when there may be more. What is queued after a loss is older than what was lost, and what
// comes until it has been read is lost too: the dump that repairs it begins after both.
bool Follower::Impl::receive(Ear& ear) {
  const auto received = ear.socket->receive(ear.batch);
  if (!received) events.trouble(received.error());
  if (ear.batch.lost()) {
    ear.deaf = true;
    ++counts.losses;
    events.trouble(
        Error{"follow routes: the kernel dropped events; dumping all anew (a larger "
              "net.core.rmem_max, or CAP_NET_ADMIN, gives a larger buffer)"});
  }
  const bool more = received && ear.batch.full();
  if (!received || (!more && std::exchange(ear.deaf, false))) ambiguous();
  return more;
}

void Follower::Impl::apply(const nlmsghdr& message) {
  ++counts.events;
  if (const auto parsed = parse(message)) apply(*parsed);
}

void Follower::Impl::apply(const Message& message) {
  answers.clear();
  if (fib->apply(message) == Fib::Meaning::ambiguous) ambiguous();
  if (const auto* link = std::get_if<LinkMessage>(&message))
    report_interface(link->interface.ifindex);
}

// --- dumps --------------------------------------------------------------------------------------

void Follower::Impl::ambiguous() {
  if (resyncing)
    dump_again = true;
  else
    plan_dump();
}

// Not at once: such events come in swarms, and the dump tells the end of it.
void Follower::Impl::plan_dump() {
  if (std::exchange(dump_planned, true)) return;
  timer.expires_at(std::max(Clock::now() + options.debounce, next_dump));
  timer.async_wait([weak = weak_from_this()](const boost::system::error_code& error) {
    const auto self = weak.lock();
    if (error || !self) return;
    self->dump_planned = false;
    self->begin_dump();
  });
}

// What is queued by now is older than the dump.
void Follower::Impl::begin_dump() {
  dump_spent = {};
  if (auto begun = dump->begin(*fib); !begun) {
    events.trouble(begun.error());
    ++counts.failed_dumps;
    return plan_dump();
  }
  resyncing = true;
  slice();
}

// False when there is nothing to read yet.
bool Follower::Impl::step_dump() {
  const auto step = dump->step(*fib);
  answers.clear();
  if (!step) {
    ++counts.failed_dumps;
    events.trouble(step.error());
    resyncing = dump_again = false;
    next_dump = Clock::now() + dump_spent * (kDumpShare - 1);
    plan_dump();
    return false;
  }
  if (*step == Dump::Step::kind_complete) {
    report_interfaces();
    report_neighbours();
  }
  fib->tell_touched(tell_route);
  return *step != Dump::Step::waits;
}

// A dump, or a walk over all routes: the end of a dump, and when sets mean something else now.
// True when there is more that need not be waited for.
bool Follower::Impl::work_on_dump() {
  const TimePoint begin = Clock::now();
  bool more = dump->running() || fib->walking();
  for (int step = 0; more && Clock::now() < begin + kSlice; ++step) {
    if (dump->running() && (step % kStepsADump == 0 || !fib->walking())) {
      more = step_dump() || fib->walking();
    } else {
      fib->walk(tell_route);
      more = dump->running() || fib->walking();
    }
  }
  dump_spent += Clock::now() - begin;
  if (resyncing && !dump->running() && !fib->walking()) dump_ended();
  return more;
}

void Follower::Impl::dump_ended() {
  resyncing = false;
  next_dump = Clock::now() + dump_spent * (kDumpShare - 1);
  ++counts.dumps;
  // Where IPv6 routes go all the time no dump is undisturbed, but hardly two pass over the same.
  disturbed = fib->disturbed() && disturbed < kDisturbedDumps ? disturbed + 1 : 0;
  if (std::exchange(dump_again, false) || dump->torn() || disturbed > 0) plan_dump();
}

// --- reports ------------------------------------------------------------------------------------

void Follower::Impl::report_interface(std::uint32_t ifindex) {
  const auto now = fib->interfaces().find(ifindex);
  if (now == fib->interfaces().end()) {
    if (interfaces.erase(ifindex) != 0) events.interface_gone(ifindex);
    return;
  }
  Interface& told = interfaces[ifindex];
  if (told == now->second) return;
  told = now->second;
  events.interface(now->second);
}

void Follower::Impl::report_interfaces() {
  std::vector<std::uint32_t> known;
  for (const auto& [ifindex, interface] : interfaces)
    if (!fib->interfaces().contains(ifindex)) known.push_back(ifindex);
  for (const auto& [ifindex, interface] : fib->interfaces()) known.push_back(ifindex);
  for (const std::uint32_t ifindex : known) report_interface(ifindex);
}

// Those who are told may watch and unwatch meanwhile.
void Follower::Impl::report_neighbours() {
  std::vector<std::pair<NexthopKey, Neighbour>> changes;
  for (auto& [key, told] : watched)
    if (const Neighbour now = fib->neighbour(key); now != told)
      changes.emplace_back(key, told = now);
  for (const auto& [key, neighbour] : changes)
    if (watched.contains(key)) events.neighbour(key, neighbour);
}

// --- what others ask ----------------------------------------------------------------------------

Follower::Follower(boost::asio::io_context& io, const Options& options, Events events)
    : impl_(std::make_shared<Impl>(io, options, std::move(events))) {}

Follower::~Follower() {
  impl_->stop();
}

Result<> Follower::start() {
  return impl_->start();
}

void Follower::watch(const NexthopKey& key) {
  const Neighbour neighbour = impl_->fib->neighbour(key);
  impl_->watched[key] = neighbour;
  impl_->events.neighbour(key, neighbour);
}

void Follower::unwatch(const NexthopKey& key) {
  impl_->watched.erase(key);
}

void Follower::retell() {
  if (!impl_->link_wait.descriptor.is_open()) return;
  impl_->fib->retell();
  impl_->slice();
}

std::optional<Route> Follower::lookup(const IpAddress& destination) const {
  for (int length = destination.bits(); length >= 0; --length)
    if (auto route = find(Prefix::covering(destination, length))) return route;
  return std::nullopt;
}

std::optional<Route> Follower::find(const Prefix& prefix) const {
  if (!impl_->fib) return std::nullopt;
  const NexthopSet told = impl_->fib->told(prefix);
  return told ? std::optional(Route{prefix, told}) : std::nullopt;
}

void Follower::each(const std::function<void(const Route&)>& visit) const {
  if (impl_->fib)
    impl_->fib->each_told([&](const Prefix& prefix, const NexthopSet& set) {
      visit(Route{prefix, set});
    });
}

const std::map<std::uint32_t, Interface>& Follower::interfaces() const {
  static const std::map<std::uint32_t, Interface> none;
  return impl_->fib ? impl_->fib->interfaces() : none;
}

std::optional<NexthopKey> Follower::on_link(const IpAddress& nexthop,
                                            const std::optional<IpAddress>& link_local) const {
  constexpr std::size_t kMostAnswers = 4096;
  if (!impl_->fib) return std::nullopt;
  auto& answers = impl_->answers;
  if (const auto known = answers.find({nexthop, link_local}); known != answers.end())
    return known->second;
  if (answers.size() >= kMostAnswers) answers.clear();
  return answers[{nexthop, link_local}] = impl_->fib->on_link(nexthop, link_local);
}

const Follower::Counts& Follower::counts() const {
  return impl_->counts;
}

}  // namespace hopwise::routes
