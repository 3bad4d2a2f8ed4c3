#include "core/daemon/steering.hpp"

#include <algorithm>
#include <set>

#include "core/daemon/host.hpp"
#include "core/daemon/terms.hpp"

namespace hopwise {
namespace {

// So many sets may be remembered beyond those in use, before the others are forgotten.
constexpr std::size_t kJoinedSets = 1024;
// So many routes may be tried again in one go; more in slices.
constexpr std::size_t kRetriedAtOnce = 1024;

}  // namespace

Steering::Steering(const Parts& parts, const config::Config& config, Clock clock)
    : parts_(parts),
      config_(config),
      clock_(std::move(clock)),
      groups_(dataplane::Dataplane::limits()),
      affinities_(parts_.dataplane, parts_.engine),
      inherits_marks_(by_mark()),
      started_(clock_()),
      forwards_v4_(kernel_forwards(Family::v4)),
      forwards_v6_(kernel_forwards(Family::v6)) {
  const auto& left = parts_.dataplane.adopted();
  groups_.adopt(left.nexthops, adoptable(left.groups), clock_());
  note(parts_.dataplane.set_classes(config_.class_rules));
}

// The tables know classes by number alone: by other rules each may have been another's. What it had
// learnt is in the state file, by name.
std::vector<Group> Steering::adoptable(std::vector<Group> left) const {
  if (parts_.dataplane.has_classes(config_.class_rules)) return left;
  for (Group& group : left)
    if (group.variant.traffic_class != 0) group.variant.destination.emplace();  // taken by nobody
  return left;
}

// --- routes ---------------------------------------------------------------------------------

bool Steering::may_steer(const routes::Route& route) const {
  return forwards(route.prefix.address.family) && route.nexthops().size() >= 2 &&
         config_.route_filter.accepts(route.prefix);
}

std::optional<GroupId> Steering::group_of_route(const Prefix& prefix) const {
  const GroupId* known = routes_.find(prefix);
  return known == nullptr ? std::nullopt : std::optional(*known);
}

void Steering::on_route(const routes::Route& route) {
  end_promotions(promoted_.taken_by(route.prefix));
  const GroupId before = group_of_route(route.prefix).value_or(GroupId{});
  if (!refused_.empty()) refused_.erase(route.prefix);
  const auto after = may_steer(route) ? join_group(route, before) : std::nullopt;

  if (!after) end_promotions(promoted_.below(route.prefix));
  if (promoted_.find(route.prefix) == nullptr)
    note(parts_.dataplane.set_route(route.prefix, after));
  routes_[route.prefix] = after.value_or(GroupId{});
  if (after) follow_route(route.prefix, *after);
  leave_group(before);
  if (after) ++steered_;
  if (parts_.log.debugs())
    parts_.log.debug("route", {{"prefix", route.prefix.text()},
                               {"nexthops", std::to_string(route.nexthops().size())},
                               {"group", after ? std::to_string(raw(*after)) : "kernel"}});
}

void Steering::on_withdrawn(const Prefix& prefix) {
  const auto known = group_of_route(prefix);
  if (!known) return;
  end_promotions(promoted_.below(prefix));
  note(parts_.dataplane.remove_route(prefix));
  leave_group(*known);
  routes_.erase(prefix);
  refused_.erase(prefix);
  if (parts_.log.debugs()) parts_.log.debug("route_withdrawn", {{"prefix", prefix.text()}});
}

// The group that this route's nexthops form; nothing where the tables are full: the kernel's route
// serves, and the log says so. The millionth route of a set finds its group by the set's address.
std::optional<GroupId> Steering::join_group(const routes::Route& route, GroupId before) {
  const auto known = joined_.find(route.set.get());
  if (known != joined_.end() && groups_.join(known->second.group)) return known->second.group;
  auto id = acquire_route(route.nexthops(), before);
  if (id) {
    if (known == joined_.end() && joined_.size() >= 2 * groups_.used().size() + kJoinedSets)
      std::erase_if(joined_, [](const auto& entry) { return entry.second.set.use_count() == 1; });
    // One that had to do without its candidates shall be asked for anew.
    if (groups_.find(*id)->paths.size() == route.nexthops().size())
      joined_[route.set.get()] = {route.set, *id};
    return *id;
  }
  if (refused_.empty())
    parts_.log.warn("route_not_steered",
                    {{"prefix", route.prefix.text()}, {"error", id.error().message}});
  refused_.insert(route.prefix);
  return std::nullopt;
}

void Steering::leave_group(GroupId id) {
  if (id == GroupId{}) return;
  release(id);
  --steered_;
}

void Steering::drop_unknown_routes() {
  note(parts_.dataplane.sweep_routes());
  parts_.probes.end_inheritance();
}

bool Steering::visit_prefixes(std::optional<Prefix>& after, std::size_t count,
                              const std::function<void(const Prefix&)>& visit) const {
  std::size_t seen = 0;
  const auto from = after;  // what is walked from stays, while `after` moves
  parts_.dataplane.walk_routes(from, [&](const dataplane::Dataplane::Match& match) {
    if (seen++ == count) return false;
    after = match.route;
    visit(match.route);
    return true;
  });
  if (seen > count) return false;
  after.reset();
  return true;
}

// Ids were freed: some of those that found none may be served now.
void Steering::retry_refused() {
  if (refused_.size() > kRetriedAtOnce) return parts_.follower.retell();
  for (const Prefix& prefix : std::exchange(refused_, {}))
    if (const auto route = parts_.follower.find(prefix)) on_route(parts_.offered(*route));
}

void Steering::expire() {
  settle_marks();
  const auto gone = groups_.expire(clock_());
  for (const GroupId id : gone.groups) {
    parts_.engine.remove_group(id);
    parts_.dataplane.remove_group(id);
    affinities_.forget(id);
    class_groups_.erase(id);
    withheld_.erase(id);
  }
  if (!gone.groups.empty())
    std::erase_if(
        joined_, [this](const auto& entry) { return groups_.find(entry.second.group) == nullptr; });
  for (const NexthopId id : gone.nexthops) remove_nexthop(id);
  if (!gone.groups.empty() && !refused_.empty()) retry_refused();
  if (!gone.groups.empty() && class_ids_short_) settle_classes();
  if (refused_.size() != refused_told_) {
    refused_told_ = refused_.size();
    parts_.log.warn("routes_not_steered", {{"count", std::to_string(refused_told_)},
                                           {"because", "no group, path or nexthop id is left"}});
  }

  const bool v4 = kernel_forwards(Family::v4);
  const bool v6 = kernel_forwards(Family::v6);
  if (v4 == forwards_v4_ && v6 == forwards_v6_) return;
  forwards_v4_ = v4;
  forwards_v6_ = v6;
  parts_.log.warn("forwarding_changed", {{"ipv4", v4 ? "on" : "off"}, {"ipv6", v6 ? "on" : "off"}});
  parts_.follower.retell();
}

// --- groups ---------------------------------------------------------------------------------

std::vector<const Nexthop*> Steering::nexthops_of(const Group& group) const {
  std::vector<const Nexthop*> nexthops;
  for (const Path& path : group.paths)
    if (const auto found = nexthops_.find(path.nexthop); found != nexthops_.end())
      nexthops.push_back(&found->second.nexthop);
  return nexthops;
}

// The group of this set, with one more user. The first user of one for all classes brings in the
// groups for each. A new one begins with the weights and buckets of `like`.
Result<GroupId> Steering::acquire(const std::vector<routes::WeightedNexthop>& set,
                                  const Variant& variant, std::optional<GroupId> like) {
  auto acquired = groups_.acquire(set, variant);
  if (!acquired) return acquired.error();
  for (const auto& [id, key] : acquired->new_nexthops) add_nexthop(id, key);
  const Group& group = acquired->group;
  if (acquired->new_group) {
    note(parts_.dataplane.set_group(group));
    const auto& left = parts_.dataplane.adopted().groups;
    const bool adopted = std::find(left.begin(), left.end(), group) != left.end();
    if (like && !adopted) parts_.dataplane.begin_like(group.id, *like);
    parts_.engine.set_group(
        group, clock_(),
        adopted || like ? parts_.dataplane.buckets(group.id) : std::vector<std::uint32_t>{});
    parts_.group_joined(group, adopted || like ? Shares::adopted : Shares::recalled);
    roles_changed_ = true;
  }
  if (groups_.users(group.id) > 1) return group.id;
  // Of one that comes back the configuration may have changed meanwhile.
  settle_terms(group);
  settle_affinity(group);
  if (variant.traffic_class == 0) join_classes(group);
  return group.id;
}

void Steering::release(GroupId id) {
  groups_.release(id, clock_());
  if (groups_.users(id) == 0) leave_classes(id);
}

// A class for which there is no id left is the group's own traffic, until there is one.
void Steering::join_classes(const Group& group, std::optional<GroupId> like) {
  std::vector<GroupId> serving(config_.classes.size());
  const auto set = groups_.set_of(group.id);
  for (std::size_t i = 0; i < serving.size(); ++i) {
    if (config_.classes[i].name.empty()) continue;
    const auto id = acquire(set, {.traffic_class = static_cast<std::uint8_t>(i + 1)}, like);
    if (id) serving[i] = *id;
    if (!id && !std::exchange(class_ids_short_, true))
      parts_.log.warn("class_without_group",
                      {{"class", config_.classes[i].name}, {"error", id.error().message}});
  }
  note(parts_.dataplane.set_class_groups(group.id, serving));
  class_groups_[group.id] = std::move(serving);
}

void Steering::leave_classes(GroupId id) {
  const auto known = class_groups_.find(id);
  if (known == class_groups_.end()) return;
  for (const GroupId serving : std::exchange(known->second, {}))
    if (serving != GroupId{}) release(serving);
  class_groups_.erase(id);
}

// A class has a group where it has a name, and ids were left.
bool Steering::lacks_classes(const Group& group) const {
  if (group.variant.traffic_class != 0) return false;
  const auto known = class_groups_.find(group.id);
  if (known == class_groups_.end()) return !config_.classes.empty();
  return !std::equal(known->second.begin(), known->second.end(), config_.classes.begin(),
                     config_.classes.end(), [](GroupId serving, const config::ClassConfig& c) {
                       return (serving == GroupId{}) == c.name.empty();
                     });
}

// Another list of classes: the rules first, so that none leads where nothing is linked. What a
// class carries was the group's own until now: it begins as that is, and nothing moves.
void Steering::settle_classes() {
  note(parts_.dataplane.set_classes(config_.class_rules));
  class_ids_short_ = false;
  std::vector<Group> others;
  for (const Group* group : groups_.used())
    if (lacks_classes(*group)) others.push_back(*group);
  std::stable_partition(others.begin(), others.end(),
                        [](const Group& group) { return !group.variant.destination; });
  for (const Group& group : others) {
    auto before = std::exchange(class_groups_[group.id], {});
    join_classes(group, group.id);
    for (const GroupId id : before)
      if (id != GroupId{}) release(id);
  }
}

void Steering::settle_terms(const Group& group) {
  engine::GroupTerms terms = hopwise::terms_of(group.variant, nexthops_of(group), config_);
  terms.withheld = withheld_of(group.id);
  parts_.engine.set_terms(group.id, terms);
  parts_.dataplane.set_use(group.id, terms.mode == engine::Mode::dry_run ? dataplane::Use::dry_run
                                                                         : dataplane::Use::steer);
}

std::string Steering::class_of(const Group& group) const {
  return class_name(group.variant, config_);
}

bool Steering::is_dry_run(const Group& group) const {
  return hopwise::terms_of(group.variant, nexthops_of(group), config_).mode ==
         engine::Mode::dry_run;
}

void Steering::settle_affinity(const Group& group) {
  affinities_.settle(group, affinity_rule(nexthops_of(group), config_));
}

void Steering::follow_delays() {
  for (const Group* group : groups_.used()) affinities_.follow_delays(*group);
}

// --- configuration --------------------------------------------------------------------------

void Steering::reconfigure(const config::Config& config) {
  config_ = with_class_numbers(config, config_);
  for (auto& [id, record] : nexthops_) introduce_anew(record);
  roles_changed_ = true;
  settle_classes();
  for (const Group* group : groups_.used()) {
    settle_terms(*group);
    settle_affinity(*group);
  }
  end_filtered_promotions();
  parts_.follower.retell();
}

void Steering::note(const Result<>& done) {
  if (!done) parts_.log.error("dataplane", {{"error", done.error().message}});
}

}  // namespace hopwise
