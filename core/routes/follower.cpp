// Two sockets: one subscribes and is read when the loop says so, the other dumps. A dump makes a
// whole new Fib, takes in what was said meanwhile, and only then replaces the old: what is reported
// is always the difference between what was told before and what holds now.
#include "core/routes/follower.hpp"

#include <linux/if_link.h>
#include <linux/neighbour.h>
#include <linux/nexthop.h>
#include <linux/rtnetlink.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/steady_timer.hpp>
#include <cstring>
#include <string>
#include <type_traits>
#include <unordered_map>
#include <utility>

#include "core/netlink/socket.hpp"
#include "core/routes/fib.hpp"

namespace hopwise::routes {
namespace {

// Dumps may take at most about this part of the thread's time.
constexpr int kDumpShare = 5;

constexpr std::array kEventGroups{
    RTNLGRP_LINK,       RTNLGRP_NEIGH,      RTNLGRP_IPV4_IFADDR, RTNLGRP_IPV6_IFADDR,
    RTNLGRP_IPV4_ROUTE, RTNLGRP_IPV6_ROUTE, RTNLGRP_NEXTHOP,
};

}  // namespace

struct Follower::Impl : std::enable_shared_from_this<Follower::Impl> {
  Impl(boost::asio::io_context& io, const Options& o, Events e)
      : options(o), events(std::move(e)), fib(o.table), event_wait(io), timer(io) {}

  Options options;
  Events events;
  Fib fib;

  // What has been told.
  std::unordered_map<Prefix, NexthopSet> routes;
  std::map<std::uint32_t, Interface> interfaces;
  std::unordered_map<NexthopKey, Neighbour> watched;

  std::optional<netlink::Socket> event_socket;
  std::optional<netlink::Socket> dump_socket;
  boost::asio::posix::stream_descriptor event_wait;  // borrows event_socket's descriptor
  boost::asio::steady_timer timer;
  bool dump_planned = false;
  bool torn = false;      // the kernel's lists changed while it dumped them
  TimePoint next_dump{};  // not before

  Result<> start();
  void stop();
  void wait();
  void on_events();
  bool take_events(Fib& into, bool& ambiguous);
  void plan_dump();
  Result<> dump_all();
  Result<> dump_into(Fib& into);
  template <class Header>
  Result<> dump(Fib& into, std::uint16_t type, const Header& header, const std::string& what);
  void report_routes(std::vector<Prefix> touched);
  void report_interfaces();
  void report_route(const Prefix& prefix);
  void report_neighbours();
};

Result<> Follower::Impl::start() {
  auto listener = netlink::Socket::open(NETLINK_ROUTE, 0, options.receive_buffer_bytes);
  if (!listener) return listener.error();
  for (const int group : kEventGroups)
    if (auto joined = listener->join(group); !joined) return joined.error();
  auto dumper = netlink::Socket::open(NETLINK_ROUTE);
  if (!dumper) return dumper.error();
  event_socket = std::move(*listener);
  dump_socket = std::move(*dumper);
  if (auto dumped = dump_all(); !dumped) return dumped.error();
  event_wait.assign(event_socket->fd());
  wait();
  return {};
}

void Follower::Impl::stop() {
  if (event_wait.is_open()) event_wait.release();
  timer.cancel();
}

void Follower::Impl::wait() {
  event_wait.async_wait(boost::asio::posix::stream_descriptor::wait_read,
                        [weak = weak_from_this()](const boost::system::error_code& error) {
                          const auto self = weak.lock();
                          if (error || !self) return;
                          self->on_events();
                          if (self->event_wait.is_open()) self->wait();
                        });
}

void Follower::Impl::on_events() {
  bool ambiguous = false;
  if (!take_events(fib, ambiguous)) ambiguous = true;
  // Links and neighbours first: a few words that say as much as the thousands of routes after them.
  report_interfaces();
  report_neighbours();
  report_routes(fib.take_touched());
  if (ambiguous) plan_dump();
}

// False when events were lost.
bool Follower::Impl::take_events(Fib& into, bool& ambiguous) {
  const auto got = event_socket->receive([&](const nlmsghdr& message) {
    if (const auto parsed = parse(message))
      if (into.apply(*parsed) == Fib::Meaning::ambiguous) ambiguous = true;
  });
  if (got && *got) return true;
  events.trouble(got ? Error{"follow routes: the kernel dropped events; dumping all anew (a larger "
                             "net.core.rmem_max, or CAP_NET_ADMIN, gives a larger buffer)"}
                     : got.error());
  return false;
}

// Not at once: such events come in swarms, and the dump tells the end of it.
void Follower::Impl::plan_dump() {
  if (std::exchange(dump_planned, true)) return;
  const auto now = std::chrono::steady_clock::now();
  timer.expires_at(std::max(now + options.debounce, next_dump));
  timer.async_wait([weak = weak_from_this()](const boost::system::error_code& error) {
    const auto self = weak.lock();
    if (error || !self) return;
    self->dump_planned = false;
    if (auto dumped = self->dump_all(); !dumped) {
      self->events.trouble(dumped.error());
      self->plan_dump();
    }
  });
}

Result<> Follower::Impl::dump_all() {
  const auto begin = std::chrono::steady_clock::now();
  // What is queued by now is older than the dump; what comes during it belongs on top.
  bool ambiguous = false;
  take_events(fib, ambiguous);
  Fib next(options.table);
  if (auto dumped = dump_into(next); !dumped) return dumped;
  ambiguous = std::exchange(torn, false);
  if (!take_events(next, ambiguous)) ambiguous = true;
  fib = std::move(next);
  fib.take_touched();
  const auto end = std::chrono::steady_clock::now();
  next_dump = end + (end - begin) * (kDumpShare - 1);

  report_interfaces();
  report_neighbours();
  std::vector<Prefix> all = fib.prefixes();
  for (const auto& [prefix, nexthops] : routes)
    if (!fib.best(prefix)) all.push_back(prefix);
  report_routes(std::move(all));
  if (ambiguous) plan_dump();
  return {};
}

// What routes refer to comes first, so that they are resolved once.
Result<> Follower::Impl::dump_into(Fib& into) {
  if (auto r = dump(into, RTM_GETLINK, ifinfomsg{}, "dump links"); !r) return r;
  if (auto r = dump(into, RTM_GETNEIGH, ndmsg{}, "dump neighbours"); !r) return r;
  if (auto r = dump(into, RTM_GETNEXTHOP, nhmsg{}, "dump nexthop objects"); !r) return r;
  for (const unsigned char family : std::array<unsigned char, 2>{AF_INET, AF_INET6})
    for (const std::uint32_t table : {std::uint32_t{RT_TABLE_LOCAL}, options.table}) {
      rtmsg header{};
      header.rtm_family = family;
      header.rtm_table = static_cast<unsigned char>(table < 256 ? table : RT_TABLE_COMPAT);
      if (auto r = dump(into, RTM_GETROUTE, header, "dump routes"); !r) return r;
    }
  return {};
}

template <class Header>
Result<> Follower::Impl::dump(Fib& into, std::uint16_t type, const Header& header,
                              const std::string& what) {
  alignas(nlmsghdr) std::array<char, 128> space{};
  nlmsghdr* request = mnl_nlmsg_put_header(space.data());
  request->nlmsg_type = type;
  std::memcpy(mnl_nlmsg_put_extra_header(request, sizeof(header)), &header, sizeof(header));
  if constexpr (std::is_same_v<Header, rtmsg>)
    if (header.rtm_table == RT_TABLE_COMPAT) mnl_attr_put_u32(request, RTA_TABLE, options.table);
  return dump_socket->dump(request, what, [&](const nlmsghdr& message) {
    if (message.nlmsg_flags & NLM_F_DUMP_INTR) torn = true;
    if (const auto parsed = parse(message)) into.apply(*parsed);
  });
}

void Follower::Impl::report_routes(std::vector<Prefix> touched) {
  std::erase_if(touched, [this](const Prefix& prefix) {
    const auto told = routes.find(prefix);
    const NexthopSet now = fib.best(prefix);
    if (told == routes.end() || !now) return told == routes.end() && !now;
    return told->second == now || *told->second == *now;
  });
  // Each once, and the same order for the same routes: ids are given out by it.
  std::sort(touched.begin(), touched.end());
  touched.erase(std::unique(touched.begin(), touched.end()), touched.end());
  for (const Prefix& prefix : touched) report_route(prefix);
}

void Follower::Impl::report_interfaces() {
  const auto before = std::exchange(interfaces, fib.interfaces());
  for (const auto& [ifindex, interface] : before)
    if (!fib.interfaces().contains(ifindex)) events.interface_gone(ifindex);
  for (const auto& [ifindex, interface] : fib.interfaces()) {
    const auto told = before.find(ifindex);
    if (told == before.end() || told->second != interface) events.interface(interface);
  }
}

void Follower::Impl::report_route(const Prefix& prefix) {
  const NexthopSet now = fib.best(prefix);
  if (now) {
    routes[prefix] = now;
    events.route(Route{prefix, now});
  } else {
    routes.erase(prefix);
    events.withdrawn(prefix);
  }
}

// Those who are told may watch and unwatch meanwhile.
void Follower::Impl::report_neighbours() {
  std::vector<std::pair<NexthopKey, Neighbour>> changes;
  for (auto& [key, told] : watched)
    if (const Neighbour now = fib.neighbour(key); now != told)
      changes.emplace_back(key, told = now);
  for (const auto& [key, neighbour] : changes)
    if (watched.contains(key)) events.neighbour(key, neighbour);
}

Follower::Follower(boost::asio::io_context& io, const Options& options, Events events)
    : impl_(std::make_shared<Impl>(io, options, std::move(events))) {}

Follower::~Follower() {
  impl_->stop();
}

Result<> Follower::start() {
  return impl_->start();
}

void Follower::watch(const NexthopKey& key) {
  const Neighbour neighbour = impl_->fib.neighbour(key);
  impl_->watched[key] = neighbour;
  impl_->events.neighbour(key, neighbour);
}

void Follower::unwatch(const NexthopKey& key) {
  impl_->watched.erase(key);
}

std::optional<Route> Follower::lookup(const IpAddress& destination) const {
  for (int length = destination.bits(); length >= 0; --length)
    if (auto route = find(Prefix::covering(destination, length))) return route;
  return std::nullopt;
}

std::optional<Route> Follower::find(const Prefix& prefix) const {
  const auto found = impl_->routes.find(prefix);
  if (found == impl_->routes.end()) return std::nullopt;
  return Route{prefix, found->second};
}

void Follower::each(const std::function<void(const Route&)>& visit) const {
  for (const auto& [prefix, nexthops] : impl_->routes) visit(Route{prefix, nexthops});
}

const std::map<std::uint32_t, Interface>& Follower::interfaces() const {
  return impl_->fib.interfaces();
}

}  // namespace hopwise::routes
