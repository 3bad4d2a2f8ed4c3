#include <algorithm>
#include <nlohmann/json.hpp>

#include "core/speaker/json_fields.hpp"
#include "core/speaker/route.hpp"

namespace hopwise::speaker {
namespace {

Error not_understood(const Prefix& prefix, const std::string& what) {
  return Error{"zebra's route to " + prefix.text() + ": " + what};
}

bool is_foreign(const std::string& protocol) {
  return protocol == "kernel" || protocol == "connected" || protocol == "local" ||
         protocol == "system";
}

// With "fib" it is in the kernel by zebra's belief; the recursive ones, by which those were found,
// and inactive ones have none.
Result<std::vector<Leg>> legs_of(const Json& entry, const Prefix& prefix) {
  std::vector<Leg> legs;
  const Json* nexthops = list_in(entry, "nexthops");
  if (nexthops == nullptr) return legs;
  for (const Json& nexthop : *nexthops) {
    if (!flag_in(nexthop, "fib") || flag_in(nexthop, "duplicate")) continue;
    const auto gateway = IpAddress::parse(text_in(nexthop, "ip"));
    Leg leg{gateway.value_or(IpAddress{}), text_in(nexthop, "interfaceName"), 1};
    if (!gateway && nexthop.is_object() && nexthop.contains("ip"))
      return not_understood(prefix, "\"" + text_in(nexthop, "ip") + "\" is no address");
    if (!gateway) continue;  // on the link itself, or a blackhole
    if (const auto weight = number_in(nexthop, "weight"); weight && *weight >= 1 && *weight <= 256)
      leg.weight = static_cast<std::uint32_t>(*weight);
    legs.push_back(std::move(leg));
  }
  return legs;
}

Result<BelievedRoute> belief_of(const Json& entry, const Prefix& prefix) {
  if (is_foreign(text_in(entry, "protocol"))) return BelievedRoute{Belief::foreign};
  if (flag_in(entry, "failed")) return BelievedRoute{Belief::refused};
  if (flag_in(entry, "queued") || !flag_in(entry, "installed"))
    return BelievedRoute{Belief::changing};
  auto legs = legs_of(entry, prefix);
  if (!legs) return legs.error();
  if (legs->empty()) return BelievedRoute{Belief::foreign};
  return BelievedRoute{Belief::installed, std::move(*legs)};
}

}  // namespace

Result<BelievedRoute> frr_route(std::string_view answer, const Prefix& prefix) {
  const Json json = parsed(answer);
  if (!json.is_object()) return not_understood(prefix, "the answer is no JSON object");
  if (json.empty()) return BelievedRoute{};
  const Json* entries = list_in(json, prefix.text().c_str());
  if (entries == nullptr) return not_understood(prefix, "the answer is about another prefix");
  for (const Json& entry : *entries)
    if (flag_in(entry, "selected")) return belief_of(entry, prefix);
  // Known, and none of them chosen: all are unreachable, or it is at work.
  return BelievedRoute{entries->empty() ? Belief::none : Belief::changing};
}

}  // namespace hopwise::speaker
