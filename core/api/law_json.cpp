#include "core/api/law_json.hpp"

#include <algorithm>
#include <nlohmann/json.hpp>

namespace hopwise::api {
namespace {

using Json = nlohmann::ordered_json;

template <class T>
Json or_null(const std::optional<T>& value) {
  return value ? Json(*value) : Json(nullptr);
}

Json name_of(const Status& status, NexthopId id) {
  for (const NexthopStatus& nexthop : status.nexthops)
    if (nexthop.nexthop.id == id) return nexthop.nexthop.name;
  return "nexthop-" + std::to_string(raw(id));  // gone since
}

Json describe(const PathLaw& path) {
  return {{"nexthop_id", raw(path.nexthop)},
          {"weight", path.weight},
          {"wanted", path.wanted},
          {"limit", path.limit},
          {"usable", path.usable},
          {"cost", path.terms.total()},
          {"terms", api::describe(path.terms)},
          {"predicted", api::describe(path.predicted)},
          {"active_ms", or_null(path.active_ms)},
          {"passive_ms", or_null(path.passive_ms)},
          {"passive_share", path.passive_share},
          {"disagreement_ms", or_null(path.disagreement_ms)},
          {"retransmitted_ratio", or_null(path.retransmitted)},
          {"ece_ratio", or_null(path.ece)},
          {"own_bit_s", or_null(path.own_bit_s)},
          {"meets_objectives", path.meets_objectives},
          {"candidate", path.candidate}};
}

// A path of /api/v1/groups: the law's figures with those of its nexthop.
Json describe(const PathLaw& path, const Status& status) {
  Json json{{"nexthop", name_of(status, path.nexthop)}};
  const auto figures = describe(path);
  json.update(figures);
  const auto nexthop = std::ranges::find(status.nexthops, path.nexthop,
                                         [](const NexthopStatus& n) { return n.nexthop.id; });
  const bool known = nexthop != status.nexthops.end();
  json["state"] = known ? Json(text(nexthop->state)) : Json(nullptr);
  json["carrier"] = known ? api::describe(nexthop->carrier) : Json(nullptr);
  return json;
}

Json describe(const GroupStatus& group, const Status& status) {
  Json json{{"id", raw(group.id)},
            {"name", or_null(group.name)},
            {"traffic_class", or_null(group.traffic_class)},
            {"destination", or_null(group.destination)},
            {"routes", group.routes},
            {"objectives", or_null(group.objectives)}};
  const auto law = api::describe(group.law);
  if (law.is_object()) json.update(law);
  json["paths"] = Json::array();
  if (group.law)
    for (const PathLaw& path : group.law->paths) json["paths"].push_back(describe(path, status));
  return json;
}

std::string dump(const Json& json) {
  return json.dump(2, ' ', false, Json::error_handler_t::replace) + '\n';
}

}  // namespace

Json describe(const CostTerms& terms) {
  return {{"delay", terms.delay},          {"queue", terms.queue}, {"loss", terms.loss},
          {"jitter", terms.jitter},        {"price", terms.price}, {"load", terms.load},
          {"preference", terms.preference}};
}

Json describe(const Prediction& prediction) {
  return {{"rtt_ms", or_null(prediction.rtt_ms)},
          {"bit_s", or_null(prediction.bit_s)},
          {"utilisation_ratio", or_null(prediction.utilisation)}};
}

Json describe(const std::optional<Gain>& gain) {
  if (!gain) return nullptr;
  return {{"control_ms", gain->control_ms}, {"steered_ms", gain->steered_ms},
          {"gain_ms", gain->gain_ms},       {"lower_ms", gain->lower_ms},
          {"upper_ms", gain->upper_ms},     {"samples", gain->samples}};
}

Json describe(const std::optional<GroupLawView>& law) {
  if (!law) return nullptr;
  return {{"policy", law->policy},
          {"mode", law->dry_run ? "dry_run" : "steer"},
          {"reverted", law->reverted},
          {"demand_bit_s", or_null(law->demand_bit_s)},
          {"loop_gain", law->gain},
          {"stable_gain", law->gain_stable},
          {"margin_ratio", law->margin()},
          {"held", law->held.empty() ? Json(nullptr) : Json(law->held)},
          {"proof", describe(law->proof)}};
}

Json describe(const std::optional<CarrierView>& carrier) {
  if (!carrier) return nullptr;
  return {{"capacity_bit_s", or_null(carrier->capacity_bit_s)},
          {"capacity_from",
           carrier->capacity_from.empty() ? Json(nullptr) : Json(carrier->capacity_from)},
          {"load_bit_s", or_null(carrier->load_bit_s)},
          {"utilisation_ratio", or_null(carrier->utilisation)},
          {"commit_bit_s", or_null(carrier->commit_bit_s)},
          {"percentile_bit_s", or_null(carrier->percentile_bit_s)},
          {"price", carrier->price}};
}

std::string groups_json(const Status& status) {
  Json all{{"groups", Json::array()}};
  for (const GroupStatus& group : status.groups) all["groups"].push_back(describe(group, status));
  return dump(all);
}

std::string group_json(const Status& status, const GroupStatus& group,
                       const std::vector<EventRecord>& events) {
  Json json = describe(group, status);
  Json& decisions = json["decisions"] = Json::array();
  for (const EventRecord& event : events) {
    if (event.kind != EventKind::decision) continue;
    Json decision = Json::parse(event.json);
    const auto effect =
        std::ranges::find_if(events, [&](const EventRecord& e) { return e.of == event.sequence; });
    decision["effect"] = effect == events.end() ? Json(nullptr) : Json::parse(effect->json);
    decisions.push_back(std::move(decision));
  }
  return dump(json);
}

}  // namespace hopwise::api
