#include "test/lab/offers.hpp"

#include <linux/nexthop.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <time.h>

#include <atomic>
#include <cstring>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <thread>

#include "core/netlink/request.hpp"
#include "core/netlink/socket.hpp"
#include "test/lab/plan.hpp"

namespace hopwise::lab {
namespace {

constexpr int kReceiveBuffer = 64 << 20;
constexpr int kPollMs = 50;             // how soon the end is noticed
constexpr unsigned kLowerUp = 0x10000;  // IFF_LOWER_UP, which net/if.h lacks
constexpr int kPriority = 50;           // of SCHED_FIFO
constexpr std::size_t kViaBytes = 18;   // RTA_VIA: two of the family, then an IPv6 address

struct Leg {
  std::uint32_t ifindex = 0;
  std::optional<IpAddress> gateway;
};

/// `visit` for every attribute in `size` bytes from `begin`. libmnl's own macro is C.
template <class Visit>
void each_attribute(const void* begin, std::size_t size, Visit visit) {
  const char* const end = static_cast<const char*>(begin) + size;
  const auto* at = static_cast<const nlattr*>(begin);
  while (mnl_attr_ok(at, static_cast<int>(end - reinterpret_cast<const char*>(at)))) {
    visit(at);
    at = mnl_attr_next(at);
  }
}

template <class Header, class Visit>
void each_attribute(const nlmsghdr& message, Visit visit) {
  each_attribute(mnl_nlmsg_get_payload_offset(&message, sizeof(Header)),
                 mnl_nlmsg_get_payload_len(&message) - MNL_ALIGN(sizeof(Header)), visit);
}

std::optional<IpAddress> gateway_of(const nlattr* attribute) {
  const auto* bytes = static_cast<const std::uint8_t*>(mnl_attr_get_payload(attribute));
  const std::size_t size = mnl_attr_get_payload_len(attribute);
  if (size == kViaBytes) return IpAddress::from_bytes(Family::v6, bytes + 2);
  if (size != 4 && size != 16) return std::nullopt;
  return IpAddress::from_bytes(size == 4 ? Family::v4 : Family::v6, bytes);
}

// The legs of RTA_MULTIPATH that the kernel does not call dead.
std::vector<Leg> legs_of(const nlattr* multipath) {
  std::vector<Leg> legs;
  int left = mnl_attr_get_payload_len(multipath);
  for (auto* hop = static_cast<rtnexthop*>(mnl_attr_get_payload(multipath)); RTNH_OK(hop, left);
       left -= NLMSG_ALIGN(hop->rtnh_len), hop = RTNH_NEXT(hop)) {
    Leg leg{static_cast<std::uint32_t>(hop->rtnh_ifindex), std::nullopt};
    each_attribute(RTNH_DATA(hop), hop->rtnh_len - sizeof *hop, [&](const nlattr* attr) {
      const int type = mnl_attr_get_type(attr);
      if (type == RTA_GATEWAY || type == RTA_VIA) leg.gateway = gateway_of(attr);
    });
    if ((hop->rtnh_flags & (RTNH_F_DEAD | RTNH_F_LINKDOWN)) == 0) legs.push_back(leg);
  }
  return legs;
}

bool may_matter(const nlmsghdr& message, const Prefix& service4, const Prefix& service6) {
  if (message.nlmsg_type != RTM_NEWROUTE && message.nlmsg_type != RTM_DELROUTE) return true;
  const auto* route = static_cast<const rtmsg*>(mnl_nlmsg_get_payload(&message));
  return route->rtm_dst_len == (route->rtm_family == AF_INET ? service4.length : service6.length);
}

}  // namespace

StampNs wall_now() {
  timespec now{};
  clock_gettime(CLOCK_REALTIME, &now);
  return now.tv_sec * StampNs{1'000'000'000} + now.tv_nsec;
}

struct OfferLog::Impl {
  explicit Impl(const Lab& lab);
  ~Impl() {
    end = true;
    if (thread.joinable()) thread.join();
  }

  Result<> open();
  void run();
  void look(StampNs at);
  void note_link(const nlmsghdr& message);
  [[nodiscard]] std::set<std::size_t> offered(Family family);
  [[nodiscard]] std::vector<Leg> route_legs(Family family);
  [[nodiscard]] std::vector<Leg> object_legs(std::uint32_t id);
  [[nodiscard]] std::optional<std::size_t> upstream_of(const Leg& leg) const;

  std::vector<Plan> plans;
  std::string router;
  Prefix service4 = *Prefix::parse(kServicePrefix4), service6 = *Prefix::parse(kServicePrefix6);
  std::map<std::string, std::uint32_t> ifindexes;
  std::set<std::uint32_t> without_carrier;
  std::optional<netlink::Socket> events, questions;
  std::map<Family, std::set<std::size_t>> current;

  mutable std::mutex mutex;  // of the log
  std::vector<Offers> log;
  std::uint64_t missed = 0;
  std::atomic<bool> end = false;
  std::thread thread;
};

OfferLog::Impl::Impl(const Lab& lab) : router(lab.router().name()) {
  for (std::size_t i = 0; i < lab.topology().upstreams.size(); ++i)
    plans.push_back({i, lab.topology().wan});
}

Result<> OfferLog::Impl::open() {
  auto listener = netlink::Socket::open(NETLINK_ROUTE, 0, kReceiveBuffer);
  if (!listener) return listener.error();
  for (const int group : {RTNLGRP_LINK, RTNLGRP_IPV4_ROUTE, RTNLGRP_IPV6_ROUTE, RTNLGRP_NEXTHOP})
    if (auto joined = listener->join(group); !joined) return joined;
  auto asker = netlink::Socket::open(NETLINK_ROUTE);
  if (!asker) return asker.error();
  events = std::move(*listener);
  questions = std::move(*asker);
  for (const auto& plan : plans)
    ifindexes[plan.router_device()] = if_nametoindex(plan.router_device().c_str());
  look(wall_now());
  return {};
}

void OfferLog::Impl::run() {
  sched_param priority{};
  priority.sched_priority = kPriority;
  pthread_setschedparam(pthread_self(), SCHED_FIFO, &priority);
  pollfd ready{events->fd(), POLLIN, 0};
  while (!end) {
    if (poll(&ready, 1, kPollMs) <= 0) continue;
    const auto at = wall_now();
    bool matters = false;
    const auto whole = events->receive([&](const nlmsghdr& message) {
      if (message.nlmsg_type == RTM_NEWLINK || message.nlmsg_type == RTM_DELLINK)
        note_link(message);
      matters = matters || may_matter(message, service4, service6);
    });
    if (!whole || !*whole) {
      const std::lock_guard hold(mutex);
      ++missed;
    }
    if (matters || !whole || !*whole) look(at);
  }
}

void OfferLog::Impl::note_link(const nlmsghdr& message) {
  const auto* link = static_cast<const ifinfomsg*>(mnl_nlmsg_get_payload(&message));
  const auto ifindex = static_cast<std::uint32_t>(link->ifi_index);
  const bool carrier = message.nlmsg_type == RTM_NEWLINK && (link->ifi_flags & IFF_UP) != 0 &&
                       (link->ifi_flags & kLowerUp) != 0;
  if (carrier)
    without_carrier.erase(ifindex);
  else
    without_carrier.insert(ifindex);
}

void OfferLog::Impl::look(StampNs at) {
  for (const Family family : {Family::v4, Family::v6}) {
    auto seen = offered(family);
    const auto before = current.find(family);
    if (before != current.end() && before->second == seen) continue;
    const std::lock_guard hold(mutex);
    log.push_back({at, family, seen});
    current[family] = std::move(seen);
  }
}

std::set<std::size_t> OfferLog::Impl::offered(Family family) {
  std::set<std::size_t> found;
  for (const auto& leg : route_legs(family))
    if (!without_carrier.contains(leg.ifindex))
      if (const auto upstream = upstream_of(leg)) found.insert(*upstream);
  return found;
}

// `ip route get fibmatch`: the route itself, not one leg of it.
std::vector<Leg> OfferLog::Impl::route_legs(Family family) {
  const Prefix& service = family == Family::v4 ? service4 : service6;
  netlink::Request request(RTM_GETROUTE, NLM_F_REQUEST);
  auto& header = request.fixed<rtmsg>();
  header.rtm_family = family == Family::v4 ? AF_INET : AF_INET6;
  header.rtm_dst_len = static_cast<unsigned char>(service.address.bits());
  header.rtm_flags = RTM_F_FIB_MATCH;
  mnl_attr_put(request.header, RTA_DST, service.address.size(), service.address.bytes.data());
  std::vector<Leg> legs;
  std::uint32_t object = 0;
  // Without a route it is an error: no legs.
  static_cast<void>(questions->ask(request.header, "look up", [&](const nlmsghdr& message) {
    const auto* route = static_cast<const rtmsg*>(mnl_nlmsg_get_payload(&message));
    if (route->rtm_dst_len != service.length) return;
    Leg single;
    each_attribute<rtmsg>(message, [&](const nlattr* attr) {
      const int type = mnl_attr_get_type(attr);
      if (type == RTA_MULTIPATH) legs = legs_of(attr);
      if (type == RTA_OIF) single.ifindex = mnl_attr_get_u32(attr);
      if (type == RTA_GATEWAY || type == RTA_VIA) single.gateway = gateway_of(attr);
      if (type == RTA_NH_ID) object = mnl_attr_get_u32(attr);
    });
    if (legs.empty() && single.ifindex != 0 &&
        (route->rtm_flags & (RTNH_F_DEAD | RTNH_F_LINKDOWN)) == 0)
      legs.push_back(single);
  }));
  // With nexthop_compat_mode=0 the object's id is all that a route says.
  return legs.empty() && object != 0 ? object_legs(object) : legs;
}

std::vector<Leg> OfferLog::Impl::object_legs(std::uint32_t id) {
  netlink::Request request(RTM_GETNEXTHOP, NLM_F_REQUEST);
  request.fixed<nhmsg>();
  mnl_attr_put_u32(request.header, NHA_ID, id);
  std::vector<std::uint32_t> members;
  Leg single;
  static_cast<void>(questions->ask(request.header, "look up", [&](const nlmsghdr& message) {
    each_attribute<nhmsg>(message, [&](const nlattr* attr) {
      const int type = mnl_attr_get_type(attr);
      if (type == NHA_OIF) single.ifindex = mnl_attr_get_u32(attr);
      if (type == NHA_GATEWAY) single.gateway = gateway_of(attr);
      if (type != NHA_GROUP) return;
      const auto* group = static_cast<const nexthop_grp*>(mnl_attr_get_payload(attr));
      for (std::size_t i = 0; i < mnl_attr_get_payload_len(attr) / sizeof *group; ++i)
        members.push_back(group[i].id);
    });
  }));
  std::vector<Leg> legs;
  if (single.ifindex != 0) legs.push_back(single);
  for (const auto member : members)
    for (auto& leg : object_legs(member)) legs.push_back(leg);
  return legs;
}

std::optional<std::size_t> OfferLog::Impl::upstream_of(const Leg& leg) const {
  for (const Plan& plan : plans) {
    if (ifindexes.at(plan.router_device()) != leg.ifindex) continue;
    if (!plan.shared()) return plan.i;
    for (const auto& own : {plan.gateway4(), plan.gateway6(), plan.gateway_link_local()})
      if (leg.gateway && leg.gateway == IpAddress::parse(own)) return plan.i;
  }
  return std::nullopt;
}

OfferLog::OfferLog(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
OfferLog::~OfferLog() = default;

Result<std::unique_ptr<OfferLog>> OfferLog::watch(const Lab& lab) {
  auto impl = std::make_unique<Impl>(lab);
  Result<> opened;
  lab.router().thread([&] { opened = impl->open(); }).join();
  if (!opened) return opened.error();
  impl->thread = lab.router().thread([self = impl.get()] { self->run(); });
  return std::unique_ptr<OfferLog>(new OfferLog(std::move(impl)));
}

std::vector<Offers> OfferLog::changes() const {
  const std::lock_guard hold(impl_->mutex);
  return impl_->log;
}

std::set<std::size_t> OfferLog::now(Family family) const {
  std::set<std::size_t> newest;
  for (const auto& change : changes())
    if (change.family == family) newest = change.upstreams;
  return newest;
}

std::uint64_t OfferLog::missed() const {
  const std::lock_guard hold(impl_->mutex);
  return impl_->missed;
}

}  // namespace hopwise::lab
