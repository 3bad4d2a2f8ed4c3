#include "probes/binding/rules.hpp"

#include <linux/fib_rules.h>
#include <linux/rtnetlink.h>
#include <sys/socket.h>

#include <array>
#include <cstring>

#include "probes/binding/binding.hpp"
#include "probes/binding/message.hpp"

namespace hopwise::probes {
namespace {

constexpr const char* kThisHost = "lo";  // as an input interface: what was not forwarded
constexpr std::array kFamilies{Family::v4, Family::v6};

std::uint8_t action(const Rule& rule) {
  return rule.table != 0 ? FR_ACT_TO_TBL : FR_ACT_UNREACHABLE;
}

void describe(netlink::Request& request, Family family, const Rule& rule) {
  auto& fixed = request.fixed<fib_rule_hdr>();
  fixed.family = static_cast<std::uint8_t>(address_family(family));
  fixed.action = action(rule);
  mnl_attr_put_u32(request.header, FRA_PRIORITY, rule.priority);
  mnl_attr_put_u32(request.header, FRA_FWMARK, rule.mark);
  mnl_attr_put_u32(request.header, FRA_FWMASK, rule.mask);
  if (rule.table != 0) mnl_attr_put_u32(request.header, FRA_TABLE, rule.table);
  if (rule.packets == Rule::For::this_host)
    mnl_attr_put_strz(request.header, FRA_IIFNAME, kThisHost);
  mnl_attr_put_u8(request.header, FRA_PROTOCOL, kRouteProtocol);
}

void describe_route(netlink::Request& request, Family family, std::uint32_t table) {
  auto& fixed = request.fixed<rtmsg>();
  fixed.rtm_family = static_cast<std::uint8_t>(address_family(family));
  fixed.rtm_table = RT_TABLE_UNSPEC;
  fixed.rtm_protocol = kRouteProtocol;
  fixed.rtm_type = RTN_UNICAST;
  fixed.rtm_scope = RT_SCOPE_UNIVERSE;
  mnl_attr_put_u32(request.header, RTA_TABLE, table);
}

void put_gateway(nlmsghdr* header, Family family, const IpAddress& gateway) {
  if (gateway.family == family)
    return mnl_attr_put(header, RTA_GATEWAY, gateway.size(), gateway.bytes.data());
  std::array<std::uint8_t, sizeof(std::uint16_t) + 16> via{};  // struct rtvia
  const auto via_family = static_cast<std::uint16_t>(address_family(gateway.family));
  std::memcpy(via.data(), &via_family, sizeof(via_family));
  std::memcpy(via.data() + sizeof(via_family), gateway.bytes.data(), gateway.size());
  mnl_attr_put(header, RTA_VIA, sizeof(via_family) + gateway.size(), via.data());
}

struct Leftover {
  std::string text;
  std::vector<char> deletion;  // the kernel's own description, to be sent back
};

std::optional<std::string> rule_of_ours(const nlmsghdr& message) {
  const auto& rule = *static_cast<const fib_rule_hdr*>(mnl_nlmsg_get_payload(&message));
  const auto value = [&](std::uint16_t type) { return attribute(message, sizeof(rule), type); };
  if (message.nlmsg_type != RTM_NEWRULE || value(FRA_PROTOCOL) != kRouteProtocol) return {};
  const std::uint32_t table = value(FRA_TABLE);
  return "rule " + std::to_string(value(FRA_PRIORITY)) + " fwmark " + hex(value(FRA_FWMARK)) +
         (rule.action == FR_ACT_TO_TBL ? " lookup " + hex(table) : " unreachable") +
         in_family(rule.family);
}

std::optional<std::string> route_of_ours(const nlmsghdr& message) {
  const auto& route = *static_cast<const rtmsg*>(mnl_nlmsg_get_payload(&message));
  if (message.nlmsg_type != RTM_NEWROUTE || route.rtm_protocol != kRouteProtocol) return {};
  return "route default in table " + hex(attribute(message, sizeof(route), RTA_TABLE)) +
         in_family(route.rtm_family);
}

using Ours = std::function<std::optional<std::string>(const nlmsghdr&)>;

Result<> collect(netlink::Socket& socket, netlink::Request& request, const std::string& what,
                 const Ours& ours, std::uint16_t deletion_type, std::vector<Leftover>& into) {
  return socket.dump(request.header, what, [&](const nlmsghdr& message) {
    auto text = ours(message);
    if (!text) return;
    const auto* raw = reinterpret_cast<const char*>(&message);
    Leftover leftover{std::move(*text), {raw, raw + message.nlmsg_len}};
    auto* header = reinterpret_cast<nlmsghdr*>(leftover.deletion.data());
    header->nlmsg_type = deletion_type;
    header->nlmsg_flags = 0;
    header->nlmsg_pid = 0;
    into.push_back(std::move(leftover));
  });
}

Ours unless(Keep keep, std::optional<std::string> (*ours)(const nlmsghdr&)) {
  return [keep = std::move(keep), ours](const nlmsghdr& message) {
    auto text = ours(message);
    return text && !keep(message) ? text : std::nullopt;
  };
}

// Rules first: a rule without its table would let probes of a living process fall through.
Result<std::vector<Leftover>> leftovers(netlink::Socket& socket, const Keep& keep) {
  std::vector<Leftover> found;
  netlink::Request rules(RTM_GETRULE, 0);
  rules.fixed<fib_rule_hdr>().family = AF_UNSPEC;
  if (auto done =
          collect(socket, rules, "list rules", unless(keep, rule_of_ours), RTM_DELRULE, found);
      !done)
    return done.error();
  for (const Family family : kFamilies) {
    netlink::Request routes(RTM_GETROUTE, 0);
    auto& fixed = routes.fixed<rtmsg>();
    fixed.rtm_family = static_cast<std::uint8_t>(address_family(family));
    fixed.rtm_protocol = kRouteProtocol;  // spares us a full table, where the kernel filters
    if (auto done = collect(socket, routes, "list routes", unless(keep, route_of_ours),
                            RTM_DELROUTE, found);
        !done)
      return done.error();
  }
  return found;
}

}  // namespace

void drop_rule(netlink::Socket& socket, Family family, const Rule& rule) {
  netlink::Request removal(RTM_DELRULE, 0);
  describe(removal, family, rule);
  (void)socket.request(removal.header, "remove rule");
}

Result<> put_rule(netlink::Socket& socket, Family family, const Rule& rule) {
  netlink::Request addition(RTM_NEWRULE, 0);
  describe(addition, family, rule);
  return socket.add(addition.header,
                    "add rule fwmark " + hex(rule.mark) + in_family(address_family(family)));
}

bool tells_of(const nlmsghdr& message, Family family, const Rule& rule) {
  const auto& fixed = *static_cast<const fib_rule_hdr*>(mnl_nlmsg_get_payload(&message));
  const auto value = [&](std::uint16_t type) { return attribute(message, sizeof(fixed), type); };
  return message.nlmsg_type == RTM_NEWRULE && fixed.family == address_family(family) &&
         fixed.action == action(rule) && value(FRA_PROTOCOL) == kRouteProtocol &&
         value(FRA_PRIORITY) == rule.priority && value(FRA_FWMARK) == rule.mark &&
         value(FRA_FWMASK) == rule.mask && value(FRA_TABLE) == rule.table;
}

Result<> put_route(netlink::Socket& socket, Family family, std::uint32_t table,
                   const NexthopKey& nexthop, const std::string& what) {
  netlink::Request route(RTM_NEWROUTE, NLM_F_CREATE | NLM_F_REPLACE);
  describe_route(route, family, table);
  mnl_attr_put_u32(route.header, RTA_OIF, nexthop.ifindex);
  if (!nexthop.gateway.is_unspecified()) {
    put_gateway(route.header, family, nexthop.gateway);
    // A gateway need not be within a prefix of the interface: routing found it good.
    static_cast<rtmsg*>(mnl_nlmsg_get_payload(route.header))->rtm_flags = RTNH_F_ONLINK;
  }
  return socket.request(route.header, what);
}

void drop_route(netlink::Socket& socket, Family family, std::uint32_t table) {
  netlink::Request removal(RTM_DELROUTE, 0);
  describe_route(removal, family, table);
  (void)socket.request(removal.header, "remove route");
}

Result<std::vector<std::string>> sweep(netlink::Socket& socket, const Keep& keep) {
  auto found = leftovers(socket, keep);
  if (!found) return found.error();
  std::vector<std::string> removed;
  for (Leftover& leftover : *found) {
    auto* deletion = reinterpret_cast<nlmsghdr*>(leftover.deletion.data());
    if (auto done = socket.request(deletion, "remove " + leftover.text); !done) return done.error();
    removed.push_back(std::move(leftover.text));
  }
  return removed;
}

}  // namespace hopwise::probes
