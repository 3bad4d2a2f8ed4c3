// What the API says of hopwise, as JSON. Keys carry their units and are stable: README.md lists
// them. What is not known is null; ids are numbers; nexthops are named wherever they are spoken of.
#include <nlohmann/json.hpp>

#include "core/api/flow_json.hpp"
#include "core/api/law_json.hpp"
#include "core/api/probe_json.hpp"
#include "core/api/server.hpp"
#include "core/api/speaker_json.hpp"

namespace hopwise::api {
namespace {

using Json = nlohmann::ordered_json;

/// Names of nexthops by id.
class Names {
 public:
  explicit Names(const std::vector<NexthopStatus>& nexthops) : nexthops_(nexthops) {}

  [[nodiscard]] Json operator()(std::optional<NexthopId> id) const {
    if (!id) return nullptr;
    for (const NexthopStatus& status : nexthops_)
      if (status.nexthop.id == *id) return status.nexthop.name;
    return "nexthop-" + std::to_string(raw(*id));  // gone since
  }

 private:
  const std::vector<NexthopStatus>& nexthops_;
};

Json milliseconds_or_null(const std::optional<Duration>& duration) {
  return duration ? Json(milliseconds(*duration)) : Json(nullptr);
}

/// "02:00:5e:00:53:01".
Json ethernet_text(const std::optional<EthernetAddress>& address) {
  if (!address) return nullptr;
  constexpr const char* kDigits = "0123456789abcdef";
  std::string text;
  for (const std::uint8_t byte : *address) {
    text += text.empty() ? "" : ":";
    text += kDigits[byte >> 4];
    text += kDigits[byte & 15];
  }
  return text;
}

Json describe(const std::optional<Load>& load) {
  if (!load) return nullptr;
  return {{"forward_bit_s", load->forward_bit_s},
          {"reverse_bit_s", load->reverse_bit_s},
          {"utilisation_ratio", load->utilisation ? Json(*load->utilisation) : Json(nullptr)}};
}

Json describe(const NexthopStatus& status, TimePoint now) {
  const Nexthop& nexthop = status.nexthop;
  const Estimate& estimate = status.estimate;
  Json probes = Json::array();
  for (const ProbeStatus& probe : status.probes) probes.push_back(api::describe(probe));
  Json bandwidths = Json::array();
  for (const Bandwidth& figure : status.bandwidth) bandwidths.push_back(api::describe(figure, now));
  return {{"id", raw(nexthop.id)},
          {"name", nexthop.name},
          {"gateway", nexthop.key.gateway.text()},
          {"interface", nexthop.interface},
          {"ifindex", nexthop.key.ifindex},
          {"link_up", status.link_up},
          {"neighbour_resolved", status.neighbour_resolved},
          {"neighbour_address", ethernet_text(status.gateway_address)},
          {"bfd_down", status.bfd_down},
          {"state", text(status.state)},
          {"state_age_s",
           status.state_since ? Json(seconds(now - *status.state_since)) : Json(nullptr)},
          {"rtt_ms", milliseconds_or_null(estimate.rtt)},
          {"base_ms", milliseconds_or_null(estimate.base)},
          {"jitter_ms", milliseconds(estimate.jitter)},
          {"loss_ratio", estimate.loss},
          {"loss_upper_ratio", estimate.loss_upper},
          {"loss_window_probes", estimate.window},
          {"newest_age_s", estimate.newest ? Json(seconds(now - *estimate.newest)) : Json(nullptr)},
          {"shift_ms", milliseconds_or_null(status.shift)},
          {"bandwidth", std::move(bandwidths)},
          {"trains", status.trains},
          {"load", describe(status.load)},
          {"carrier", api::describe(status.carrier)},
          {"probes", std::move(probes)}};
}

Json describe(const std::optional<PassiveRtt>& rtt) {
  if (!rtt) return nullptr;
  Json by_method = Json::object();
  for (std::size_t method = 0; method < kPassiveMethods; ++method)
    by_method[text(static_cast<PassiveMethod>(method))] = rtt->by_method[method];
  return {{"samples", rtt->samples},          {"mean_ms", milliseconds(rtt->mean)},
          {"p10_ms", milliseconds(rtt->p10)}, {"p50_ms", milliseconds(rtt->p50)},
          {"p90_ms", milliseconds(rtt->p90)}, {"p99_ms", milliseconds(rtt->p99)},
          {"by_method", std::move(by_method)}};
}

/// Adds what was carried, and what it told.
void describe_traffic(Json& json, const PathTraffic& traffic,
                      const std::optional<PassiveRtt>& passive) {
  json["forward_packets"] = traffic.forward_packets;
  json["forward_bytes"] = traffic.forward_bytes;
  json["reverse_packets"] = traffic.reverse_packets;
  json["reverse_bytes"] = traffic.reverse_bytes;
  json["segments"] = traffic.segments;
  json["retransmitted"] = traffic.retransmitted;
  json["ecn_acks"] = traffic.acks;
  json["ece_acks"] = traffic.ece_acks;
  json["escapes"] = traffic.escapes;
  json["passive"] = describe(passive);
}

Json describe(const PathStatus& status, const Names& name) {
  Json json{{"id", raw(status.path.id)},
            {"nexthop", name(status.path.nexthop)},
            {"nexthop_id", raw(status.path.nexthop)},
            {"kernel_weight", status.path.kernel_weight},
            {"candidate", status.path.kernel_weight == 0},
            {"weight", status.weight},
            {"buckets", status.buckets},
            {"usable", status.usable},
            {"cost", status.cost}};
  describe_traffic(json, status.traffic, status.passive);
  return json;
}

Json describe(const std::vector<PathStatus>& paths, const Names& name) {
  Json list = Json::array();
  for (const PathStatus& path : paths) list.push_back(describe(path, name));
  return list;
}

Json describe(const GroupStatus& group, const Names& name) {
  Json control = nullptr;
  if (group.control_traffic)
    describe_traffic(control = Json::object(), *group.control_traffic, group.control_passive);
  const auto or_null = [](const auto& value) { return value ? Json(*value) : Json(nullptr); };
  return {{"id", raw(group.id)},
          {"name", or_null(group.name)},
          {"traffic_class", or_null(group.traffic_class)},
          {"destination", or_null(group.destination)},
          {"routes", group.routes},
          {"affinity", group.affinity},
          {"law", api::describe(group.law)},
          {"paths", describe(group.paths, name)},
          {"control", std::move(control)}};
}

Json describe(const Decision& decision, const Names& name, TimePoint now) {
  Json paths = Json::array();
  for (const PathShare& share : decision.paths)
    paths.push_back({{"id", raw(share.path)},
                     {"nexthop", name(share.nexthop)},
                     {"before", share.before},
                     {"after", share.after},
                     {"usable", share.usable},
                     {"candidate", share.candidate},
                     {"state", text(share.state)},
                     {"cost", share.cost}});
  return {{"group", raw(decision.group)},
          {"at_s", seconds(decision.at.time_since_epoch())},
          {"age_s", seconds(now - decision.at)},
          {"reason", text(decision.reason)},
          {"cause", name(decision.cause)},
          {"evidence", decision.evidence},
          {"paths", std::move(paths)}};
}

Json describe(const std::optional<DestinationsStatus>& destinations) {
  if (!destinations) return nullptr;
  return {
      {"promoted", destinations->promoted},   {"promotions", destinations->promotions},
      {"demotions", destinations->demotions}, {"ended", destinations->ended},
      {"flows", destinations->flows},         {"untracked_share", destinations->untracked_share}};
}

Json describe(const std::optional<CandidatesStatus>& candidates) {
  if (!candidates) return nullptr;
  return {{"prefixes", candidates->prefixes},
          {"paths", candidates->paths},
          {"plain_routes", candidates->plain_routes},
          {"withheld_groups", candidates->withheld},
          {"lost_sessions", candidates->lost_sessions}};
}

Json text_or_null(const std::string& text) {
  return text.empty() ? Json(nullptr) : Json(text);
}

Json describe(const BgpPeerStatus& peer, TimePoint now) {
  return {{"address", peer.address.text()},
          {"state", text(peer.state)},
          {"since_s", seconds(now - peer.since)},
          {"add_path_ipv4", peer.capabilities.add_path_ipv4},
          {"add_path_ipv6", peer.capabilities.add_path_ipv6},
          {"extended_nexthop", peer.capabilities.extended_nexthop},
          {"hold_time_s", seconds(peer.hold_time)},
          {"prefixes", peer.prefixes},
          {"paths", peer.paths},
          {"established", peer.established},
          {"updates", peer.updates},
          {"errors", peer.errors},
          {"last_sent", text_or_null(peer.last_sent)},
          {"last_received", text_or_null(peer.last_received)},
          {"last_error", text_or_null(peer.last_error)}};
}

Json describe(const std::optional<BgpStatus>& bgp, TimePoint now) {
  if (!bgp) return nullptr;
  Json peers = Json::array();
  for (const BgpPeerStatus& peer : bgp->peers) peers.push_back(describe(peer, now));
  return {{"listen", bgp->listen},
          {"prefixes", bgp->prefixes},
          {"attributes", bgp->attributes},
          {"strangers", bgp->strangers},
          {"peers", std::move(peers)}};
}

Json describe(const std::optional<BmpStatus>& bmp, TimePoint now) {
  if (!bmp) return nullptr;
  Json routers = Json::array();
  for (const BmpRouterStatus& router : bmp->routers)
    routers.push_back({{"address", router.address.text()},
                       {"connected", router.connected},
                       {"since_s", seconds(now - router.since)},
                       {"name", text_or_null(router.name)},
                       {"peers", router.peers},
                       {"prefixes", router.prefixes},
                       {"paths", router.paths},
                       {"messages", router.messages},
                       {"errors", router.errors},
                       {"last_error", text_or_null(router.last_error)}});
  return {{"listen", bmp->listen}, {"strangers", bmp->strangers}, {"routers", std::move(routers)}};
}

Json describe(const HistoryStatus& history) {
  return {{"file", text_or_null(history.file)},
          {"trouble", text_or_null(history.trouble)},
          {"last", history.last},
          {"events", history.events},
          {"dropped", history.dropped},
          {"corrupt", history.corrupt},
          {"write_failures", history.write_failures}};
}

std::string dump(const Json& json) {
  return json.dump(2, ' ', false, Json::error_handler_t::replace) + '\n';
}

}  // namespace

std::string to_json(const Status& status, TimePoint now) {
  const Names name(status.nexthops);
  Json json{{"version", status.version},
            {"now_s", seconds(now.time_since_epoch())},
            {"uptime_s", status.uptime_s},
            {"ready", status.ready},
            {"not_ready_because", status.ready ? Json(nullptr) : Json(status.not_ready_because)},
            {"steering", status.steering},
            {"actuator", status.actuator},
            {"actuator_because", status.actuator_because},
            {"lease_remaining_s", status.lease_remaining_s},
            {"routes_steered", status.routes_steered},
            {"routes_kernel", status.routes_kernel},
            {"reloads", status.reloads},
            {"reload_failures", status.reload_failures},
            {"destinations", describe(status.destinations)},
            {"bgp", describe(status.bgp, now)},
            {"bmp", describe(status.bmp, now)},
            {"candidates", describe(status.candidates)},
            {"history", describe(status.history)},
            {"speaker", describe(status.speaker)},
            {"interfaces", Json::array()},
            {"nexthops", Json::array()},
            {"probing", describe(status.probing)},
            {"groups", Json::array()},
            {"packets_by_reason", Json::object()},
            {"dataplane_events", Json::object()},
            {"decisions_by_reason", Json::object()},
            {"recent_decisions", Json::array()}};
  for (const InterfaceStatus& interface : status.interfaces)
    json["interfaces"].push_back(
        {{"name", interface.name}, {"role", interface.role}, {"attach", interface.attach}});
  for (const NexthopStatus& nexthop : status.nexthops)
    json["nexthops"].push_back(describe(nexthop, now));
  for (const GroupStatus& group : status.groups) json["groups"].push_back(describe(group, name));
  for (const auto& [reason, packets] : status.packets_by_reason)
    json["packets_by_reason"][reason] = packets;
  for (const auto& [event, count] : status.dataplane_events)
    json["dataplane_events"][event] = count;
  for (const auto& [reason, decisions] : status.decisions_by_reason)
    json["decisions_by_reason"][std::string(text(reason))] = decisions;
  for (const Decision& decision : status.recent_decisions)
    json["recent_decisions"].push_back(describe(decision, name, now));
  return dump(json);
}

std::string to_json(const Explanation& explanation, TimePoint now) {
  const Names name(explanation.nexthops);
  const FlowPlacement& placement = explanation.placement;
  const bool steerable = placement.group.has_value();
  Json json{{"summary", explanation.summary},
            {"route", placement.route ? Json(placement.route->text()) : Json(nullptr)},
            {"group", steerable ? Json(raw(*placement.group)) : Json(nullptr)},
            {"class", text_or_null(explanation.traffic_class)},
            {"class_rule", placement.class_rule == 0 ? Json(nullptr) : Json(placement.class_rule)},
            {"dry_run", placement.dry_run},
            {"bucket", steerable ? Json(placement.bucket) : Json(nullptr)},
            {"bucket_nexthop", name(placement.bucket_nexthop)},
            {"flow_nexthop", name(placement.flow_nexthop)},
            {"nexthop", name(placement.nexthop)},
            {"flow_packets", placement.flow_packets},
            {"flow_bytes", placement.flow_bytes},
            {"flow", nullptr},
            {"nexthops", Json::array()},
            {"paths", describe(explanation.paths, name)},
            {"last_decision", nullptr}};
  for (const NexthopStatus& nexthop : explanation.nexthops)
    json["nexthops"].push_back(describe(nexthop, now));
  if (placement.record) {
    const Json nexthop = name(placement.record->nexthop);
    json["flow"] =
        describe(*placement.record,
                 nexthop.is_null() ? std::nullopt : std::optional(nexthop.get<std::string>()));
  }
  if (explanation.last_decision)
    json["last_decision"] = describe(*explanation.last_decision, name, now);
  return dump(json);
}

}  // namespace hopwise::api
