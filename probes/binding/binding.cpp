#include "probes/binding/binding.hpp"

#include <linux/fib_rules.h>
#include <linux/rtnetlink.h>
#include <sys/socket.h>

#include <array>
#include <cstdio>
#include <cstring>
#include <functional>
#include <optional>
#include <vector>

#include "probes/prober.hpp"

namespace hopwise::probes {
namespace {

constexpr std::uint32_t kOneMark = 0xffffffff;
constexpr std::uint32_t kAllMarks = 0xffff0000;
constexpr std::uint32_t kMainTablePriority = 32766;
constexpr const char* kThisHost = "lo";  // as an input interface: what was not forwarded
constexpr std::array kFamilies{Family::v4, Family::v6};

int address_family(Family family) {
  return family == Family::v4 ? AF_INET : AF_INET6;
}

std::string hex(std::uint32_t value) {
  std::array<char, 16> text{};
  std::snprintf(text.data(), text.size(), "0x%x", value);
  return text.data();
}

std::string in_family(int family) {
  return family == AF_INET ? " (IPv4)" : " (IPv6)";
}

/// A request of at most a few attributes.
struct Request {
  alignas(nlmsghdr) std::array<char, 512> bytes{};
  nlmsghdr* header = mnl_nlmsg_put_header(bytes.data());

  Request(std::uint16_t type, unsigned flags) {
    header->nlmsg_type = type;
    header->nlmsg_flags = static_cast<std::uint16_t>(flags);
  }
  Request(const Request&) = delete;
  Request& operator=(const Request&) = delete;

  template <class Fixed>
  Fixed& fixed() {
    return *static_cast<Fixed*>(mnl_nlmsg_put_extra_header(header, sizeof(Fixed)));
  }
};

// `table` 0 makes it unreachable, for packets of this host.
struct Rule {
  std::uint32_t mark, mask, priority, table;

  static Rule nexthop(std::uint32_t mark, std::uint32_t priority) {
    return {mark, kOneMark, priority, mark};
  }
  static Rule guard(std::uint32_t mark_base, std::uint32_t priority) {
    return {mark_base, kAllMarks, priority + 1, 0};
  }
};

std::uint8_t action(const Rule& rule) {
  return rule.table != 0 ? FR_ACT_TO_TBL : FR_ACT_UNREACHABLE;
}

void describe(Request& request, Family family, const Rule& rule) {
  auto& fixed = request.fixed<fib_rule_hdr>();
  fixed.family = static_cast<std::uint8_t>(address_family(family));
  fixed.action = action(rule);
  mnl_attr_put_u32(request.header, FRA_PRIORITY, rule.priority);
  mnl_attr_put_u32(request.header, FRA_FWMARK, rule.mark);
  mnl_attr_put_u32(request.header, FRA_FWMASK, rule.mask);
  if (rule.table != 0)
    mnl_attr_put_u32(request.header, FRA_TABLE, rule.table);
  else
    mnl_attr_put_strz(request.header, FRA_IIFNAME, kThisHost);
  mnl_attr_put_u8(request.header, FRA_PROTOCOL, kRouteProtocol);
}

void drop_rule(netlink::Socket& socket, Family family, const Rule& rule) {
  Request removal(RTM_DELRULE, 0);
  describe(removal, family, rule);
  (void)socket.request(removal.header, "remove rule");
}

// In place of an equal rule that is there already: the kernel has no replacement of rules.
Result<> put_rule(netlink::Socket& socket, Family family, const Rule& rule) {
  drop_rule(socket, family, rule);
  Request addition(RTM_NEWRULE, NLM_F_CREATE | NLM_F_EXCL);
  describe(addition, family, rule);
  return socket.request(addition.header,
                        "add rule fwmark " + hex(rule.mark) + in_family(address_family(family)));
}

void describe_route(Request& request, Family family, std::uint32_t table) {
  auto& fixed = request.fixed<rtmsg>();
  fixed.rtm_family = static_cast<std::uint8_t>(address_family(family));
  fixed.rtm_table = RT_TABLE_UNSPEC;
  fixed.rtm_protocol = kRouteProtocol;
  fixed.rtm_type = RTN_UNICAST;
  fixed.rtm_scope = RT_SCOPE_UNIVERSE;
  mnl_attr_put_u32(request.header, RTA_TABLE, table);
}

void drop_route(netlink::Socket& socket, Family family, std::uint32_t table) {
  Request removal(RTM_DELROUTE, 0);
  describe_route(removal, family, table);
  (void)socket.request(removal.header, "remove route");
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

std::uint32_t attribute(const nlmsghdr& message, std::size_t fixed_bytes, std::uint16_t type) {
  std::uint32_t value = 0;
  const auto read = [&](const nlattr* a) {
    if (mnl_attr_get_type(a) != type) return;
    value = mnl_attr_get_payload_len(a) == sizeof(value) ? mnl_attr_get_u32(a) : mnl_attr_get_u8(a);
  };
  const auto* end = static_cast<const char*>(mnl_nlmsg_get_payload_tail(&message));
  const auto* a = static_cast<const nlattr*>(mnl_nlmsg_get_payload_offset(&message, fixed_bytes));
  for (; mnl_attr_ok(a, static_cast<int>(end - reinterpret_cast<const char*>(a)));
       a = mnl_attr_next(a))
    read(a);
  return value;
}

// Whether the kernel's `message` tells of that rule.
bool tells_of(const nlmsghdr& message, Family family, const Rule& rule) {
  const auto& fixed = *static_cast<const fib_rule_hdr*>(mnl_nlmsg_get_payload(&message));
  const auto value = [&](std::uint16_t type) { return attribute(message, sizeof(fixed), type); };
  return message.nlmsg_type == RTM_NEWRULE && fixed.family == address_family(family) &&
         fixed.action == action(rule) && value(FRA_PROTOCOL) == kRouteProtocol &&
         value(FRA_PRIORITY) == rule.priority && value(FRA_FWMARK) == rule.mark &&
         value(FRA_FWMASK) == rule.mask && value(FRA_TABLE) == rule.table;
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

Result<> collect(netlink::Socket& socket, Request& request, const std::string& what,
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

// Which rules and routes of ours are to stay.
using Keep = std::function<bool(const nlmsghdr&)>;

Ours unless(Keep keep, std::optional<std::string> (*ours)(const nlmsghdr&)) {
  return [keep = std::move(keep), ours](const nlmsghdr& message) {
    auto text = ours(message);
    return text && !keep(message) ? text : std::nullopt;
  };
}

// Rules first: a rule without its table would let probes of a living process fall through.
Result<std::vector<Leftover>> leftovers(netlink::Socket& socket, const Keep& keep) {
  std::vector<Leftover> found;
  Request rules(RTM_GETRULE, 0);
  rules.fixed<fib_rule_hdr>().family = AF_UNSPEC;
  if (auto done =
          collect(socket, rules, "list rules", unless(keep, rule_of_ours), RTM_DELRULE, found);
      !done)
    return done.error();
  for (const Family family : kFamilies) {
    Request routes(RTM_GETROUTE, 0);
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

}  // namespace

Result<std::vector<std::string>> remove_leftovers(const Options&) {
  auto socket = netlink::Socket::open(NETLINK_ROUTE);
  if (!socket) return socket.error();
  return sweep(*socket, [](const nlmsghdr&) { return false; });
}

Result<std::unique_ptr<Binding>> Binding::open(const Options& options) {
  if ((options.mark_base & ~kAllMarks) != 0 || options.mark_base == 0)
    return Error{"probe mark base " + hex(options.mark_base) +
                 ": its low 16 bits must be zero, and its high ones not (0x68770000 is usual)"};
  if (options.rule_priority == 0 || options.rule_priority + 1 >= kMainTablePriority)
    return Error{"probe rule priority " + std::to_string(options.rule_priority) +
                 ": must be from 1 to 32764, before the main table's rule (5200 is usual)"};
  auto socket = netlink::Socket::open(NETLINK_ROUTE);
  if (!socket) return socket.error();
  std::unique_ptr<Binding> binding(new Binding(std::move(*socket), options));
  if (auto swept = binding->sweep_strays(); !swept) return swept.error();
  return binding;
}

Binding::Binding(netlink::Socket socket, const Options& options)
    : socket_(std::move(socket)),
      mark_base_(options.mark_base),
      priority_(options.rule_priority),
      carries_traffic_(options.marks_carry_traffic),
      inherits_(options.marks_carry_traffic) {}

// The nexthop whose rule or route a message of the kernel tells of; its rule as we would make it.
std::optional<std::pair<NexthopId, Family>> Binding::bound_by(const nlmsghdr& message) const {
  const auto& header = *static_cast<const rtgenmsg*>(mnl_nlmsg_get_payload(&message));
  const Family family = header.rtgen_family == AF_INET ? Family::v4 : Family::v6;
  const bool is_rule = message.nlmsg_type == RTM_NEWRULE;
  const std::uint32_t table = is_rule ? attribute(message, sizeof(fib_rule_hdr), FRA_TABLE)
                                      : attribute(message, sizeof(rtmsg), RTA_TABLE);
  if ((table & kAllMarks) != mark_base_ || table == mark_base_) return {};
  if (is_rule && !tells_of(message, family, Rule::nexthop(table, priority_))) return {};
  return std::pair{NexthopId{table - mark_base_}, family};
}

// What is read in passing is remembered: a rule that is there already is not made again, which
// would leave a moment without it.
Result<> Binding::sweep_strays() {
  const auto swept = sweep(socket_, [this](const nlmsghdr& message) {
    for (const Family family : kFamilies)
      if (tells_of(message, family, Rule::guard(mark_base_, priority_)))
        return inherits_ || guarded_.contains(family);
    const auto bound = bound_by(message);
    if (!bound) return false;
    if (inherits_ && message.nlmsg_type == RTM_NEWRULE) inherited_.insert(*bound);
    return inherits_ || bound_.contains(*bound);
  });
  if (!swept) return swept.error();
  return {};
}

Result<> Binding::end_inheritance() {
  inherits_ = false;
  inherited_.clear();
  return sweep_strays();
}

Binding::~Binding() {
  if (carries_traffic_) return;
  while (!bound_.empty()) unbind(bound_.begin()->first);
  for (const Family family : guarded_)
    drop_rule(socket_, family, Rule::guard(mark_base_, priority_));
}

Result<> Binding::set_rule(const Nexthop& nexthop, Family family) {
  if (!guarded_.contains(family)) {
    auto done = put_rule(socket_, family, Rule::guard(mark_base_, priority_));
    if (!done) return done;
    guarded_.insert(family);
  }
  const Rule rule = Rule::nexthop(mark(nexthop.id), priority_);
  if (!inherited_.contains({nexthop.id, family}))
    if (auto done = put_rule(socket_, family, rule); !done) return done;
  bound_.emplace(nexthop.id, family);
  return {};
}

Result<> Binding::bind(const Nexthop& nexthop, Family family) {
  const IpAddress& gateway = nexthop.key.gateway;
  if (family == Family::v6 && gateway.is_v4())
    return Error{"probe by " + nexthop.name +
                 ": an IPv6 anchor is not reached by an IPv4 gateway (name an IPv4 anchor)"};
  if (!bound_.contains({nexthop.id, family}))
    if (auto done = set_rule(nexthop, family); !done) return done;
  Request route(RTM_NEWROUTE, NLM_F_CREATE | NLM_F_REPLACE);
  describe_route(route, family, mark(nexthop.id));
  mnl_attr_put_u32(route.header, RTA_OIF, nexthop.key.ifindex);
  if (!gateway.is_unspecified()) put_gateway(route.header, family, gateway);
  // A gateway need not be within a prefix of the interface: routing found it good.
  static_cast<rtmsg*>(mnl_nlmsg_get_payload(route.header))->rtm_flags = RTNH_F_ONLINK;
  return socket_.request(route.header, "add probe route by " + nexthop.name + " in table " +
                                           hex(mark(nexthop.id)) +
                                           in_family(address_family(family)));
}

Result<bool> Binding::restore() {
  std::vector<std::pair<Family, Rule>> missing;
  for (const Family family : guarded_)
    missing.emplace_back(family, Rule::guard(mark_base_, priority_));
  for (const auto& [id, family] : bound_)
    missing.emplace_back(family, Rule::nexthop(mark(id), priority_));
  Request rules(RTM_GETRULE, 0);
  rules.fixed<fib_rule_hdr>().family = AF_UNSPEC;
  const auto listed = socket_.dump(rules.header, "list rules", [&](const nlmsghdr& message) {
    std::erase_if(missing, [&](const auto& m) { return tells_of(message, m.first, m.second); });
  });
  if (!listed) return listed.error();
  for (const auto& [family, rule] : missing)
    if (auto done = put_rule(socket_, family, rule); !done) return done.error();
  return !missing.empty();
}

bool Binding::removed_by_other(const nlmsghdr& event) const {
  return event.nlmsg_type == RTM_DELRULE && event.nlmsg_pid != socket_.port() &&
         attribute(event, sizeof(fib_rule_hdr), FRA_PROTOCOL) == kRouteProtocol;
}

void Binding::unbind(NexthopId id) {
  for (const Family family : kFamilies) {
    if (bound_.erase({id, family}) == 0) continue;
    drop_rule(socket_, family, Rule::nexthop(mark(id), priority_));
    drop_route(socket_, family, mark(id));
  }
}

}  // namespace hopwise::probes
