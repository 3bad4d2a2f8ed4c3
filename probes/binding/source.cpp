#include "probes/binding/source.hpp"

#include <linux/if_addr.h>
#include <linux/rtnetlink.h>
#include <sys/socket.h>

#include <iterator>

#include "probes/binding/message.hpp"

namespace hopwise::probes {
namespace {

bool is_loopback(const IpAddress& address) {
  if (address.is_v4()) return address.bytes[0] == 127;
  return address == IpAddress::parse("::1");
}

}  // namespace

Result<IpAddress> route_source(netlink::Socket& socket, std::uint32_t mark,
                               const IpAddress& destination) {
  netlink::Request question(RTM_GETROUTE, 0);
  auto& fixed = question.fixed<rtmsg>();
  fixed.rtm_family = static_cast<std::uint8_t>(address_family(destination.family));
  fixed.rtm_dst_len = static_cast<std::uint8_t>(destination.bits());
  mnl_attr_put(question.header, RTA_DST, destination.size(), destination.bytes.data());
  mnl_attr_put_u32(question.header, RTA_MARK, mark);
  std::optional<IpAddress> source;
  const std::string what = "ask for the source address of probes to " + destination.text();
  const auto done = socket.ask(question.header, what, [&](const nlmsghdr& answer) {
    if (answer.nlmsg_type == RTM_NEWROUTE)
      source = address_in(answer, sizeof(rtmsg), RTA_PREFSRC, destination.family);
  });
  if (!done) return done.error();
  // Without any other, IPv6 takes ::1, which leads nobody back to us.
  if (!source || is_loopback(*source)) return Error{what + ": the interface has none"};
  return *source;
}

Sources::Key Sources::key_of(NexthopId id, const IpAddress& destination) {
  return {id, destination.is_v4() ? IpAddress{} : destination};
}

const Sources::Source* Sources::find(NexthopId id, const IpAddress& destination) const {
  const auto known = answers_.find(key_of(id, destination));
  return known != answers_.end() ? &known->second.source : nullptr;
}

void Sources::keep(const Nexthop& nexthop, const IpAddress& destination, const Source& source) {
  answers_.insert_or_assign(key_of(nexthop.id, destination), Answer{nexthop.key.ifindex, source});
}

template <class Which>
void Sources::forget_if(Which which) {
  if (std::erase_if(answers_, which) != 0) ++changes_;
}

// When a link comes back thousands of nexthops are bound again, one by one.
template <class Which>
void Sources::forget_if(NexthopId id, Which which) {
  bool any = false;
  for (auto at = answers_.lower_bound({id, {}}); at != answers_.end() && at->first.id == id;) {
    const bool gone = which(at->second);
    any = any || gone;
    at = gone ? answers_.erase(at) : std::next(at);
  }
  if (any) ++changes_;
}

void Sources::forget(NexthopId id) {
  forget_if(id, [](const Answer&) { return true; });
}

void Sources::forget_all() {
  forget_if([](const auto&) { return true; });
}

void Sources::forget_missing(NexthopId id) {
  forget_if(id, [](const Answer& answer) { return !answer.source; });
}

void Sources::forget_missing() {
  forget_if([](const auto& entry) { return !entry.second.source; });
}

// An address also matters to nexthops of other interfaces that have none of their own: those that
// lack one are asked again at every change, and those that borrowed this one.
void Sources::heard(const nlmsghdr& event) {
  const void* payload = mnl_nlmsg_get_payload(&event);
  if (event.nlmsg_type == RTM_NEWADDR || event.nlmsg_type == RTM_DELADDR) {
    const auto& fixed = *static_cast<const ifaddrmsg*>(payload);
    if (fixed.ifa_family != AF_INET && fixed.ifa_family != AF_INET6) return;
    const Family family = fixed.ifa_family == AF_INET ? Family::v4 : Family::v6;
    const auto local = address_in(event, sizeof(fixed), IFA_LOCAL, family);
    const auto address = local ? local : address_in(event, sizeof(fixed), IFA_ADDRESS, family);
    forget_if([&](const auto& entry) {
      const auto& [key, answer] = entry;
      return key.destination.family == family &&
             (answer.ifindex == fixed.ifa_index || !answer.source || answer.source == address);
    });
  } else if (event.nlmsg_type == RTM_NEWLINK || event.nlmsg_type == RTM_DELLINK) {
    const auto ifindex =
        static_cast<std::uint32_t>(static_cast<const ifinfomsg*>(payload)->ifi_index);
    forget_if(
        [&](const auto& entry) { return entry.second.ifindex == ifindex && !entry.second.source; });
  }
}

}  // namespace hopwise::probes
