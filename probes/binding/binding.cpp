#include "probes/binding/binding.hpp"

#include <linux/fib_rules.h>
#include <linux/rtnetlink.h>
#include <sys/socket.h>

#include <array>
#include <vector>

#include "probes/binding/message.hpp"
#include "probes/binding/rules.hpp"
#include "probes/prober.hpp"

namespace hopwise::probes {
namespace {

constexpr std::array kFamilies{Family::v4, Family::v6};

}  // namespace

Result<std::vector<std::string>> remove_leftovers(const Options&) {
  auto socket = netlink::Socket::open(NETLINK_ROUTE);
  if (!socket) return socket.error();
  return sweep(*socket, [](const nlmsghdr&) { return false; });
}

Result<std::unique_ptr<Binding>> Binding::open(const Options& options, Staging staging) {
  if ((options.mark_base & ~kAllMarks) != 0 || options.mark_base == 0)
    return Error{"probe mark base " + hex(options.mark_base) +
                 ": its low 16 bits must be zero, and its high ones not (0x68770000 is usual)"};
  if (options.rule_priority == 0 || options.rule_priority + 2 >= kMainTablePriority)
    return Error{"probe rule priority " + std::to_string(options.rule_priority) +
                 ": must be from 1 to 32763, before the main table's rule (5200 is usual)"};
  auto socket = netlink::Socket::open(NETLINK_ROUTE);
  if (!socket) return socket.error();
  std::unique_ptr<Binding> binding(new Binding(std::move(*socket), options, std::move(staging)));
  if (auto swept = binding->sweep_strays(); !swept) return swept.error();
  return binding;
}

Binding::Binding(netlink::Socket socket, const Options& options, Staging staging)
    : socket_(std::move(socket)),
      mark_base_(options.mark_base),
      priority_(options.rule_priority),
      stage_from_(options.stage_from),
      carries_traffic_(options.marks_carry_traffic),
      inherits_(options.marks_carry_traffic),
      staging_(std::move(staging)) {}

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
bool Binding::is_to_stay(const nlmsghdr& message) {
  for (const Family family : kFamilies) {
    if (tells_of(message, family, Rule::guard(mark_base_, priority_)))
      return inherits_ || guarded_.contains(family);
    if (tells_of(message, family, Rule::stage(mark_base_, priority_)))
      return stage_ && stage_->families.contains(family);
  }
  if (message.nlmsg_type == RTM_NEWROUTE &&
      attribute(message, sizeof(rtmsg), RTA_TABLE) == mark_base_)
    return stage_.has_value();
  const auto bound = bound_by(message);
  if (!bound) return false;
  if (inherits_ && message.nlmsg_type == RTM_NEWRULE) inherited_.insert(*bound);
  return inherits_ || holds(bound->first, bound->second);
}

Result<> Binding::sweep_strays() {
  const auto swept =
      sweep(socket_, [this](const nlmsghdr& message) { return is_to_stay(message); });
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
  stage_failed_ = true;  // it is not tried again
  if (stage_) strike();
  while (!bound_.empty()) unbind(bound_.begin()->first);
  for (const Family family : guarded_)
    drop_rule(socket_, family, Rule::guard(mark_base_, priority_));
}

bool Binding::holds(NexthopId id, Family family) const {
  const auto bound = bound_.find(id);
  return bound != bound_.end() && bound->second.families.contains(family);
}

// --- a rule each ---------------------------------------------------------------------------------

Result<> Binding::set_guard(Family family) {
  if (guarded_.contains(family)) return {};
  auto done = put_rule(socket_, family, Rule::guard(mark_base_, priority_));
  if (done) guarded_.insert(family);
  return done;
}

Result<> Binding::set_rule(const Nexthop& nexthop, Family family) {
  if (inherited_.contains({nexthop.id, family})) return {};
  return put_rule(socket_, family, Rule::nexthop(mark(nexthop.id), priority_));
}

Result<> Binding::set_route(const Nexthop& nexthop, Family family) {
  return put_route(socket_, family, mark(nexthop.id), nexthop.key,
                   "add probe route by " + nexthop.name + " in table " + hex(mark(nexthop.id)) +
                       in_family(address_family(family)));
}

bool Binding::has_own(NexthopId id, Family family) const {
  return !stage_ || (family == Family::v6 && keeps_rule_.contains(id));
}

void Binding::drop_own(NexthopId id, Family family) {
  drop_rule(socket_, family, Rule::nexthop(mark(id), priority_));
  drop_route(socket_, family, mark(id));
}

Result<> Binding::bind_by_rule(const Nexthop& nexthop, Family family) {
  if (!holds(nexthop.id, family)) {
    if (auto done = set_guard(family); !done) return done;
    if (auto done = set_rule(nexthop, family); !done) return done;
    remember(nexthop, family);
  }
  return set_route(nexthop, family);
}

void Binding::remember(const Nexthop& nexthop, Family family) {
  Bound& bound = bound_[nexthop.id];
  if (bound.nexthop.key != nexthop.key) sources_.forget(nexthop.id);
  bound.nexthop = nexthop;
  bound.families.insert(family);
}

// --- what callers ask for ------------------------------------------------------------------------

Result<> Binding::bind(const Nexthop& nexthop, Family family) {
  if (family == Family::v6 && nexthop.key.gateway.is_v4())
    return Error{"probe by " + nexthop.name +
                 ": an IPv6 anchor is not reached by an IPv4 gateway (name an IPv4 anchor)"};
  auto done = stage_ ? bind_staged(nexthop, family) : bind_by_rule(nexthop, family);
  if (done) sources_.forget_missing(nexthop.id);
  settle();
  return done;
}

void Binding::unbind(NexthopId id) {
  const auto node = bound_.extract(id);
  if (node.empty()) return;
  for (const Family family : node.mapped().families) drop_own(id, family);
  if (stage_) staging_.forget(id);
  keeps_rule_.erase(id);
  sources_.forget(id);
  settle();
}

Result<bool> Binding::restore() {
  std::vector<std::pair<Family, Rule>> missing;
  for (const Family family : guarded_)
    missing.emplace_back(family, Rule::guard(mark_base_, priority_));
  if (stage_)
    for (const Family family : stage_->families)
      missing.emplace_back(family, Rule::stage(mark_base_, priority_));
  for (const auto& [id, bound] : bound_)
    for (const Family family : bound.families)
      if (has_own(id, family)) missing.emplace_back(family, Rule::nexthop(mark(id), priority_));
  netlink::Request rules(RTM_GETRULE, 0);
  rules.fixed<fib_rule_hdr>().family = AF_UNSPEC;
  const auto listed = socket_.dump(rules.header, "list rules", [&](const nlmsghdr& message) {
    std::erase_if(missing, [&](const auto& m) { return tells_of(message, m.first, m.second); });
  });
  if (!listed) return listed.error();
  for (const auto& [family, rule] : missing)
    if (auto done = put_rule(socket_, family, rule); !done) return done.error();
  sources_.forget_missing();
  if (auto done = restore_stage(); !done) return done.error();
  return !missing.empty();
}

bool Binding::removed_by_other(const nlmsghdr& event) const {
  return event.nlmsg_type == RTM_DELRULE && event.nlmsg_pid != socket_.port() &&
         attribute(event, sizeof(fib_rule_hdr), FRA_PROTOCOL) == kRouteProtocol;
}

std::optional<IpAddress> Binding::source(const Nexthop& nexthop, const IpAddress& destination) {
  if (!holds(nexthop.id, destination.family)) return {};
  if (const auto* known = sources_.find(nexthop.id, destination)) return *known;
  const auto told = ask_source(nexthop, destination);
  const auto source = told ? std::optional(*told) : std::nullopt;
  sources_.keep(nexthop, destination, source);
  return source;
}

// Where the staging device binds, the nexthop has a rule of its own for the moment of the question.
Result<IpAddress> Binding::ask_source(const Nexthop& nexthop, const IpAddress& destination) {
  const std::uint32_t by = mark(nexthop.id);
  if (has_own(nexthop.id, destination.family)) return route_source(socket_, by, destination);
  if (auto done = set_route(nexthop, destination.family); !done) return done.error();
  Result<> ruled = put_rule(socket_, destination.family, Rule::nexthop(by, priority_));
  auto source = ruled ? route_source(socket_, by, destination) : ruled.error();
  drop_own(nexthop.id, destination.family);
  return source;
}

}  // namespace hopwise::probes
