// A Status as series. Each family is added whole before the next, and the order is that of worth:
// should a router have so many nexthops that the page is full, what operators alarm on is there.
#include <optional>
#include <unordered_map>

#include "core/metrics/figures.hpp"
#include "core/metrics/law.hpp"
#include "core/metrics/page.hpp"
#include "core/metrics/probers.hpp"
#include "core/metrics/speaker.hpp"

namespace hopwise::metrics {
namespace {

// A nexthop or path with its labels, which are made once for all its families.
struct NexthopLine {
  const NexthopStatus& status;
  Labels labels;
};
struct PathLine {
  const PathStatus& status;
  Labels labels;
};

using N = NexthopLine;
using Q = PathLine;
using Known = std::optional<double>;

// --- the daemon ------------------------------------------------------------------------------

void add_daemon(Page& page, const Status& status) {
  page.add(Metric::build_info, 1.0, {{"version", status.version}});
  page.add(Metric::uptime_seconds, status.uptime_s);
  page.add(Metric::ready, one_if(status.ready));
  page.add(Metric::steering, one_if(status.steering));
  page.add(Metric::lease_remaining_seconds, status.lease_remaining_s);
  if (!status.actuator.empty())
    page.add(Metric::actuator_info, 1.0, {{"actuator", status.actuator}});
  page.add(Metric::routes, status.routes_steered, {{"kind", "steered"}});
  page.add(Metric::routes, status.routes_kernel, {{"kind", "kernel"}});
  page.add(Metric::config_reloads_total, status.reloads, {{"result", "success"}});
  page.add(Metric::config_reloads_total, status.reload_failures, {{"result", "failure"}});
  page.add(Metric::history_events_total, status.history.events);
  page.add(Metric::history_dropped_total, status.history.dropped);
  page.add(Metric::history_corrupt_total, status.history.corrupt);
  page.add(Metric::history_write_failures_total, status.history.write_failures);
  for (const auto& [reason, packets] : status.packets_by_reason)
    page.add(Metric::packets_total, packets, {{"reason", reason}});
  for (const auto& [event, count] : status.dataplane_events)
    page.add(Metric::dataplane_events_total, count, {{"event", event}});
  for (const InterfaceStatus& interface : status.interfaces)
    page.add(
        Metric::interface_attached, 1.0,
        {{"interface", interface.name}, {"role", interface.role}, {"attach", interface.attach}});
}

void add_bmp(Page& page, const std::vector<BmpRouterStatus>& routers) {
  for (const BmpRouterStatus& router : routers)
    page.add(Metric::bmp_router_up, one_if(router.connected), {{"router", router.address.text()}});
  for (const BmpRouterStatus& router : routers)
    page.add(Metric::bmp_router_paths, router.paths, {{"router", router.address.text()}});
  for (const BmpRouterStatus& router : routers)
    for (const auto& [error, count] : router.errors)
      page.add(Metric::bmp_errors_total, count,
               {{"router", router.address.text()}, {"error", error}});
}

void add_bgp(Page& page, const Status& status) {
  if (status.bgp) {
    for (const BgpPeerStatus& peer : status.bgp->peers)
      page.add(Metric::bgp_peer_up, one_if(peer.state == BgpState::established),
               {{"peer", peer.address.text()}});
    for (const BgpPeerStatus& peer : status.bgp->peers)
      page.add(Metric::bgp_peer_paths, peer.paths, {{"peer", peer.address.text()}});
    for (const BgpPeerStatus& peer : status.bgp->peers)
      page.add(Metric::bgp_sessions_total, peer.established, {{"peer", peer.address.text()}});
    for (const BgpPeerStatus& peer : status.bgp->peers)
      for (const auto& [error, count] : peer.errors)
        page.add(Metric::bgp_errors_total, count,
                 {{"peer", peer.address.text()}, {"error", error}});
    page.add(Metric::bgp_strangers_total, status.bgp->strangers);
  }
  if (status.bmp) add_bmp(page, status.bmp->routers);
  if (!status.candidates) return;
  for (const auto& [verdict, paths] : status.candidates->paths)
    page.add(Metric::candidate_paths, paths, {{"verdict", verdict}});
  page.add(Metric::candidate_prefixes, status.candidates->prefixes);
  page.add(Metric::candidate_withheld_groups, status.candidates->withheld);
  page.add(Metric::candidate_plain_routes_total, status.candidates->plain_routes);
}

void add_destinations(Page& page, const Status& status) {
  if (!status.destinations) return;
  const DestinationsStatus& destinations = *status.destinations;
  page.add(Metric::destinations_promoted, destinations.promoted);
  page.add(Metric::destination_promotions_total, destinations.promotions);
  page.add(Metric::destination_demotions_total, destinations.demotions, {{"because", "traffic"}});
  page.add(Metric::destination_demotions_total, destinations.ended, {{"because", "routing"}});
  page.add(Metric::destination_untracked_ratio, destinations.untracked_share);
}

// Every reason from the start: a series that begins with its first event has no rate.
void add_decisions(Page& page, const Status& status) {
  for (auto reason = Reason::initial; text(reason) != "unknown";
       reason = static_cast<Reason>(static_cast<int>(reason) + 1)) {
    const auto found = status.decisions_by_reason.find(reason);
    page.add(Metric::decisions_total, found == status.decisions_by_reason.end() ? 0 : found->second,
             {{"reason", std::string(text(reason))}});
  }
}

// --- nexthops --------------------------------------------------------------------------------

constexpr Figure<N> kHealth[] = {
    {Metric::nexthop_up,
     [](const N& n, TimePoint) {
       return Known(one_if(n.status.link_up && n.status.neighbour_resolved && !n.status.bfd_down));
     }},
    {Metric::nexthop_rtt_seconds,
     [](const N& n, TimePoint) { return seconds_of(n.status.estimate.rtt); }},
    {Metric::nexthop_loss_ratio,
     [](const N& n, TimePoint) {
       const Estimate& estimate = n.status.estimate;
       return estimate.window > 0 ? Known(estimate.loss) : Known();
     }},
    {Metric::nexthop_sample_age_seconds,
     [](const N& n, TimePoint now) {
       const auto& newest = n.status.estimate.newest;
       return newest ? Known(seconds(now - *newest)) : Known();
     }},
};

constexpr Figure<N> kEstimates[] = {
    {Metric::nexthop_base_rtt_seconds,
     [](const N& n, TimePoint) { return seconds_of(n.status.estimate.base); }},
    {Metric::nexthop_jitter_seconds,
     [](const N& n, TimePoint) {
       const Estimate& estimate = n.status.estimate;
       return estimate.rtt ? Known(seconds(estimate.jitter)) : Known();
     }},
    {Metric::nexthop_shift_seconds,
     [](const N& n, TimePoint) { return seconds_of(n.status.shift); }},
    {Metric::nexthop_loss_upper_ratio,
     [](const N& n, TimePoint) { return Known(n.status.estimate.loss_upper); }},
};

void add_info(Page& page, const std::vector<N>& nexthops) {
  for (const N& line : nexthops)
    page.add(Metric::nexthop_info, 1.0,
             {line.labels[0],
              {"gateway", line.status.nexthop.key.gateway.text()},
              {"interface", line.status.nexthop.interface}});
}

void add_states(Page& page, const std::vector<N>& nexthops) {
  for (const N& line : nexthops)
    for (const auto state :
         {PathState::probation, PathState::up, PathState::degraded, PathState::down})
      page.add(Metric::nexthop_state, one_if(state == line.status.state), line.labels,
               {"state", std::string(text(state))});
}

void add_bandwidth(Page& page, const std::vector<N>& nexthops) {
  for (const N& line : nexthops)
    for (const Bandwidth& bandwidth : line.status.bandwidth)
      page.add(Metric::nexthop_bandwidth_bytes_per_second, static_cast<double>(bandwidth.bit_s) / 8,
               {line.labels[0],
                {"method", std::string(text(bandwidth.method))},
                {"bound", bandwidth.exact() ? "exact" : "lower"}});
}

void add_trains(Page& page, const std::vector<N>& nexthops) {
  for (const N& line : nexthops)
    for (const auto& [result, count] : line.status.trains)
      page.add(Metric::nexthop_trains_total, count, {line.labels[0], {"result", result}});
}

void add_load(Page& page, const std::vector<N>& nexthops) {
  for (const N& line : nexthops) {
    const auto& load = line.status.load;
    if (!load) continue;
    page.add(Metric::nexthop_load_bytes_per_second, load->forward_bit_s / 8,
             {line.labels[0], {"direction", "forward"}});
    page.add(Metric::nexthop_load_bytes_per_second, load->reverse_bit_s / 8,
             {line.labels[0], {"direction", "reverse"}});
    if (load->utilisation)
      page.add(Metric::nexthop_utilisation_ratio, *load->utilisation, {line.labels[0]});
  }
}

// --- groups and paths ------------------------------------------------------------------------

constexpr Figure<Q> kShares[] = {
    {Metric::path_weight_ratio, [](const Q& q, TimePoint) { return Known(q.status.weight); }},
    {Metric::path_usable, [](const Q& q, TimePoint) { return Known(one_if(q.status.usable)); }},
};

// What the traffic itself tells of a path.
constexpr Figure<Q> kTraffic[] = {
    {Metric::path_buckets, [](const Q& q, TimePoint) { return Known(q.status.buckets); }},
    {Metric::path_cost, [](const Q& q, TimePoint) { return Known(q.status.cost); }},
    {Metric::path_escapes_total,
     [](const Q& q, TimePoint) { return count_of(q.status.traffic.escapes); }},
    {Metric::path_segments_total,
     [](const Q& q, TimePoint) { return count_of(q.status.traffic.segments); }},
    {Metric::path_retransmitted_segments_total,
     [](const Q& q, TimePoint) { return count_of(q.status.traffic.retransmitted); }},
    {Metric::path_ecn_acks_total,
     [](const Q& q, TimePoint) { return count_of(q.status.traffic.acks); }},
    {Metric::path_ece_acks_total,
     [](const Q& q, TimePoint) { return count_of(q.status.traffic.ece_acks); }},
};

void add_directions(Page& page, Metric packets, Metric bytes, const PathTraffic& traffic,
                    const Labels& labels) {
  page.add(packets, traffic.forward_packets, labels, {"direction", "forward"});
  page.add(packets, traffic.reverse_packets, labels, {"direction", "reverse"});
  page.add(bytes, traffic.forward_bytes, labels, {"direction", "forward"});
  page.add(bytes, traffic.reverse_bytes, labels, {"direction", "reverse"});
}

void add_passive(Page& page, const std::vector<Q>& paths) {
  for (const Q& line : paths)
    page.add(Metric::path_passive_rtt_seconds, line.status.passive_total, line.status.passive,
             line.labels);
  for (const Q& line : paths)
    for (std::size_t method = 0; method < kPassiveMethods; ++method)
      page.add(Metric::path_passive_rtt_samples_total, line.status.passive_total.by_method[method],
               line.labels, {"method", text(static_cast<PassiveMethod>(method))});
}

void add_group(Page& page, const GroupStatus& group) {
  const Labels labels{{"group", std::to_string(raw(group.id))}};
  page.add(Metric::group_routes, group.routes, labels);
  if (!group.control_traffic) return;
  const PathTraffic& traffic = *group.control_traffic;
  add_directions(page, Metric::control_packets_total, Metric::control_bytes_total, traffic, labels);
  page.add(Metric::control_segments_total, traffic.segments, labels);
  page.add(Metric::control_retransmitted_segments_total, traffic.retransmitted, labels);
  page.add(Metric::control_passive_rtt_seconds, group.control_total, group.control_passive, labels);
}

std::vector<N> nexthop_lines(const Status& status) {
  std::vector<N> lines;
  for (const NexthopStatus& nexthop : status.nexthops)
    lines.push_back({nexthop, {{"nexthop", nexthop.nexthop.name}}});
  return lines;
}

std::vector<Q> path_lines(const Status& status) {
  std::unordered_map<NexthopId, std::string> names;
  for (const NexthopStatus& nexthop : status.nexthops)
    names.emplace(nexthop.nexthop.id, nexthop.nexthop.name);
  std::vector<Q> lines;
  for (const GroupStatus& group : status.groups)
    for (const PathStatus& path : group.paths) {
      const NexthopId id = path.path.nexthop;
      const auto name = names.find(id);
      lines.push_back({path,
                       {{"group", std::to_string(raw(group.id))},
                        {"nexthop", name == names.end() ? "nexthop-" + std::to_string(raw(id))
                                                        : name->second}}});
    }
  return lines;
}

}  // namespace

void fill(Page& page, const Status& status, const RttHistograms& rtts, TimePoint now) {
  const auto nexthops = nexthop_lines(status);
  const auto paths = path_lines(status);
  const auto probers = probe_lines(status.nexthops, rtts);
  add_daemon(page, status);
  add_bgp(page, status);
  add_destinations(page, status);
  add_decisions(page, status);
  add_speaker(page, status);
  add_totals(page, status.probing);
  for (const GroupStatus& group : status.groups) add_group(page, group);
  add(page, nexthops, kHealth, now);
  add(page, paths, kShares, now);
  add_groups_law(page, status);
  add_outcomes(page, probers, now);
  add_states(page, nexthops);
  add_info(page, nexthops);
  for (const Q& path : paths)
    add_directions(page, Metric::path_packets_total, Metric::path_bytes_total, path.status.traffic,
                   path.labels);
  add(page, nexthops, kEstimates, now);
  add_bandwidth(page, nexthops);
  add_trains(page, nexthops);
  add_load(page, nexthops);
  add_carriers(page, status);
  add_proofs(page, probers, now);
  add_histograms(page, probers);
  add(page, paths, kTraffic, now);
  add_passive(page, paths);
  add_paths_law(page, status);
  add_details(page, probers);
}

}  // namespace hopwise::metrics
