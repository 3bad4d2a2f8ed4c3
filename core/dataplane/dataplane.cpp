#include "core/dataplane/dataplane.hpp"

#include <algorithm>
#include <limits>
#include <random>

#include "bpf/hash.h"
#include "core/dataplane/classes.hpp"
#include "core/dataplane/impl.hpp"
#include "core/dataplane/pins.hpp"

namespace hopwise::dataplane {
namespace {

// Routes that a sync() tries again: a full table must not stall the tick.
constexpr std::size_t kRetriesPerSync = 256;

// A neighbour may move while nobody watches: what a dead daemon left must not be used for long.
constexpr Duration kNeighbourLease = std::chrono::seconds(2);

// Read in one go by the control loop: a few milliseconds.
constexpr std::uint32_t kFlowBatch = 4096;

MovePace pace_of(const Options& options) {
  const auto idle = std::chrono::duration_cast<std::chrono::milliseconds>(options.idle_after);
  return {static_cast<std::uint32_t>(idle.count()), options.busy_moves};
}

std::string abi_folder(const std::string& folder) {
  return folder.empty() ? "" : folder + '/' + abi_name();
}

// Of this router's own: routers in series that hash alike would send all flows of one path to one.
std::uint32_t draw_hash_seed() {
  std::random_device random;
  return std::uniform_int_distribution<std::uint32_t>(
      1, std::numeric_limits<std::uint32_t>::max())(random);
}

// Maps of a namespace that is gone hold some 200 MB of kernel memory. Failing leaves them so.
void sweep_abandoned(const std::string& pin_root) try {
  for (const std::string& folder : abandoned_folders(pin_root)) remove_pins(folder);
} catch (const std::exception&) {
}

Result<> check(std::string_view what, std::uint32_t id, std::uint32_t limit) {
  if (id > 0 && id < limit) return {};
  return Error{std::string(what) + ' ' + std::to_string(id) + ": the data plane holds ids 1 to " +
               std::to_string(limit - 1)};
}

}  // namespace

const char* text(Affinity affinity) {
  switch (affinity) {
    case Affinity::flow:
      return "flow";
    case Affinity::flowlet:
      return "flowlet";
    case Affinity::bucket:
      return "bucket";
  }
  return "unknown";
}

Dataplane::Impl::Impl(const Options& chosen, std::string pin_folder, Loaded loaded)
    : options(chosen),
      folder(std::move(pin_folder)),
      programs(std::move(loaded.programs)),
      tables(std::move(loaded.tables)),
      weights(tables, pace_of(options)),
      passive(tables.fds().rtt, options.control_share),
      escapes(std::move(loaded.escapes)),
      flow_reader(tables.fds().flows, kFlowBatch),
      route_maps(std::move(loaded.routes)),
      routes(route_maps.arrays(tables.router()), loaded.wait),
      attachments(abi_folder(folder),
                  {programs.steer_fd(), programs.observe_fd(), programs.local_fd()}, options.hook) {
  if (tables.router().hash_seed == 0) publish_word(tables.router().hash_seed, draw_hash_seed());
  adopt();
}

void Dataplane::Impl::adopt() {
  adopted.set_aside = programs.set_aside();
  for (std::uint32_t id = 1; id < HW_MAX_NEXTHOPS; ++id)
    if (const auto key = tables.nexthop(id)) adopted.nexthops.emplace_back(NexthopId{id}, *key);
  std::vector<bool> named(HW_MAX_PATHS);
  for (std::uint32_t id = 1; id < HW_MAX_GROUPS; ++id)
    if (auto group = tables.group(id)) {
      weights.adopt(*group);
      for (const Path& path : group->paths) named[raw(path.id)] = true;
      adopted.groups.push_back(std::move(*group));
    }
  for (std::uint32_t id = 1; id < HW_MAX_PATHS; ++id)
    if (!named[id]) tables.remove_path(id);
  passive.adopt(adopted.groups);
}

Result<> Dataplane::Impl::keep_pinned() const {
  if (folder.empty()) return {};
  if (auto made = make_pin_folder(abi_folder(folder)); !made) return made;
  return programs.keep_pinned(abi_folder(folder));
}

Result<std::unique_ptr<Dataplane>> Dataplane::open(const Options& options) {
  std::string folder;
  if (!options.pin_root.empty()) {
    const auto cookie = namespace_cookie();
    if (!cookie) return cookie.error();
    folder = namespace_folder(options.pin_root, *cookie);
    if (const auto made = make_pin_folder(abi_folder(folder)); !made) return made.error();
    sweep_abandoned(options.pin_root);
  }
  auto programs = Programs::load(abi_folder(folder), settings_of(options));
  if (!programs) return programs.error();
  const GracePeriod wait = programs_grace_period();
  auto tables = Tables::map(programs->maps(), wait);
  if (!tables) return tables.error();
  auto escapes = Escapes::open(programs->maps().events);
  if (!escapes) return escapes.error();
  auto routes = RouteMaps::map(programs->maps());
  if (!routes) return routes.error();
  return std::unique_ptr<Dataplane>(new Dataplane(
      std::make_unique<Impl>(options, folder,
                             Impl::Loaded{std::move(*programs), std::move(*tables),
                                          std::move(*routes), std::move(*escapes), wait})));
}

Dataplane::Dataplane(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Dataplane::~Dataplane() = default;

Limits Dataplane::limits() {
  return {HW_MAX_NEXTHOPS - 1, HW_MAX_GROUPS - 1,  HW_MAX_PATHS - 1,  HW_MAX_GROUP_PATHS,
          HW_BUCKETS,          HW_MAX_CLASSES - 1, HW_MAX_CLASS_RULES};
}

const Adopted& Dataplane::adopted() const {
  return impl_->adopted;
}

std::vector<Error> Dataplane::attach(const std::vector<Attachment>& wanted) {
  auto pinned = impl_->keep_pinned();
  auto errors = impl_->attachments.set(wanted);
  if (!pinned) errors.push_back(pinned.error());
  return errors;
}

std::vector<InterfaceStatus> Dataplane::attachments() const {
  return impl_->attachments.status();
}

Result<> Dataplane::set_nexthop(const Nexthop& nexthop) {
  if (auto valid = check("nexthop", raw(nexthop.id), HW_MAX_NEXTHOPS); !valid) return valid;
  impl_->tables.set_nexthop(raw(nexthop.id), nexthop.key,
                            impl_->options.mark_base + raw(nexthop.id));
  return {};
}

void Dataplane::set_nexthop_held(NexthopId id, bool held) {
  if (check("nexthop", raw(id), HW_MAX_NEXTHOPS)) impl_->tables.set_nexthop_held(raw(id), held);
}

void Dataplane::set_nexthop_usable(NexthopId id, bool usable) {
  if (check("nexthop", raw(id), HW_MAX_NEXTHOPS)) impl_->tables.set_nexthop_usable(raw(id), usable);
}

void Dataplane::set_nexthop_link(NexthopId id, std::optional<Link> link) {
  if (check("nexthop", raw(id), HW_MAX_NEXTHOPS)) impl_->tables.set_nexthop_link(raw(id), link);
}

void Dataplane::remove_nexthop(NexthopId id) {
  if (check("nexthop", raw(id), HW_MAX_NEXTHOPS)) impl_->tables.remove_nexthop(raw(id));
}

void Dataplane::set_affinity(GroupId id, Affinity affinity, Duration flowlet_gap) {
  if (impl_->weights.find(id) == nullptr) return;
  const auto gap = std::chrono::ceil<std::chrono::milliseconds>(flowlet_gap).count();
  constexpr auto kLongest = std::numeric_limits<std::uint16_t>::max();
  impl_->tables.set_affinity(raw(id), affinity,
                             static_cast<std::uint16_t>(std::clamp<long long>(gap, 0, kLongest)));
}

Result<> Dataplane::set_classes(const std::vector<ClassRule>& rules) {
  auto entries = class_entries(rules);
  if (!entries) return entries.error();
  return impl_->tables.set_class_rules(*entries);
}

bool Dataplane::has_classes(const std::vector<ClassRule>& rules) const {
  const auto entries = class_entries(rules);
  return entries && impl_->tables.has_class_rules(*entries);
}

Result<> Dataplane::set_class_groups(GroupId id, std::span<const GroupId> serving) {
  if (impl_->weights.find(id) == nullptr || serving.size() >= HW_MAX_CLASSES)
    return Error{"classes of group " + std::to_string(raw(id)) +
                 ": it is not known to the data plane, or there are more than " +
                 std::to_string(HW_MAX_CLASSES - 1)};
  impl_->tables.set_class_groups(raw(id), serving);
  return {};
}

void Dataplane::set_use(GroupId id, Use use) {
  if (impl_->weights.find(id) == nullptr) return;
  impl_->passive.set_use(id, use);
  impl_->tables.set_use(raw(id), use);
}

Result<> Dataplane::set_group(const Group& group) {
  if (auto valid = check("group", raw(group.id), HW_MAX_GROUPS); !valid) return valid;
  if (group.paths.empty() || group.paths.size() > HW_MAX_GROUP_PATHS)
    return Error{"group " + std::to_string(raw(group.id)) + ": " +
                 std::to_string(group.paths.size()) + " paths; it may have 1 to " +
                 std::to_string(HW_MAX_GROUP_PATHS)};
  for (const Path& path : group.paths) {
    if (auto valid = check("path", raw(path.id), HW_MAX_PATHS); !valid) return valid;
    if (auto valid = check("nexthop", raw(path.nexthop), HW_MAX_NEXTHOPS); !valid) return valid;
  }
  if (const Group* known = impl_->weights.find(group.id)) {
    if (*known == group) return {};
    return Error{"group " + std::to_string(raw(group.id)) +
                 ": it is there with other paths or weights (remove it first)"};
  }
  impl_->weights.set(group);
  impl_->passive.set_group(group);
  return {};
}

void Dataplane::remove_group(GroupId id) {
  impl_->weights.remove(id);
  impl_->passive.remove_group(id);
}

Result<> Dataplane::set_route(const Prefix& prefix, std::optional<GroupId> group) {
  if (group && impl_->weights.find(*group) == nullptr)
    return Error{"route " + prefix.text() + ": group " + std::to_string(raw(*group)) +
                 " is not known to the data plane"};
  return impl_->routes.set(prefix, group ? raw(*group) : HW_ROUTE_KERNEL);
}

Result<> Dataplane::remove_route(const Prefix& prefix) {
  return impl_->routes.remove(prefix);
}

Result<> Dataplane::sweep_routes() {
  return impl_->routes.sweep();
}

void Dataplane::publish(const Decision& decision, TimePoint now) {
  impl_->weights.publish(decision, now);
}

void Dataplane::sync(TimePoint now) {
  impl_->routes.retry(kRetriesPerSync);
  impl_->weights.sync(now);
}

void Dataplane::renew_lease(TimePoint now) {
  const auto until = [&](Duration lease) { return (now.time_since_epoch() + lease).count(); };
  hw_router& router = impl_->tables.router();
  publish_word(router.neighbours_ns, until(std::min(impl_->options.lease, kNeighbourLease)));
  publish_word(router.expires_ns, until(impl_->options.lease));
}

void Dataplane::end_lease() {
  publish_word(impl_->tables.router().expires_ns, 0);
  publish_word(impl_->tables.router().neighbours_ns, 0);
}

TimePoint Dataplane::lease_expires() const {
  return TimePoint(Duration(impl_->tables.router().expires_ns));
}

DataplaneCounters Dataplane::counters() const {
  return impl_->tables.counters();
}

int Dataplane::escapes_fd() const {
  return impl_->escapes.fd();
}

void Dataplane::take_escapes(const std::function<void(const Escape&)>& each) {
  impl_->escapes.take(each);
}

Dataplane::PassiveReadings Dataplane::take_passive() {
  return impl_->passive.take();
}

void Dataplane::begin_like(GroupId id, GroupId like) {
  impl_->weights.copy(id, like);
}

Result<bool> Dataplane::read_flow_counts(const std::function<void(const FlowCount&)>& each) {
  const std::uint32_t seed = impl_->tables.router().hash_seed;
  return impl_->flow_reader.next([&](const hw_flow_key& key, const hw_flow& flow) {
    const auto family = static_cast<Family>(key.family);
    const std::uint64_t high = hw_flow_hash(&key, ~seed);
    each({.destination = IpAddress::from_bytes(family, key.destination),
          .id = high << 32 | hw_flow_hash(&key, seed),
          .bytes = flow.bytes + flow.reverse_bytes,
          .started = TimePoint(Duration(flow.started_ns)),
          .last_seen = TimePoint(Duration(flow.last_seen_ns))});
  });
}

std::optional<Dataplane::Match> Dataplane::route_covering(const Prefix& prefix) const {
  const auto match = impl_->routes.covering(prefix);
  if (!match) return std::nullopt;
  return Match{*match->prefix, match->group == HW_ROUTE_KERNEL
                                   ? std::nullopt
                                   : std::optional(GroupId{match->group})};
}

std::optional<GroupId> Dataplane::group_towards(const IpAddress& destination) const {
  const std::uint32_t group = impl_->routes.group_of(destination);
  return group == HW_ROUTE_NONE || group == HW_ROUTE_KERNEL ? std::nullopt
                                                            : std::optional(GroupId{group});
}

void Dataplane::walk_routes(const std::optional<Prefix>& after,
                            const std::function<bool(const Match&)>& each) const {
  impl_->routes.walk(after, [&](const Prefix& prefix, std::uint32_t group) {
    return each({prefix, group == HW_ROUTE_KERNEL ? std::nullopt : std::optional(GroupId{group})});
  });
}

std::vector<std::uint32_t> Dataplane::buckets(GroupId id) const {
  return impl_->weights.buckets(id);
}

}  // namespace hopwise::dataplane
