#include "core/metrics/page.hpp"

#include <prometheus/metric_family.h>

namespace hopwise::metrics {
namespace {

void add_daemon(Page& page, const Status& status) {
  page.add(Metric::build_info, 1.0, {{"version", status.version}});
  page.add(Metric::uptime_seconds, status.uptime_s);
  page.add(Metric::ready, status.ready ? 1.0 : 0.0);
  page.add(Metric::steering, status.steering ? 1.0 : 0.0);
  page.add(Metric::lease_remaining_seconds, status.lease_remaining_s);
  if (!status.actuator.empty())
    page.add(Metric::actuator_info, 1.0, {{"actuator", status.actuator}});
  for (const InterfaceStatus& interface : status.interfaces)
    page.add(
        Metric::interface_attached, 1.0,
        {{"interface", interface.name}, {"role", interface.role}, {"attach", interface.attach}});
  page.add(Metric::routes, status.routes_steered, {{"kind", "steered"}});
  page.add(Metric::routes, status.routes_kernel, {{"kind", "kernel"}});
  page.add(Metric::config_reloads_total, status.reloads, {{"result", "success"}});
  page.add(Metric::config_reloads_total, status.reload_failures, {{"result", "failure"}});
  for (const auto& [reason, packets] : status.packets_by_reason)
    page.add(Metric::packets_total, packets, {{"reason", reason}});
  for (const auto& [event, count] : status.dataplane_events)
    page.add(Metric::dataplane_events_total, count, {{"event", event}});
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

void add_probe(Page& page, const std::string& nexthop, const ProbeStatus& probe) {
  const std::vector<Label> labels{{"nexthop", nexthop}, {"target", probe.anchor.text()}};
  page.add(Metric::probe_suspicious, probe.state == ProbeState::suspicious ? 1.0 : 0.0, labels);
  page.add(Metric::probe_sent_total, probe.sent, labels);
  page.add(Metric::probe_received_total, probe.received, labels);
  page.add(Metric::probe_lost_total, probe.lost, labels);
  page.add(Metric::probe_late_total, probe.late, labels);
  page.add(Metric::probe_duplicate_total, probe.duplicate, labels);
  page.add(Metric::probe_unsent_total, probe.unsent, labels);
}

void add_nexthop(Page& page, const NexthopStatus& status, TimePoint now) {
  const Nexthop& nexthop = status.nexthop;
  const Estimate& estimate = status.estimate;
  const std::vector<Label> labels{{"nexthop", nexthop.name}};
  page.add(Metric::nexthop_info, 1.0,
           {{"nexthop", nexthop.name},
            {"gateway", nexthop.key.gateway.text()},
            {"interface", nexthop.interface}});
  page.add(Metric::nexthop_up, status.link_up && status.neighbour_resolved ? 1.0 : 0.0, labels);
  for (const auto state :
       {PathState::probation, PathState::up, PathState::degraded, PathState::down})
    page.add(Metric::nexthop_state, state == status.state ? 1.0 : 0.0,
             {{"nexthop", nexthop.name}, {"state", std::string(text(state))}});
  if (estimate.rtt) {
    page.add(Metric::nexthop_rtt_seconds, seconds(*estimate.rtt), labels);
    page.add(Metric::nexthop_jitter_seconds, seconds(estimate.jitter), labels);
  }
  if (estimate.base) page.add(Metric::nexthop_base_rtt_seconds, seconds(*estimate.base), labels);
  if (estimate.window > 0) page.add(Metric::nexthop_loss_ratio, estimate.loss, labels);
  page.add(Metric::nexthop_loss_upper_ratio, estimate.loss_upper, labels);
  if (estimate.newest)
    page.add(Metric::nexthop_sample_age_seconds, seconds(now - *estimate.newest), labels);
  for (const ProbeStatus& probe : status.probes) add_probe(page, nexthop.name, probe);
}

std::string name_of(NexthopId id, const Status& status) {
  for (const NexthopStatus& nexthop : status.nexthops)
    if (nexthop.nexthop.id == id) return nexthop.nexthop.name;
  return "nexthop-" + std::to_string(raw(id));
}

std::vector<Label> with(std::vector<Label> labels, const char* name, std::string value) {
  labels.push_back({name, std::move(value)});
  return labels;
}

void add_directions(Page& page, Metric packets, Metric bytes, const PathTraffic& traffic,
                    const std::vector<Label>& labels) {
  page.add(packets, traffic.forward_packets, with(labels, "direction", "forward"));
  page.add(packets, traffic.reverse_packets, with(labels, "direction", "reverse"));
  page.add(bytes, traffic.forward_bytes, with(labels, "direction", "forward"));
  page.add(bytes, traffic.reverse_bytes, with(labels, "direction", "reverse"));
}

// What the traffic itself tells of a path.
void add_passive(Page& page, const PathStatus& path, const std::vector<Label>& labels) {
  page.add(Metric::path_segments_total, path.traffic.segments, labels);
  page.add(Metric::path_retransmitted_segments_total, path.traffic.retransmitted, labels);
  page.add(Metric::path_ecn_acks_total, path.traffic.acks, labels);
  page.add(Metric::path_ece_acks_total, path.traffic.ece_acks, labels);
  page.add(Metric::path_escapes_total, path.traffic.escapes, labels);
  page.add(Metric::path_passive_rtt_seconds, path.passive_total, path.passive, labels);
  for (std::size_t method = 0; method < kPassiveMethods; ++method)
    page.add(Metric::path_passive_rtt_samples_total, path.passive_total.by_method[method],
             with(labels, "method", text(static_cast<PassiveMethod>(method))));
}

void add_control(Page& page, const GroupStatus& group, const std::vector<Label>& labels) {
  if (!group.control_traffic) return;
  const PathTraffic& traffic = *group.control_traffic;
  add_directions(page, Metric::control_packets_total, Metric::control_bytes_total, traffic, labels);
  page.add(Metric::control_segments_total, traffic.segments, labels);
  page.add(Metric::control_retransmitted_segments_total, traffic.retransmitted, labels);
  page.add(Metric::control_passive_rtt_seconds, group.control_total, group.control_passive, labels);
}

void add_path(Page& page, const std::string& group, const std::string& nexthop,
              const PathStatus& path) {
  const std::vector<Label> labels{{"group", group}, {"nexthop", nexthop}};
  page.add(Metric::path_weight_ratio, path.weight, labels);
  page.add(Metric::path_buckets, std::uint64_t{path.buckets}, labels);
  page.add(Metric::path_usable, path.usable ? 1.0 : 0.0, labels);
  page.add(Metric::path_cost, path.cost, labels);
  add_directions(page, Metric::path_packets_total, Metric::path_bytes_total, path.traffic, labels);
  add_passive(page, path, labels);
}

// Histograms are kept elsewhere.
prometheus::MetricType type_of(MetricKind kind) {
  switch (kind) {
    case MetricKind::counter:
      return prometheus::MetricType::Counter;
    case MetricKind::summary:
      return prometheus::MetricType::Summary;
    default:
      return prometheus::MetricType::Gauge;
  }
}

}  // namespace

Page::Page(std::size_t limit) : room_(limit), families_(std::size(kMetrics)) {}
Page::~Page() = default;

// Null, and counted, when there is no room for so many lines.
prometheus::ClientMetric* Page::series(Metric metric, std::size_t lines,
                                       std::vector<Label> labels) {
  if (room_ < lines) {
    ++dropped_;
    return nullptr;
  }
  room_ -= lines;
  auto& added = families_[static_cast<std::size_t>(metric)].metric.emplace_back();
  for (Label& label : labels) added.label.push_back({label.name, std::move(label.value)});
  return &added;
}

void Page::add(Metric metric, double value, std::vector<Label> labels) {
  auto* added = series(metric, 1, std::move(labels));
  // The family's type tells which of the two is written.
  if (added != nullptr) added->gauge.value = added->counter.value = value;
}

void Page::add(Metric metric, const PassiveTotal& total, const std::optional<PassiveRtt>& now,
               std::vector<Label> labels) {
  auto* added = series(metric, now ? 6 : 2, std::move(labels));
  if (added == nullptr) return;
  added->summary.sample_count = total.samples;
  added->summary.sample_sum = seconds(total.sum);
  if (!now) return;
  added->summary.quantile = {{0.1, seconds(now->p10)},
                             {0.5, seconds(now->p50)},
                             {0.9, seconds(now->p90)},
                             {0.99, seconds(now->p99)}};
}

std::vector<prometheus::MetricFamily> Page::take() {
  std::vector<prometheus::MetricFamily> filled;
  for (std::size_t i = 0; i < families_.size(); ++i) {
    if (families_[i].metric.empty()) continue;
    families_[i].name = kMetrics[i].name;
    families_[i].help = kMetrics[i].help;
    families_[i].type = type_of(kMetrics[i].kind);
    filled.push_back(std::move(families_[i]));
  }
  families_.assign(std::size(kMetrics), {});
  return filled;
}

void fill(Page& page, const Status& status, TimePoint now) {
  add_daemon(page, status);
  add_decisions(page, status);
  for (const NexthopStatus& nexthop : status.nexthops) add_nexthop(page, nexthop, now);
  for (const GroupStatus& group : status.groups) {
    const std::string id = std::to_string(raw(group.id));
    page.add(Metric::group_routes, group.routes, {{"group", id}});
    for (const PathStatus& path : group.paths)
      add_path(page, id, name_of(path.path.nexthop, status), path);
    add_control(page, group, {{"group", id}});
  }
}

}  // namespace hopwise::metrics
