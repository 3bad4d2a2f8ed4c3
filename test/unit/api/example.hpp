// A router with two upstreams, one of them just degraded: for whatever shows a Status.
#pragma once

#include "core/model/status.hpp"

namespace hopwise {

inline NexthopStatus example_nexthop(std::uint32_t id, const char* name, const char* gateway,
                                     const char* interface) {
  NexthopStatus status;
  status.nexthop = {NexthopId{id}, {id + 1, *IpAddress::parse(gateway)}, interface, name};
  status.link_up = status.neighbour_resolved = true;
  ProbeStatus probe;
  probe.nexthop = NexthopId{id};
  probe.anchor = *IpAddress::parse("203.0.113.1");
  probe.state = ProbeState::probing;
  probe.rate = 5;
  probe.sent = 500;
  probe.received = 490;
  probe.lost = 10;
  probe.late = 1;
  probe.proved = 498;
  probe.kernel_stamped = 490;
  status.probes = {probe};
  return status;
}

/// A zebra that died, a bgpd that lives on, a route that the kernel has otherwise, and BFD.
inline SpeakerStatus example_speaker() {
  using namespace std::chrono_literals;
  SpeakerStatus speaker;
  speaker.kind = SpeakerKind::frr;
  speaker.socket = "/var/run/frr";
  speaker.note = "zebra is dead";
  speaker.processes = {
      {"zebra", SpeakerHealth::dead, "connect to /var/run/frr/zebra.vty: Connection refused", 12s,
       std::nullopt, 1},
      {"bgpd", SpeakerHealth::alive, "", 100s, 3600s, 0}};
  speaker.looks = 40;
  speaker.divergences = {
      {*Prefix::parse("203.0.113.0/24"), DivergenceKind::missing, {"10.0.1.1@eth1"}, {}, 7s}};
  speaker.bfd = {{*IpAddress::parse("10.0.0.1"), "eth0", BfdState::up, false, ""},
                 {*IpAddress::parse("10.0.1.1"), "eth1", BfdState::down, true,
                  "control detection time expired"}};
  return speaker;
}

inline Decision example_decision() {
  Decision decision;
  decision.group = GroupId{1};
  decision.at = TimePoint(std::chrono::seconds(97));
  decision.reason = Reason::path_degraded;
  decision.cause = NexthopId{1};
  decision.evidence = "rtt_ms=120.5 base_ms=20.0";
  decision.paths = {{PathId{1}, NexthopId{1}, 0.5, 0.25, true, PathState::degraded, 1.5},
                    {PathId{2}, NexthopId{2}, 0.5, 0.75, true, PathState::up, 0.5}};
  return decision;
}

/// What probers of other kinds tell: a STAMP reflector by its clock and count, a web server.
inline void add_example_probes(NexthopStatus& nexthop) {
  using namespace std::chrono_literals;
  ProbeStatus& echo = nexthop.probes.front();
  echo.state = ProbeState::suspicious;
  echo.rate = 20;
  echo.voids = {3, 0, 0, 7, 0};
  echo.duplicate = 2;
  echo.rtt = 20ms;
  echo.flows = {{125, 2, 20ms}, {125, 8, 23500us}, {125, 0, std::nullopt}};
  ProbeStatus stamp = echo;
  stamp.anchor = Anchor::parse("stamp://203.0.113.2").value();
  stamp.directional = {9, 1};
  stamp.forward = 12ms;
  stamp.backward = 8ms;
  stamp.forged = 4;
  ProbeStatus web;
  web.nexthop = echo.nexthop;
  web.anchor = Anchor::parse("https://203.0.113.3").value();
  web.state = ProbeState::unbound;
  web.rate = 0.2;
  web.unsent = 6;
  web.refused = 1;
  web.first_byte = 45ms;
  web.last_error = "connect to 203.0.113.3: Connection refused";
  nexthop.probes.push_back(std::move(stamp));
  nexthop.probes.push_back(std::move(web));
}

/// Group 1 of the example, as the law sees it.
inline GroupLawView example_law() {
  GroupLawView law;
  law.group = GroupId{1};
  law.policy = "balanced";
  law.demand_bit_s = 120e6;
  law.gain = 0.05;
  law.gain_stable = 0.25;
  law.proof = Gain{25, 23.8, 1.2, 0.5, 1.9, 4000};
  PathLaw a;
  a.path = PathId{1};
  a.nexthop = NexthopId{1};
  a.weight = 0.25;
  a.wanted = 0.5;
  a.limit = 0.25;
  a.usable = true;
  a.terms = {0.9, 0.4, 0.1, 0, 0, 0.1, 0};
  a.predicted = {110.0, 90e6, 0.9};
  a.active_ms = 120.5;
  a.passive_ms = 101;
  a.disagreement_ms = 19.5;
  a.retransmitted = 0.025;
  a.own_bit_s = 30e6;
  PathLaw b;
  b.path = PathId{2};
  b.nexthop = NexthopId{2};
  b.weight = 0.75;
  b.wanted = 0.5;
  b.usable = true;
  b.terms.delay = 0.5;
  b.predicted.rtt_ms = 15.25;
  law.paths = {a, b};
  return law;
}

/// As seen at 100 s of the monotonic clock.
inline Status example_status() {
  using namespace std::chrono_literals;
  Status status;
  status.version = "0.1.0";
  status.uptime_s = 3725;
  status.ready = true;
  status.actuator = "mark";
  status.actuator_because = "redirect would skip \"nftables ip nat postrouting\"";
  status.lease_remaining_s = 4.8;
  status.interfaces = {{"eth0", "lan", "tcx"}, {"eth1", "wan", "tcx"}, {"eth2", "wan", "clsact"}};
  status.nexthops = {example_nexthop(1, "isp-a", "192.0.2.1", "eth1"),
                     example_nexthop(2, "isp-b", "198.51.100.1", "eth2")};
  auto& a = status.nexthops[0];
  a.state = PathState::degraded;
  add_example_probes(a);
  a.shift = 15ms;
  a.bandwidth = {{BandwidthMethod::link, 1'000'000'000, std::nullopt},
                 {BandwidthMethod::passive_peak, 80'000'000, TimePoint(90s)}};
  a.load = Load{12e6, 30e6, 0.012};
  a.trains = {{"lost", 1}, {"measured", 3}};
  status.probing = {2, 1, 5, 60, 45.2, true, 20'000, {{"sent", 900}, {"too_big", 3}}};
  a.estimate = {120500us, 20ms, 2ms, 0.02, 0.034, 100, TimePoint(99500ms)};

  GroupStatus group;
  group.id = GroupId{1};
  group.routes = 12;
  group.paths = {
      {{PathId{1}, NexthopId{1}, 1}, 0.25, 256, true, 1.5, {1000, 500'000, 900, 400'000}},
      {{PathId{2}, NexthopId{2}, 1}, 0.75, 768, true, 0.5, {3000, 1'500'000, 0, 0}}};
  group.affinity = "flowlet";
  PathTraffic& traffic = group.paths[0].traffic;
  traffic.segments = 800;
  traffic.retransmitted = 20;
  traffic.acks = 600;
  traffic.ece_acks = 6;
  traffic.escapes = 2;
  group.paths[0].passive = PassiveRtt{40, 31ms, 20ms, 30ms, 45ms, 60ms, {30, 10}};
  group.paths[0].passive_total = {5000, 160s, {4000, 1000, 0, 0, 0, 70}};
  group.control_traffic = PathTraffic{100, 50'000, 90, 40'000, 80, 4};
  group.control_passive = PassiveRtt{4, 25ms, 20ms, 25ms, 30ms, 30ms, {4}};
  group.control_total = {40, 1s, {40}};
  group.name = "internet";
  group.law = example_law();
  status.groups = {group};
  a.carrier = CarrierView{100e6, "learnt", 90e6, 0.9, 50e6, 42.5e6, 0.2};
  status.history = {"/var/lib/hopwise/events.jsonl", "", 17, 12, 0, 1, 0};
  status.routes_steered = 12;
  status.routes_kernel = 3;
  status.packets_by_reason = {{"steered", 123456}, {"no_route", 7}, {"lease_over", 0}};
  status.dataplane_events = {{"flow_new", 900}, {"escaped", 2}};
  status.decisions_by_reason = {{Reason::initial, 1}, {Reason::path_degraded, 2}};
  status.recent_decisions = {example_decision()};
  return status;
}

inline Explanation example_explanation() {
  Explanation explanation;
  explanation.summary = "Goes to isp-b: bucket 17 holds it.";
  explanation.placement.route = Prefix::parse("203.0.113.0/24");
  explanation.placement.group = GroupId{1};
  explanation.placement.bucket = 17;
  explanation.placement.bucket_nexthop = explanation.placement.nexthop = NexthopId{2};
  const Status status = example_status();
  explanation.nexthops = status.nexthops;
  explanation.paths = status.groups[0].paths;
  explanation.last_decision = status.recent_decisions[0];
  return explanation;
}

}  // namespace hopwise
