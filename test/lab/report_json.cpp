// The report as JSON. Times are seconds since the traffic began, shares are 0..1.
#include <cmath>
#include <nlohmann/json.hpp>

#include "test/lab/report.hpp"

namespace hopwise::lab {

namespace {

using Json = nlohmann::ordered_json;

/// Figures are kept to 0.1 ms: more digits would only be noise.
double rounded(double value) {
  return std::round(value * 1e4) / 1e4;
}

Json optional(const std::optional<double>& value) {
  return value ? Json(rounded(*value)) : Json(nullptr);
}

Json json(const Latency& latency) {
  return {{"flows", latency.flows},
          {"lost", latency.lost},
          {"p50_s", rounded(latency.p50)},
          {"p99_s", rounded(latency.p99)},
          {"worst_s", rounded(latency.worst)}};
}

Json json(const Return& back) {
  return {{"share_before", rounded(back.share_before)},
          {"after_s", optional(back.after_s)},
          {"share_at_end", rounded(back.share_at_end)},
          {"reversals", back.reversals}};
}

Json json(const RunRecord& run, const EventReport& event) {
  Json out{{"at_s", rounded(event.event.at)},
           {"until_s", rounded(event.until)},
           {"upstream", run.upstreams[event.event.upstream]},
           {"what", event.event.what},
           {"share_before", rounded(event.share_before)}};
  if (event.event.worsens) out["moved_s"] = optional(event.moved_s);
  out["packets_lost"] = event.packets_lost;
  out["packets_lost_elsewhere"] = event.packets_lost_elsewhere;
  if (event.event.worsens) {
    out["flows_lost"] = event.flows_lost;
    out["flows_lost_elsewhere"] = event.flows_lost_elsewhere;
  }
  out["flows_caught"] = event.flows_caught;
  out["caught_worst_s"] = rounded(event.caught_worst_s);
  out["latency"] = {
      {"before", json(event.before)}, {"during", json(event.during)}, {"after", json(event.after)}};
  if (event.back) out["return"] = json(*event.back);
  return out;
}

Json json(const RunRecord& run, const DecisionSeen& decision) {
  Json shares = Json::object();
  for (const auto& share : decision.shares)
    shares[run.upstreams[share.upstream]] = {{"before", rounded(share.before)},
                                             {"after", rounded(share.after)}};
  return {{"at_s", rounded(decision.at)},  {"group", decision.group},
          {"reason", decision.reason},     {"cause", decision.cause},
          {"evidence", decision.evidence}, {"shares", std::move(shares)}};
}

Json json(const BinShares& bin) {
  Json all = Json::array();
  Json short_flows = Json::array();
  for (const double share : bin.all) all.push_back(rounded(share));
  for (const double share : bin.short_flows) short_flows.push_back(rounded(share));
  return {{"at_s", rounded(bin.at)}, {"all", std::move(all)}, {"short", std::move(short_flows)}};
}

Json json(const LongFlow& flow) {
  return {{"failure", flow.failure.empty() ? Json(nullptr) : Json(flow.failure)},
          {"bytes_acked", flow.progress.empty() ? 0 : flow.progress.back().acked},
          {"longest_stall_s", rounded(flow.longest_stall)},
          {"stalled_at_s", rounded(flow.stalled_at)}};
}

}  // namespace

std::string to_json(const RunRecord& run, const Report& report) {
  Json out{{"scenario", run.scenario},
           {"upstreams", run.upstreams},
           {"steered", run.steered},
           {"duration_s", rounded(run.duration)},
           {"short_flows", report.short_flows},
           {"short_flows_lost", report.short_flows_lost},
           {"long_flows_lost", report.long_flows_lost},
           {"latency", json(report.latency)},
           {"settled",
            {{"latency", json(report.settled.latency)},
             {"packets_dropped", report.settled.packets_dropped},
             {"reversals", report.settled.reversals},
             {"decisions", report.settled.decisions}}}};
  if (run.steered) out["passed"] = report.passed();
  for (const char* list : {"checks", "events", "decisions", "long_flows", "shares"})
    out[list] = Json::array();
  for (const auto& check : report.checks)
    out["checks"].push_back(
        {{"name", check.name}, {"passed", check.passed}, {"detail", check.detail}});
  for (const auto& event : report.events) out["events"].push_back(json(run, event));
  for (const auto& decision : run.decisions) out["decisions"].push_back(json(run, decision));
  for (const auto& flow : run.traffic.long_flows) out["long_flows"].push_back(json(flow));
  for (const auto& bin : report.bins) out["shares"].push_back(json(bin));
  return out.dump(1) + "\n";
}

}  // namespace hopwise::lab
