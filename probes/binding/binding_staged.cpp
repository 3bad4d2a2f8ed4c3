// The second way to bind: one rule, and the staging device. How it is taken, kept and left, with
// what is new standing before what is old goes.
#include "probes/binding/binding.hpp"
#include "probes/binding/message.hpp"
#include "probes/binding/rules.hpp"

namespace hopwise::probes {

// Back below three quarters, so that one nexthop that comes and goes does not switch it each time.
void Binding::settle() {
  if (stage_) {
    if (bound_.size() * 4 < stage_from_ * 3) (void)to_rules();
  } else if (staging_ && !carries_traffic_ && !stage_failed_ && bound_.size() >= stage_from_) {
    stage_failed_ = to_stage().has_error();
  }
}

// The device's table and rule; before them the guard.
Result<> Binding::lay(Stage& stage, Family family) {
  if (auto done = set_guard(family); !done) return done;
  const NexthopKey device{stage.ifindex, {}};
  auto done = put_route(socket_, family, mark_base_, device,
                        "add probe route by the staging device in table " + hex(mark_base_) +
                            in_family(address_family(family)));
  if (!done || stage.families.contains(family)) return done;
  done = put_rule(socket_, family, Rule::stage(mark_base_, priority_));
  if (done) stage.families.insert(family);
  return done;
}

// Where it fails, the nexthops' own rules have never gone.
Result<> Binding::to_stage() {
  const auto ifindex = staging_.open();
  if (!ifindex) return ifindex.error();
  Stage stage{*ifindex, {}};
  Result<> done;
  for (const auto& [id, bound] : bound_)
    if (done) done = staging_.lead(id, bound.nexthop.key);
  for (const Family family : guarded_)
    if (done) done = lay(stage, family);
  stage_ = std::move(stage);
  if (!done) {
    strike();
    return done;
  }
  for (const auto& [id, bound] : bound_)
    for (const Family family : bound.families)
      if (!has_own(id, family)) drop_own(id, family);
  return {};
}

// A route whose interface is down cannot be made: then the guard refuses the nexthop's probes, as
// always, and they ask for the route again.
Result<> Binding::to_rules() {
  for (const auto& [id, bound] : bound_)
    for (const Family family : bound.families) {
      (void)set_route(bound.nexthop, family);
      if (auto done = set_rule(bound.nexthop, family); !done) return done;
    }
  strike();
  return {};
}

void Binding::strike() {
  for (const Family family : stage_->families) {
    drop_rule(socket_, family, Rule::stage(mark_base_, priority_));
    drop_route(socket_, family, mark_base_);
  }
  stage_.reset();
  for (const auto& [id, bound] : bound_) staging_.forget(id);
  staging_.close();
}

// Somebody may have deleted the device: then its routes went with it.
Result<> Binding::keep_stage() {
  const auto ifindex = staging_.open();
  if (!ifindex) return ifindex.error();
  if (stage_->ifindex == *ifindex) return {};
  stage_->ifindex = *ifindex;
  for (const Family family : std::set(stage_->families))
    if (auto done = lay(*stage_, family); !done) return done;
  return {};
}

Result<> Binding::restore_stage() {
  if (!stage_) {
    stage_failed_ = false;
    settle();
    return {};
  }
  if (keep_stage()) return {};
  stage_failed_ = true;
  return to_rules();
}

Result<> Binding::bind_staged(const Nexthop& nexthop, Family family) {
  if (!keep_stage()) {
    stage_failed_ = true;
    if (auto done = to_rules(); !done) return done;
    return bind_by_rule(nexthop, family);
  }
  if (auto done = staging_.lead(nexthop.id, nexthop.key); !done) return done;
  if (auto done = lay(*stage_, family); !done) return done;
  remember(nexthop, family);
  if (!has_own(nexthop.id, family)) return {};
  if (auto done = set_route(nexthop, family); !done) return done;
  return set_rule(nexthop, family);
}

}  // namespace hopwise::probes
