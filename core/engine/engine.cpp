// The engine: routes samples to nexthops and nexthops to groups. The way of a decision is
// estimator.cpp -> tracked_nexthop.cpp (state.cpp) -> group_law.cpp (cost.cpp, weights.cpp).
//
// One pass over the nexthops and one over the groups for each decide(); order is by id, so the
// same trace always gives the same decisions. Samples of nexthops that no group uses are ignored.
#include "core/engine/engine.hpp"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "core/engine/blame.hpp"
#include "core/engine/group_law.hpp"

namespace hopwise::engine {
namespace {

// What is told is told soon: a sample or reading further ahead than this, or older, is a mistake.
constexpr Duration kFuture = std::chrono::seconds(10);
constexpr Duration kPast = std::chrono::minutes(1);
constexpr std::size_t kMostPaths = std::size_t{1} << 22;  // ids are dense: more are a mistake
constexpr Duration kTogether = std::chrono::seconds(2);
constexpr Duration kBrownout = std::chrono::minutes(5);  // longer: the way is another

// Out of the noise.
double standing_queue_ms(const Reading& reading) {
  return std::max(0.0, reading.queue_ms() - 2 * reading.jitter_ms);
}

}  // namespace

struct Engine::Impl {
  explicit Impl(const Options& o) : options(o) {}

  TrackedNexthop* find(NexthopId id) {
    const auto found = nexthops.find(id);
    return found == nexthops.end() ? nullptr : &found->second;
  }
  /// Whether a fault of now is everywhere.
  [[nodiscard]] Extent extent() const {
    int fallen = 0;
    std::optional<TimePoint> first;
    std::optional<TimePoint> last;
    for (const auto& [id, nexthop] : nexthops) {
      if (nexthop.groups == 0 || !nexthop.reachable() || !nexthop.probed()) continue;
      if (nexthop.state() != PathState::degraded && nexthop.state() != PathState::down)
        return Extent::some;
      ++fallen;
      const TimePoint at = nexthop.health().fell_at();
      first = std::min(first.value_or(at), at);
      last = std::max(last.value_or(at), at);
    }
    return fallen > 1 && *last - *first <= kTogether ? Extent::everywhere : Extent::some;
  }
  /// Where a path's readings go: asked for each path each second.
  struct Place {
    GroupLaw* group = nullptr;
    std::size_t index = 0;
  };
  void place_paths(GroupLaw& law, std::span<const Path> paths) {
    for (std::size_t i = 0; i < paths.size(); ++i) {
      const std::size_t id = raw(paths[i].id);
      if (id >= kMostPaths) continue;
      if (id >= places.size()) places.resize(id + 1);
      places[id] = {&law, i};
    }
  }
  void forget_paths(const GroupLaw& law) {
    for (Place& place : places)
      if (place.group == &law) place = {};
  }
  GroupLaw* find(GroupId id) {
    const auto found = groups.find(id);
    return found == groups.end() ? nullptr : &found->second;
  }
  [[nodiscard]] bool timely(TimePoint at) const { return at <= now + kFuture && at >= now - kPast; }
  /// Readings of another time, or of no stretch of time, are mistakes.
  template <class Reading>
  [[nodiscard]] bool possible(const Reading& reading) const {
    return reading.over > Duration::zero() && timely(reading.at);
  }
  /// Once an epoch: what each nexthop carries and can, and what all groups will load it with.
  void open_book() {
    if (booked && now - *booked < options.epoch) return;
    booked = now;
    for (auto& [id, nexthop] : nexthops) {
      const auto full = nexthop.load.full;
      nexthop.load = {};
      nexthop.load.at = now;
      nexthop.load.full = full;
    }
    for (auto& [id, group] : groups) group.enter_book();
    for (auto& [id, nexthop] : nexthops) {
      if (nexthop.groups == 0) continue;
      Carrier& carrier = nexthop.carrier;
      carrier.carried(nexthop.load.carried_bit_s, now);
      carrier.wavers(std::sqrt(std::max(0.0, nexthop.load.variance)));
      if (const auto& reading = nexthop.reading()) {
        carrier.learn(standing_queue_ms(*reading), reading->loss.lower, now, nexthop.onset(now));
        // What was left comes back as soon as a short brownout ends; its old base tells when.
        const bool left = nexthop.limited > 0 && now - nexthop.health().fell_at() < kBrownout;
        const bool loaded = carrier.view(now).load_bit_s.value_or(0) <= 0 || carrier.may_queue(now);
        if (reading->step_ms > 0 && !left && !loaded) nexthop.accept_step(now);
      }
      BookedLoad& load = nexthop.load;
      load.background_bit_s = carrier.background_bit_s();
      load.capacity_bit_s = carrier.capacity_bit_s(now);
      const double all = load.carried_bit_s + load.background_bit_s;
      if (load.capacity_bit_s && load.carried_bit_s >= all / 2 && all > 0 &&
          load.fills(all, *load.capacity_bit_s, 2))
        load.full = now;
    }
  }
  void advance_to(TimePoint t) { now = std::max(now, t); }

  Options options;
  Tap* tap = nullptr;
  std::map<NexthopId, TrackedNexthop> nexthops;
  std::map<GroupId, GroupLaw> groups;
  std::vector<Place> places;        // by raw PathId
  std::uint64_t decisions = 0;      // made so far
  std::optional<TimePoint> booked;  // when the book was opened last
  Blame blame;
  std::set<Anchor> answered;  // anchors that ever answered through any nexthop
  TimePoint now;
};

Engine::Engine(const Options& options) : impl_(std::make_unique<Impl>(options)) {}
Engine::~Engine() = default;

void Engine::set_tap(Tap* tap) {
  impl_->tap = tap;
}

void Engine::reconfigure(const Options& options) {
  if (impl_->tap) impl_->tap->reconfigure(options);
  impl_->options = options;
  for (auto& [id, nexthop] : impl_->nexthops) nexthop.reconfigure(impl_->options);
}

void Engine::set_group(const Group& group, TimePoint now, std::span<const std::uint32_t> holds) {
  if (impl_->tap) impl_->tap->set_group(group, now, holds);
  impl_->advance_to(now);
  const double held = std::accumulate(holds.begin(), holds.end(), 0.0);
  std::vector<GroupLaw::Member> members;
  for (const Path& path : group.paths) {
    auto& nexthop =
        impl_->nexthops.try_emplace(path.nexthop, path.nexthop, impl_->options).first->second;
    const std::size_t i = members.size();
    members.push_back({path, &nexthop, i < holds.size() && held > 0 ? holds[i] / held : 0});
  }
  GroupLaw& law = impl_->groups.try_emplace(group.id, group.id, impl_->options).first->second;
  impl_->forget_paths(law);
  law.set_paths(members);
  impl_->place_paths(law, group.paths);
}

void Engine::remove_group(GroupId id) {
  if (impl_->tap) impl_->tap->remove_group(id);
  const auto found = impl_->groups.find(id);
  if (found == impl_->groups.end()) return;
  impl_->forget_paths(found->second);
  found->second.clear();
  impl_->groups.erase(found);
}

void Engine::remove_nexthop(NexthopId id) {
  if (impl_->tap) impl_->tap->remove_nexthop(id);
  const TrackedNexthop* nexthop = impl_->find(id);
  if (nexthop && nexthop->groups == 0) impl_->nexthops.erase(id);
}

// May come before the first route over the nexthop.
void Engine::set_anchors(NexthopId id, std::span<const Anchor> anchors) {
  if (impl_->tap) impl_->tap->set_anchors(id, anchors);
  impl_->nexthops.try_emplace(id, id, impl_->options).first->second.set_anchors(anchors);
}

void Engine::observe(const Sample& sample) {
  if (impl_->tap) impl_->tap->observe(sample);
  TrackedNexthop* nexthop = impl_->find(sample.nexthop);
  if (!nexthop || nexthop->groups == 0 || !impl_->timely(sample.known)) return;
  nexthop->observe(sample, impl_->answered);
}

void Engine::set_terms(GroupId id, const GroupTerms& terms) {
  if (impl_->tap) impl_->tap->set_terms(id, terms);
  if (GroupLaw* group = impl_->find(id)) group->set_terms(terms);
}

// May come before the first route over the nexthop.
void Engine::set_terms(NexthopId id, const NexthopTerms& terms) {
  if (impl_->tap) impl_->tap->set_terms(id, terms);
  impl_->nexthops.try_emplace(id, id, impl_->options).first->second.carrier.set_terms(terms);
}

void Engine::observe(const PathReading& reading) {
  if (impl_->tap) impl_->tap->observe(reading);
  const std::size_t id = raw(reading.path);
  if (id >= impl_->places.size() || !impl_->possible(reading)) return;
  const Impl::Place& place = impl_->places[id];
  if (place.group) place.group->observe(place.index, reading);
}

void Engine::observe(const ControlReading& reading) {
  if (impl_->tap) impl_->tap->observe(reading);
  if (!impl_->possible(reading)) return;
  if (GroupLaw* group = impl_->find(reading.group)) group->observe(reading);
}

void Engine::observe(const LoadReading& reading) {
  if (impl_->tap) impl_->tap->observe(reading);
  if (!impl_->possible(reading)) return;
  if (TrackedNexthop* nexthop = impl_->find(reading.nexthop)) nexthop->carrier.observe(reading);
}

void Engine::observe(const NexthopEvent& event) {
  if (impl_->tap) impl_->tap->observe(event);
  // The kernel's word may come before the first route over the nexthop.
  auto& nexthop =
      impl_->nexthops.try_emplace(event.nexthop, event.nexthop, impl_->options).first->second;
  nexthop.observe(event, impl_->now);
}

void Engine::observe(const EscapeEvent& event) {
  if (impl_->tap) impl_->tap->observe(event);
  if (TrackedNexthop* nexthop = impl_->find(event.nexthop)) nexthop->observe(event);
}

std::vector<Decision> Engine::decide(TimePoint now) {
  if (impl_->tap) impl_->tap->decide(now);
  impl_->advance_to(now);
  impl_->blame.advance(impl_->nexthops, impl_->answered, impl_->now);
  for (auto& [id, nexthop] : impl_->nexthops)
    nexthop.advance(impl_->now, impl_->answered, impl_->blame.blamed());
  impl_->open_book();
  const Extent extent = impl_->extent();
  std::vector<Decision> decisions;
  for (auto& [id, group] : impl_->groups)
    if (auto decision = group.decide(impl_->now, extent)) {
      decision->id = ++impl_->decisions;
      group.note(*decision);
      decisions.push_back(std::move(*decision));
    }
  if (impl_->tap)
    for (const Decision& decision : decisions) impl_->tap->decided(decision);
  return decisions;
}

std::vector<Effect> Engine::take_effects() {
  std::vector<Effect> effects;
  for (auto& [id, group] : impl_->groups)
    for (Effect& effect : group.take_effects()) effects.push_back(std::move(effect));
  return effects;
}

std::optional<NexthopMemory> Engine::memory(NexthopId id, TimePoint now) const {
  const TrackedNexthop* nexthop = impl_->find(id);
  if (!nexthop) return std::nullopt;
  return nexthop->memory(now);
}

std::optional<GroupMemory> Engine::memory(GroupId id, TimePoint now) const {
  const GroupLaw* group = impl_->find(id);
  return group ? std::optional(group->memory(now)) : std::nullopt;
}

void Engine::recall(NexthopId id, const NexthopMemory& memory, TimePoint now) {
  if (impl_->tap) impl_->tap->recall(id, memory, now);
  impl_->nexthops.try_emplace(id, id, impl_->options).first->second.recall(memory, now);
}

void Engine::recall(GroupId id, const GroupMemory& memory, TimePoint now) {
  if (impl_->tap) impl_->tap->recall(id, memory, now);
  if (GroupLaw* group = impl_->find(id)) group->recall(memory, now);
}

std::optional<NexthopView> Engine::nexthop(NexthopId id) const {
  const TrackedNexthop* nexthop = impl_->find(id);
  return nexthop ? std::optional(nexthop->view(impl_->now)) : std::nullopt;
}

bool Engine::suspicious(NexthopId id) const {
  const TrackedNexthop* nexthop = impl_->find(id);
  return nexthop && nexthop->suspicious(impl_->now);
}

std::vector<Anchor> Engine::blamed() const {
  const auto& blamed = impl_->blame.blamed();
  return {blamed.begin(), blamed.end()};
}

std::vector<PathView> Engine::group(GroupId id) const {
  const auto found = impl_->groups.find(id);
  return found == impl_->groups.end() ? std::vector<PathView>{} : found->second.view();
}

std::optional<GroupLawView> Engine::law(GroupId id) const {
  const GroupLaw* group = impl_->find(id);
  return group ? std::optional(group->law(impl_->now)) : std::nullopt;
}

std::optional<CarrierView> Engine::carrier(NexthopId id) const {
  const TrackedNexthop* nexthop = impl_->find(id);
  return nexthop ? std::optional(nexthop->carrier.view(impl_->now)) : std::nullopt;
}

}  // namespace hopwise::engine
