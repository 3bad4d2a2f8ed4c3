#include "core/api/probe_json.hpp"

#include <nlohmann/json.hpp>

namespace hopwise::api {
namespace {

using Json = nlohmann::ordered_json;

Json milliseconds_or_null(const std::optional<Duration>& duration) {
  return duration ? Json(milliseconds(*duration)) : Json(nullptr);
}

Json describe_voids(const ProbeStatus& probe) {
  Json voids = Json::object();
  for (std::size_t why = 0; why < kVoids; ++why)
    voids[std::string(text(static_cast<Void>(why)))] = probe.voids[why];
  return voids;
}

Json describe_flows(const ProbeStatus& probe) {
  Json flows = Json::array();
  for (const ProbeFlow& flow : probe.flows)
    flows.push_back(
        {{"sent", flow.sent}, {"lost", flow.lost}, {"rtt_ms", milliseconds_or_null(flow.rtt)}});
  return flows;
}

Json describe_losses(const std::optional<DirectionalLoss>& losses) {
  if (!losses) return nullptr;
  return {{"forward", losses->forward}, {"reverse", losses->backward}};
}

}  // namespace

Json describe(const ProbeStatus& probe) {
  return {{"anchor", probe.anchor.text()},
          {"kind", text(probe.anchor.kind)},
          {"state", text(probe.state)},
          {"suspicious", probe.state == ProbeState::suspicious},
          {"blamed", probe.blamed},
          {"rate_per_s", probe.rate},
          {"sent", probe.sent},
          {"received", probe.received},
          {"lost", probe.lost},
          {"late", probe.late},
          {"duplicate", probe.duplicate},
          {"unsent", probe.unsent},
          {"forged", probe.forged},
          {"refused", probe.refused},
          {"proved", probe.proved},
          {"voids", describe_voids(probe)},
          {"kernel_stamped", probe.kernel_stamped},
          {"rtt_ms", milliseconds_or_null(probe.rtt)},
          {"spread_ms", milliseconds_or_null(probe.spread())},
          {"flows", describe_flows(probe)},
          {"lost_by_direction", describe_losses(probe.directional)},
          {"forward_ms", milliseconds_or_null(probe.forward)},
          {"reverse_ms", milliseconds_or_null(probe.backward)},
          {"first_byte_ms", milliseconds_or_null(probe.first_byte)},
          {"last_error", probe.last_error ? Json(*probe.last_error) : Json(nullptr)}};
}

Json describe(const ProberTotals& totals) {
  return {{"wanted_per_s", totals.wanted_rate},
          {"rate_per_s", totals.rate},
          {"stalls", totals.stalls},
          {"overflows", totals.overflows},
          {"unknown_replies", totals.unknown_replies},
          {"staged", totals.staged},
          {"staged_packets", totals.staged_packets},
          {"budget_per_s", totals.budget}};
}

Json describe(const Bandwidth& bandwidth, TimePoint now) {
  return {{"method", text(bandwidth.method)},
          {"bound", bandwidth.exact() ? "exact" : "lower"},
          {"bit_s", bandwidth.bit_s},
          {"age_s", bandwidth.at ? Json(seconds(now - *bandwidth.at)) : Json(nullptr)}};
}

}  // namespace hopwise::api
