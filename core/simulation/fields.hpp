// The fields of what a recording holds, each struct's in one place: writer and reader walk the same
// list, so they cannot disagree. Private to recording_*.cpp.
//
// What comes often is a list of values by position, without what is its default at the end; what
// may grow with versions is an object. describe() serves both: a list leaves out the names.
#pragma once

#include <concepts>
#include <type_traits>

#include "core/engine/engine.hpp"

namespace hopwise::simulation {

template <class T, class Struct>
concept Like = std::same_as<std::remove_const_t<T>, Struct>;

/// The last value of each enum: what is beyond is no value.
constexpr hopwise::Outcome last_of(hopwise::Outcome) {
  return hopwise::Outcome::late;
}
constexpr TimestampSource last_of(TimestampSource) {
  return TimestampSource::user;
}
constexpr PathState last_of(PathState) {
  return PathState::down;
}
constexpr Reason last_of(Reason) {
  return Reason::bfd_down;
}
constexpr BandwidthMethod last_of(BandwidthMethod) {
  return BandwidthMethod::train;
}
constexpr engine::Unmet last_of(engine::Unmet) {
  return engine::Unmet::routing;
}
constexpr engine::Mode last_of(engine::Mode) {
  return engine::Mode::dry_run;
}
constexpr NexthopId last_of(NexthopId) {
  return NexthopId{~0U};
}
constexpr GroupId last_of(GroupId) {
  return GroupId{~0U};
}
constexpr PathId last_of(PathId) {
  return PathId{~0U};
}

template <class A>
void describe(A& a, Like<engine::Policy> auto& p) {
  a("name", p.name), a("delay_weight", p.delay_weight), a("queue_weight", p.queue_weight);
  a("loss_weight", p.loss_weight), a("jitter_weight", p.jitter_weight);
  a("price_weight", p.price_weight), a("load_weight", p.load_weight);
  a("delay_floor", p.delay_floor), a("delay_limit", p.delay_limit);
  a("queue_limit", p.queue_limit), a("loss_limit", p.loss_limit);
  a("jitter_limit", p.jitter_limit), a("price_limit", p.price_limit);
}

template <class A>
void describe(A& a, Like<engine::Options> auto& o) {
  a("fast_tau", o.fast_tau), a("slow_tau", o.slow_tau), a("base_window", o.base_window);
  a("loss_window", o.loss_window), a("score_loss_window", o.score_loss_window);
  a("policy", o.policy), a("epoch", o.epoch), a("gain", o.gain), a("max_step", o.max_step);
  a("ramp_step", o.ramp_step), a("floor", o.floor), a("dead_band", o.dead_band);
  a("dead_band_delay", o.dead_band_delay), a("degraded_delay", o.degraded_delay);
  a("degraded_ratio", o.degraded_ratio), a("degraded_loss", o.degraded_loss);
  a("down_after", o.down_after), a("up_after", o.up_after), a("quorum", o.quorum);
  a("usual_loss", o.usual_loss), a("false_alarm_every", o.false_alarm_every);
  a("flap_penalty", o.flap_penalty), a("flap_suppress", o.flap_suppress);
  a("flap_reuse", o.flap_reuse), a("flap_half_life", o.flap_half_life);
}

template <class A>
void describe(A& a, Like<engine::Objectives> auto& o) {
  a("max_latency", o.max_latency), a("max_loss", o.max_loss);
  a("min_bandwidth_bit_s", o.min_bandwidth_bit_s), a("unmet", o.unmet);
}

template <class A>
void describe(A& a, Like<engine::Preference> auto& p) {
  a("nexthop", p.nexthop), a("worth", p.worth);
}

template <class A>
void describe(A& a, Like<engine::GroupTerms> auto& t) {
  a("policy", t.policy), a("objectives", t.objectives), a("preferences", t.preferences);
  a("mode", t.mode), a("revert", t.revert), a("withheld", t.withheld);
}

template <class A>
void describe(A& a, Like<engine::Capacity> auto& c) {
  a("bit_s", c.bit_s), a("exact", c.exact), a("method", c.method);
}

template <class A>
void describe(A& a, Like<engine::NexthopTerms> auto& t) {
  a("capacity", t.capacity), a("commit_bit_s", t.commit_bit_s), a("price", t.price);
  a("at_least", t.at_least);
}

template <class A>
void describe(A& a, Like<engine::NexthopMemory::Base> auto& b) {
  a("anchor", b.anchor), a("rtt_ms", b.rtt_ms), a("age", b.age);
}

template <class A>
void describe(A& a, Like<engine::NexthopMemory> auto& m) {
  a("bases", m.bases), a("learnt_bit_s", m.learnt_bit_s), a("learnt_age", m.learnt_age);
  a("penalty", m.penalty), a("penalty_age", m.penalty_age);
  a("commit_slots", m.commit_slots), a("commit_age", m.commit_age);
}

template <class A>
void describe(A& a, Like<engine::GroupMemory::Share> auto& s) {
  a("nexthop", s.nexthop), a("wanted", s.wanted);
}

template <class A>
void describe(A& a, Like<engine::GroupMemory> auto& m) {
  a("shares", m.shares), a("reverted", m.reverted), a("reverted_for", m.reverted_for);
  a("reverts", m.reverts), a("since_revert", m.since_revert);
}

template <class A>
void describe(A& a, Like<Sample> auto& s) {
  a("nexthop", s.nexthop), a("anchor", s.anchor), a("outcome", s.outcome), a("sent", s.sent);
  a("known", s.known), a("rtt", s.rtt), a("source", s.source), a("flow", s.flow);
  a("queued", s.queued), a("forward", s.forward), a("backward", s.backward);
  a("first_byte", s.first_byte);
}

template <class A>
void describe(A& a, Like<PassiveRtt> auto& r) {
  a("samples", r.samples), a("mean", r.mean), a("p10", r.p10), a("p50", r.p50), a("p90", r.p90);
  a("p99", r.p99), a("by_method", r.by_method);
}

template <class A>
void describe(A& a, Like<PathTraffic> auto& t) {
  a("forward_packets", t.forward_packets), a("forward_bytes", t.forward_bytes);
  a("reverse_packets", t.reverse_packets), a("reverse_bytes", t.reverse_bytes);
  a("segments", t.segments), a("retransmitted", t.retransmitted), a("acks", t.acks);
  a("ece_acks", t.ece_acks), a("escapes", t.escapes);
}

template <class A>
void describe(A& a, Like<PathReading> auto& r) {
  a("path", r.path), a("at", r.at), a("over", r.over), a("traffic", r.traffic), a("rtt", r.rtt);
}

template <class A>
void describe(A& a, Like<ControlReading> auto& r) {
  a("group", r.group), a("at", r.at), a("over", r.over), a("traffic", r.traffic), a("rtt", r.rtt);
}

template <class A>
void describe(A& a, Like<LoadReading> auto& r) {
  a("nexthop", r.nexthop), a("at", r.at), a("over", r.over), a("forward_bit_s", r.forward_bit_s);
}

template <class A>
void describe(A& a, Like<NexthopEvent> auto& e) {
  a("nexthop", e.nexthop), a("at", e.at), a("link_up", e.link_up);
  a("neighbour_resolved", e.neighbour_resolved), a("bfd_down", e.bfd_down);
}

template <class A>
void describe(A& a, Like<EscapeEvent> auto& e) {
  a("nexthop", e.nexthop), a("at", e.at);
}

template <class A>
void describe(A& a, Like<Path> auto& p) {
  a("path", p.id), a("nexthop", p.nexthop), a("kernel_weight", p.kernel_weight);
}

template <class A>
void describe(A& a, Like<CostTerms> auto& t) {
  a("delay", t.delay), a("queue", t.queue), a("loss", t.loss), a("jitter", t.jitter);
  a("price", t.price), a("load", t.load), a("preference", t.preference);
}

template <class A>
void describe(A& a, Like<Prediction> auto& p) {
  a("rtt_ms", p.rtt_ms), a("bit_s", p.bit_s), a("utilisation", p.utilisation);
}

template <class A>
void describe(A& a, Like<PathShare> auto& s) {
  a("path", s.path), a("nexthop", s.nexthop), a("before", s.before), a("after", s.after);
  a("usable", s.usable), a("state", s.state), a("cost", s.cost), a("terms", s.terms);
  a("predicted", s.predicted);
}

template <class A>
void describe(A& a, Like<Decision> auto& d) {
  a("group", d.group), a("at", d.at), a("reason", d.reason), a("cause", d.cause);
  a("evidence", d.evidence), a("id", d.id), a("paths", d.paths);
}

}  // namespace hopwise::simulation
