// Every metric of hopwise, once: name (after "hopwise_"), kind, unit, help. A name ends with its
// unit, and a counter's with "_total" after it; help has no line breaks (prometheus-cpp does not
// escape them).
#pragma once

#include <cstddef>

#define HW_METRICS(X)                                                                              \
  X(build_info, gauge, "info", "Version of the daemon, in its label; always 1")                    \
  X(uptime_seconds, gauge, "seconds", "Time since the daemon started")                             \
  X(ready, gauge, "", "1 while traffic is being steered on fresh measurements, as /readyz says")   \
  X(steering, gauge, "", "1 when traffic is steered, 0 when hopwise only measures and decides")    \
  X(lease_remaining_seconds, gauge, "seconds",                                                     \
    "Time until the data path falls back to the kernel's routes, unless the lease is renewed")     \
  X(actuator_info, gauge, "info",                                                                  \
    "How packets are sent to their nexthops, in its label: redirect or mark; always 1")            \
  X(interface_attached, gauge, "", "1 for each interface with a program of ours on it")            \
  X(routes, gauge, "", "Routes known: steered, or left to the kernel")                             \
  X(bgp_peer_up, gauge, "", "1 while the BGP session with the peer is established")                \
  X(bgp_peer_paths, gauge, "", "Paths that the peer tells of now")                                 \
  X(bgp_sessions_total, counter, "", "Sessions with the peer that were established")               \
  X(bgp_errors_total, counter, "", "Faults of sessions with the peer, by what they were")          \
  X(bgp_strangers_total, counter, "", "Connections from addresses that are no peer's")             \
  X(bmp_router_up, gauge, "", "1 while the router's BMP connection is there")                      \
  X(bmp_router_paths, gauge, "", "Paths that the router's sessions tell of now")                   \
  X(bmp_errors_total, counter, "", "What a router told by BMP and was not taken, by why")          \
  X(candidate_paths, gauge, "",                                                                    \
    "Paths that BGP tells of to prefixes with a route, by whether they may carry, or why not")     \
  X(candidate_prefixes, gauge, "", "Prefixes with a path that may carry beside the kernel's")      \
  X(candidate_withheld_groups, gauge, "",                                                          \
    "Groups whose candidates may not carry now: the session that told of them was lost")           \
  X(candidate_plain_routes_total, counter, "",                                                     \
    "Times that a route did without its candidates because too few groups were left")              \
  X(destinations_promoted, gauge, "", "Destinations that have a group of their own")               \
  X(destination_promotions_total, counter, "", "Destinations that got a group of their own")       \
  X(destination_demotions_total, counter, "",                                                      \
    "Destinations that lost it: for want of traffic or room, or because routing changed")          \
  X(destination_untracked_ratio, gauge, "ratio",                                                   \
    "Share of the bytes of which it is not known to which destination they went")                  \
  X(config_reloads_total, counter, "", "Reloads of the configuration, by result")                  \
  X(decisions_total, counter, "", "Decisions of the engine, by reason")                            \
  X(packets_total, counter, "",                                                                    \
    "Packets seen on LAN ingress: steered, or left to the kernel for this reason")                 \
  X(dataplane_events_total, counter, "",                                                           \
    "Events of the data path beside the packet's own fate: flow entries, moves, escapes")          \
  X(nexthop_info, gauge, "info", "Gateway and interface of a nexthop, in its labels; always 1")    \
  X(nexthop_up, gauge, "", "1 while the link is up and the gateway's link-layer address is known") \
  X(nexthop_state, gauge, "", "1 for the state that the nexthop is in, 0 for the others")          \
  X(nexthop_rtt_seconds, gauge, "seconds", "Smoothed round-trip time")                             \
  X(nexthop_base_rtt_seconds, gauge, "seconds", "Lowest recent round-trip time: without queues")   \
  X(nexthop_jitter_seconds, gauge, "seconds", "Smoothed mean deviation of the round-trip time")    \
  X(nexthop_loss_ratio, gauge, "ratio", "Share of probes lost in the window")                      \
  X(nexthop_loss_upper_ratio, gauge, "ratio",                                                      \
    "Upper bound of the loss at 95 percent confidence; 1 while nothing is known")                  \
  X(nexthop_shift_seconds, gauge, "seconds", "How far the delay is lastingly above its usual")     \
  X(nexthop_sample_age_seconds, gauge, "seconds", "Age of the newest sample")                      \
  X(nexthop_bandwidth_bytes_per_second, gauge, "bytes_per_second",                                 \
    "Bandwidth towards the nexthop, by the method that tells it; a lower bound where bound says "  \
    "so")                                                                                          \
  X(nexthop_trains_total, counter, "",                                                             \
    "Packet trains sent through the nexthop, by what came of them")                                \
  X(nexthop_load_bytes_per_second, gauge, "bytes_per_second",                                      \
    "What the nexthop's interface carries now for all who use it, by direction")                   \
  X(nexthop_utilisation_ratio, gauge, "ratio",                                                     \
    "Share of the exactly known bandwidth that the interface's forward load takes")                \
  X(nexthop_capacity_bytes_per_second, gauge, "bytes_per_second",                                  \
    "What the law lets the nexthop carry, by where it knows it from")                              \
  X(nexthop_capacity_used_ratio, gauge, "ratio",                                                   \
    "Share of that capacity that all who use the nexthop take now")                                \
  X(nexthop_percentile_bytes_per_second, gauge, "bytes_per_second",                                \
    "95th percentile of the nexthop's load in this period so far, as it is billed")                \
  X(nexthop_commit_bytes_per_second, gauge, "bytes_per_second",                                    \
    "95th percentile that is paid for, as configured")                                             \
  X(nexthop_price, gauge, "", "Price of a byte beyond the commit, as configured")                  \
  X(probe_suspicious, gauge, "", "1 while the prober probes at the faster pace")                   \
  X(probe_state, gauge, "", "1 for the state that the prober is in, 0 for the others")             \
  X(probe_blamed, gauge, "", "1 while the anchor fails through every nexthop: it is not counted")  \
  X(probe_rate, gauge, "", "Probes a second that are meant now: what the budget left")             \
  X(probe_sent_total, counter, "", "Probes sent that may yield a sample")                          \
  X(probe_received_total, counter, "", "Replies in time")                                          \
  X(probe_lost_total, counter, "", "Probes lost, those included whose reply came late")            \
  X(probe_late_total, counter, "", "Replies that came after their probe was counted as lost")      \
  X(probe_duplicate_total, counter, "", "Replies beyond the first to one probe")                   \
  X(probe_unsent_total, counter, "", "Probes that this host could not send: no fault of the path") \
  X(probe_void_total, counter, "",                                                                 \
    "Probes from which nothing may be concluded of the path, by reason: this host's own doing")    \
  X(probe_forged_total, counter, "", "Replies that named the prober and were to no probe of its")  \
  X(probe_refused_total, counter, "", "ICMP errors about probes")                                  \
  X(probe_proved_total, counter, "", "Probes that are known to have left by the nexthop itself")   \
  X(probe_kernel_stamped_total, counter, "",                                                       \
    "Replies whose round-trip time the kernel measured, late ones included")                       \
  X(probe_sample_age_seconds, gauge, "seconds", "Age of the prober's newest sample")               \
  X(probe_rtt_seconds, histogram, "seconds", "Round-trip times of replies, late ones included")    \
  X(probe_first_byte_seconds, gauge, "seconds",                                                    \
    "HTTP: newest time from connected to the first byte of the answer")                            \
  X(probe_one_way_delay_seconds, gauge, "seconds",                                                 \
    "STAMP: newest delay by direction, as far as the clocks agree")                                \
  X(probe_direction_lost_total, counter, "",                                                       \
    "STAMP: probes lost by direction, by the reflector's own count")                               \
  X(probe_flow_spread_seconds, gauge, "seconds",                                                   \
    "How much slower the slowest pinned flow is than the fastest")                                 \
  X(probe_flow_sent_total, counter, "", "Probes sent by pinned flow")                              \
  X(probe_flow_lost_total, counter, "",                                                            \
    "Probes lost by pinned flow, those included whose reply came late")                            \
  X(probe_flow_rtt_seconds, gauge, "seconds", "Smoothed round-trip time by pinned flow")           \
  X(prober_stalls_total, counter, "",                                                              \
    "Times that this host did not run the prober when it should")                                  \
  X(prober_overflows_total, counter, "", "Times that the kernel had no room for replies")          \
  X(prober_unknown_replies_total, counter, "",                                                     \
    "Replies to no probe of any prober: forged, or very late")                                     \
  X(prober_rate, gauge, "",                                                                        \
    "Probes a second of all probers: wanted, actual, and the budget of those that are not HTTP")   \
  X(prober_staged, gauge, "",                                                                      \
    "1 while probes are bound by the staging device, 0 by a rule for each nexthop")                \
  X(stage_packets_total, counter, "",                                                              \
    "Packets that came to the staging device, by what became of them")                             \
  X(group_routes, gauge, "", "Routes that use the group")                                          \
  X(group_info, gauge, "info",                                                                     \
    "Policy, traffic class and destination of a group, in its labels; always 1")                   \
  X(group_dry_run, gauge, "", "1 while decisions for the group are not installed, as configured")  \
  X(group_reverted, gauge, "",                                                                     \
    "1 while the group has routing's own weights because steering made things worse")              \
  X(group_objective_unmet, gauge, "",                                                              \
    "1 while none of the group's usable paths meets its objectives")                               \
  X(group_demand_bytes_per_second, gauge, "bytes_per_second",                                      \
    "What the group's traffic is expected to ask for")                                             \
  X(group_loop_gain_ratio, gauge, "ratio",                                                         \
    "Gain of the control loop as a share of that up to which it is stable")                        \
  X(group_gain_seconds, gauge, "seconds",                                                          \
    "How much faster steered flows are than those that routing carries; bounds at 95 percent")     \
  X(path_weight_ratio, gauge, "ratio", "Share of the group's movable traffic that is wanted")      \
  X(path_buckets, gauge, "", "Buckets of the group that the path holds")                           \
  X(path_usable, gauge, "", "1 while flows may use the path")                                      \
  X(path_cost, gauge, "", "What the policy makes of the estimate; lower is better")                \
  X(path_cost_term, gauge, "", "The path's cost under the group's policy, term by term")           \
  X(path_predicted_rtt_seconds, gauge, "seconds",                                                  \
    "Round-trip time expected of the path once flows have followed the weights")                   \
  X(path_predicted_utilisation_ratio, gauge, "ratio",                                              \
    "Share of the nexthop's capacity expected to be used then")                                    \
  X(path_disagreement_seconds, gauge, "seconds",                                                   \
    "How far probes and the path's own traffic surely differ; 0 while they do not")                \
  X(path_packets_total, counter, "", "Packets that the path carried, by direction")                \
  X(path_bytes_total, counter, "bytes", "Bytes that the path carried, by direction")               \
  X(path_segments_total, counter, "", "TCP segments with data that the path carried forward")      \
  X(path_retransmitted_segments_total, counter, "",                                                \
    "TCP segments that the path carried again: retransmissions, not all of them losses")           \
  X(path_ecn_acks_total, counter, "",                                                              \
    "TCP acknowledgements that came back on connections with ECN")                                 \
  X(path_ece_acks_total, counter, "",                                                              \
    "TCP acknowledgements with ECE: congestion on the way forward")                                \
  X(path_escapes_total, counter, "",                                                               \
    "Flows that left the path by themselves: it answered nothing")                                 \
  X(path_passive_rtt_seconds, summary, "seconds",                                                  \
    "Round-trip time from here to the peers of the path's own flows; quantiles of the newest "     \
    "second")                                                                                      \
  X(path_passive_rtt_samples_total, counter, "", "Passive round-trip times taken, by method")      \
  X(control_packets_total, counter, "",                                                            \
    "Packets of the group's control flows, which the kernel routes, by direction")                 \
  X(control_bytes_total, counter, "bytes", "Bytes of the group's control flows, by direction")     \
  X(control_segments_total, counter, "", "TCP segments with data of the group's control flows")    \
  X(control_retransmitted_segments_total, counter, "",                                             \
    "TCP segments of the group's control flows that were sent again")                              \
  X(control_passive_rtt_seconds, summary, "seconds",                                               \
    "Round-trip time from here to the peers of the group's control flows, likewise")               \
  X(speaker_info, gauge, "info", "The routing daemon beside us, in its label; always 1")           \
  X(speaker_state, gauge, "",                                                                      \
    "1 for the state that a process of the routing daemon is in, 0 for the others")                \
  X(speaker_uptime_seconds, gauge, "seconds", "Time since that process started")                   \
  X(speaker_restarts_total, counter, "", "Times that another process was found in its place")      \
  X(rib_fib_divergent, gauge, "",                                                                  \
    "Sets of nexthops that the kernel does not have as the routing daemon believes, by kind")      \
  X(rib_fib_looks_total, counter, "", "Routes of the routing daemon compared with the kernel's")   \
  X(bfd_session_up, gauge, "", "1 while the routing daemon's BFD session is up")                   \
  X(nexthop_bfd_down, gauge, "", "1 while a failed BFD session takes the nexthop out")             \
  X(history_events_total, counter, "", "Events since the start")                                   \
  X(history_dropped_total, counter, "", "Events that the disk would not take: never written")      \
  X(history_corrupt_total, counter, "",                                                            \
    "Records of the history's file that were damaged when read")                                   \
  X(history_write_failures_total, counter, "",                                                     \
    "Times that the history's file could not be written")                                          \
  X(scrape_duration_seconds, gauge, "seconds", "Time that it took to gather this page")            \
  X(scrape_dropped_series, gauge, "", "Series left out of this page to keep it under its limit")   \
  X(scrape_failures_total, counter, "", "Pages that could not be gathered whole")

namespace hopwise::metrics {

enum class Metric : std::size_t {
#define HW_METRIC_ENUM(name, kind, unit, help) name,
  HW_METRICS(HW_METRIC_ENUM)
#undef HW_METRIC_ENUM
      count
};

enum class MetricKind : unsigned char { gauge, counter, histogram, summary };

struct MetricRow {
  const char* name;
  MetricKind kind;
  const char* unit;  // "" for a plain number
  const char* help;
};

inline constexpr MetricRow kMetrics[] = {
#define HW_METRIC_ROW(name, kind, unit, help) {"hopwise_" #name, MetricKind::kind, unit, help},
    HW_METRICS(HW_METRIC_ROW)
#undef HW_METRIC_ROW
};

constexpr const MetricRow& row(Metric metric) {
  return kMetrics[static_cast<std::size_t>(metric)];
}

}  // namespace hopwise::metrics
