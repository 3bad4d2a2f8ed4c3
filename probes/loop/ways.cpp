#include "probes/loop/ways.hpp"

namespace hopwise::probes {

Result<std::unique_ptr<Ways>> Ways::open(boost::asio::io_context& io, const Options& options,
                                         Events events, Staging staging) {
  std::unique_ptr<Ways> ways(new Ways);
  auto binding = Binding::open(options, std::move(staging));
  if (!binding) return binding.error();
  ways->binding_ = std::move(*binding);
  auto watch = RuleWatch::open(io, *ways->binding_, std::move(events.stray));
  if (!watch) return watch.error();
  ways->watch_ = std::move(*watch);
  if (options.marks_carry_traffic)
    ways->leads_.emplace(*ways->binding_, *ways->watch_, std::move(events.marks));
  return ways;
}

Result<> Ways::add(const Target& target) {
  const Nexthop& nexthop = target.nexthop;
  nexthops_[nexthop.id] = nexthop;
  std::set<Family> families;
  for (const AnchorSpec& spec : target.anchors) {
    families.insert(spec.anchor.address.family);
    if (spec.anchor.address.is_link_local()) binding_->keep_rule(nexthop.id);
  }
  Result<> bound;
  for (const Family family : families)
    if (bound) bound = binding_->bind(nexthop, family);
  if (!lead(nexthop) && bound)
    bound = Error{"route by the mark of " + nexthop.name +
                  ": its rule or table cannot be made; it carries no traffic"};
  return bound;
}

void Ways::remove(NexthopId id) {
  binding_->unbind(id);
  nexthops_.erase(id);
  down(id);
}

const Nexthop* Ways::find(NexthopId id) const {
  const auto found = nexthops_.find(id);
  return found == nexthops_.end() ? nullptr : &found->second;
}

void Ways::up(NexthopId id) {
  if (const Nexthop* nexthop = find(id)) lead(*nexthop);
}

void Ways::down(NexthopId id) {
  if (leads_) leads_->forget(id);
}

Result<> Ways::bind_anew(NexthopId id, Family family) {
  up(id);
  return binding_->bind(nexthops_.at(id), family);
}

// By a rule of its own the kernel knows the source by the route, which it drops with the link.
Result<IpAddress> Ways::leave(NexthopId id, const IpAddress& destination) {
  if (const auto from = source(id, destination)) return *from;
  if (!staged() || !holds(id, destination.family))
    if (auto bound = bind_anew(id, destination.family); !bound) return bound.error();
  if (const auto from = source(id, destination)) return *from;
  const Nexthop& nexthop = nexthops_.at(id);
  return Error{"probe by " + nexthop.name + ": " + nexthop.interface +
               " is down or has no address to probe " + destination.text() +
               " from (give it one of that family)"};
}

void Ways::tell() {
  if (leads_) leads_->tell();
}

}  // namespace hopwise::probes
