#include "test/lab/status_seen.hpp"

#include <algorithm>
#include <nlohmann/json.hpp>

namespace hopwise::lab {

namespace {

using Json = nlohmann::json;

template <class T>
std::optional<T> maybe(const Json& object, const char* key) {
  const auto found = object.find(key);
  return found == object.end() || found->is_null() ? std::nullopt : std::optional(found->get<T>());
}

std::optional<std::uint16_t> upstream_of(const std::string& nexthop,
                                         const std::vector<std::string>& upstreams) {
  for (std::size_t i = 0; i < upstreams.size(); ++i)
    for (const auto family : {Family::v4, Family::v6})
      if (nexthop == nexthop_name(upstreams[i], family)) return static_cast<std::uint16_t>(i);
  return std::nullopt;
}

DecisionSeen decision_of(const Json& json, const std::vector<std::string>& upstreams) {
  DecisionSeen decision;
  decision.at = json.at("at_s");
  decision.group = json.at("group");
  decision.reason = json.at("reason");
  decision.cause = maybe<std::string>(json, "cause").value_or("");
  decision.evidence = json.at("evidence");
  for (const auto& path : json.at("paths"))
    if (const auto upstream = upstream_of(path.at("nexthop"), upstreams))
      decision.shares.push_back({*upstream, path.at("before"), path.at("after")});
  std::ranges::sort(decision.shares, {}, &ShareChange::upstream);
  return decision;
}

StatusSeen status_of(const Json& json, const std::vector<std::string>& upstreams) {
  StatusSeen seen;
  seen.ready = json.at("ready");
  seen.not_ready_because = maybe<std::string>(json, "not_ready_because").value_or("");
  for (const auto& nexthop : json.at("nexthops"))
    seen.nexthops[nexthop.at("name")] = {nexthop.at("state"), maybe<double>(nexthop, "rtt_ms"),
                                         nexthop.at("loss_ratio"), std::nullopt};
  for (const auto& group : json.at("groups"))
    for (const auto& path : group.at("paths"))
      if (const auto found = seen.nexthops.find(path.at("nexthop")); found != seen.nexthops.end())
        found->second.weight = path.at("weight").get<double>();
  for (const auto& decision : json.at("recent_decisions"))
    seen.decisions.push_back(decision_of(decision, upstreams));
  return seen;
}

}  // namespace

std::string nexthop_name(const std::string& upstream, Family family) {
  return family == Family::v4 ? upstream : upstream + "-v6";
}

Result<StatusSeen> parse_status(std::string_view json, const std::vector<std::string>& upstreams) {
  try {
    return status_of(Json::parse(json), upstreams);
  } catch (const Json::exception& e) {
    return Error{std::string("read hopwise's status: ") + e.what()};
  }
}

std::size_t append_new(const StatusSeen& seen, double origin,
                       std::vector<DecisionSeen>& decisions) {
  constexpr double kSame = 1e-6;
  const auto before = decisions.size();
  for (auto decision : seen.decisions) {
    decision.at -= origin;
    const bool known = std::ranges::any_of(decisions, [&](const DecisionSeen& other) {
      return std::abs(other.at - decision.at) < kSame && other.group == decision.group &&
             other.reason == decision.reason;
    });
    if (!known) decisions.push_back(std::move(decision));
  }
  return decisions.size() - before;
}

}  // namespace hopwise::lab
