#include "core/cli/probe_list.hpp"

#include <array>
#include <nlohmann/json.hpp>
#include <vector>

#include "core/cli/table.hpp"
#include "core/model/format.hpp"

namespace hopwise::cli {
namespace {

using Align = Table::Align;

constexpr std::size_t kTroublesShown = 4;

std::uint64_t number(const Json& object, const char* key) {
  return object.at(key).get<std::uint64_t>();
}

std::string joined(const std::vector<std::string>& parts) {
  std::string all;
  for (const std::string& part : parts) all.append(all.empty() ? "" : ", ").append(part);
  return all;
}

std::string share(std::uint64_t part, std::uint64_t whole) {
  return whole == 0 ? "-" : percent(static_cast<double>(part) / static_cast<double>(whole));
}

std::string rate_text(double rate) {
  return format(rate > 0 && rate < 1 ? "%.2f/s" : "%.1f/s", rate);
}

std::uint64_t voids_of(const Json& probe) {
  std::uint64_t all = 0;
  for (const auto& [reason, count] : probe.at("voids").items()) all += count.get<std::uint64_t>();
  return all;
}

/// "10 (not_left 3, neighbour 7)".
std::string voids_text(const Json& probe) {
  std::vector<std::string> reasons;
  for (const auto& [reason, voids] : probe.at("voids").items())
    if (voids.get<std::uint64_t>() > 0) reasons.push_back(reason + ' ' + count(voids));
  const std::string all = std::to_string(voids_of(probe));
  return reasons.empty() ? all : all + " (" + joined(reasons) + ')';
}

std::string stamps_text(const Json& probe) {
  const std::uint64_t replies = number(probe, "received") + number(probe, "late");
  return replies == 0 ? "-" : "kernel " + share(number(probe, "kernel_stamped"), replies);
}

/// What only some probers have: "first byte 45.00 ms, 6 unsent, connect to ...".
std::string note(const Json& probe) {
  std::vector<std::string> parts;
  if (probe.at("blamed").get<bool>()) parts.emplace_back("anchor to blame: not counted");
  for (const auto& [key, name] :
       {std::pair("forward_ms", "there"), {"reverse_ms", "back"}, {"first_byte_ms", "first byte"}})
    if (!probe.at(key).is_null())
      parts.push_back(std::string(name) + ' ' + milliseconds_text(probe.at(key)));
  if (const Json& lost = probe.at("lost_by_direction"); !lost.is_null())
    parts.push_back("lost " + count(lost.at("forward")) + " there, " + count(lost.at("reverse")) +
                    " back");
  for (const auto& [key, name] : {std::pair("unsent", "unsent"),
                                  {"duplicate", "twice"},
                                  {"refused", "refused"},
                                  {"forged", "forged"}})
    if (number(probe, key) > 0) parts.push_back(count(probe.at(key)) + ' ' + name);
  if (!probe.at("last_error").is_null()) parts.push_back(text(probe.at("last_error")));
  return joined(parts);
}

std::vector<std::string> cells(const Json& probe) {
  const std::uint64_t sent = number(probe, "sent");
  return {text(probe.at("nexthop")),
          text(probe.at("anchor")),
          text(probe.at("kind")),
          text(probe.at("state")),
          rate_text(probe.at("rate_per_s").get<double>()),
          std::to_string(sent),
          share(number(probe, "received") + number(probe, "late"), sent),
          count(probe.at("lost")),
          count(probe.at("late")),
          voids_text(probe),
          share(number(probe, "proved"), sent),
          stamps_text(probe),
          milliseconds_text(probe.at("rtt_ms")),
          milliseconds_text(probe.at("spread_ms")),
          note(probe)};
}

std::string table(const Json& probes, FlowLines flows) {
  Table table({{"NEXTHOP"},
               {"ANCHOR"},
               {"KIND"},
               {"STATE"},
               {"RATE", Align::right},
               {"SENT", Align::right},
               {"ANSWERED", Align::right},
               {"LOST", Align::right},
               {"LATE", Align::right},
               {"VOID"},
               {"PROVED", Align::right},
               {"STAMPS"},
               {"RTT", Align::right},
               {"SPREAD", Align::right},
               {"NOTE"}});
  for (const Json& probe : probes) {
    table.add(cells(probe));
    if (flows == FlowLines::hidden) continue;
    std::size_t n = 0;
    for (const Json& flow : probe.at("flows"))
      table.add({"", "  flow " + std::to_string(n++), "", "", "", count(flow.at("sent")), "",
                 count(flow.at("lost")), "", "", "", "", milliseconds_text(flow.at("rtt_ms")), "",
                 ""});
  }
  return table.empty() ? "" : table.text();
}

struct Sums {
  std::uint64_t probers = 0, sent = 0, answered = 0, lost = 0, voids = 0, unbound = 0;
  double rate = 0;

  void add(const Json& probe) {
    ++probers;
    rate += probe.at("rate_per_s").get<double>();
    sent += number(probe, "sent");
    answered += number(probe, "received") + number(probe, "late");
    lost += number(probe, "lost");
    voids += voids_of(probe);
    unbound += text(probe.at("state")) == "unbound" ? 1 : 0;
  }
};

/// "3 probers, 40.2/s, 1000 sent, 98.2 % answered, ..."; what all probers share comes last.
std::string totals(const Sums& sums, const Json& probing) {
  std::vector<std::string> parts{
      std::to_string(sums.probers) + (sums.probers == 1 ? " prober" : " probers"),
      rate_text(sums.rate)};
  parts.push_back(std::to_string(sums.sent) + " sent");
  parts.push_back(share(sums.answered, sums.sent) + " answered");
  parts.push_back(std::to_string(sums.lost) + " lost");
  parts.push_back(std::to_string(sums.voids) + " void");
  if (sums.unbound > 0) parts.push_back(std::to_string(sums.unbound) + " unbound");
  const auto rate = probing.at("rate_per_s").get<double>();
  const auto wanted = probing.at("wanted_per_s").get<double>();
  if (rate < wanted * 0.999)
    parts.push_back("the budget leaves " + rate_text(rate) + " of " + rate_text(wanted));
  if (probing.at("staged").get<bool>()) parts.emplace_back("staged");
  for (const auto& [key, name] : {std::pair("stalls", "stalls of this host"),
                                  {"overflows", "overflows"},
                                  {"unknown_replies", "unknown replies"}})
    if (number(probing, key) > 0) parts.push_back(count(probing.at(key)) + ' ' + name);
  return joined(parts);
}

bool is_meant(const Json& nexthop, const std::string& typed) {
  return typed.empty() || text(nexthop.at("name")) == typed || text(nexthop.at("gateway")) == typed;
}

Json probers_of(const Json& nexthops, const std::string& typed) {
  Json probes = Json::array();
  for (const Json& nexthop : nexthops) {
    if (!is_meant(nexthop, typed)) continue;
    for (const Json& probe : nexthop.at("probes")) {
      Json named{{"nexthop", nexthop.at("name")}};
      named.update(probe);
      probes.push_back(std::move(named));
    }
  }
  return probes;
}

Error unknown_nexthop(const Json& nexthops, const std::string& typed) {
  std::vector<std::string> names;
  for (const Json& nexthop : nexthops) names.push_back(text(nexthop.at("name")));
  return Error{'"' + typed + "\" is no nexthop (" +
               (names.empty() ? "there is none yet: no multipath route"
                              : "a name or a gateway: " + joined(names)) +
               ')'};
}

Error misread(const Json::exception& error) {
  return Error{std::string("read the daemon's answer: ") + error.what() +
               " (is it of another version? `hopwise status -j` shows the answer as it is)"};
}

}  // namespace

Result<std::string> list_probes(const std::string& status, const std::string& nexthop) {
  try {
    const Json whole = Json::parse(status);
    const Json& nexthops = whole.at("nexthops");
    const bool known = std::any_of(nexthops.begin(), nexthops.end(),
                                   [&](const Json& one) { return is_meant(one, nexthop); });
    if (!known && !nexthop.empty()) return unknown_nexthop(nexthops, nexthop);
    const Json list{{"probing", whole.at("probing")}, {"probes", probers_of(nexthops, nexthop)}};
    return {boost::system::in_place_value,
            list.dump(2, ' ', false, Json::error_handler_t::replace)};
  } catch (const Json::exception& error) {
    return misread(error);
  }
}

Result<std::string> render_probes(const std::string& list, FlowLines flows) {
  try {
    const Json whole = Json::parse(list);
    Sums sums;
    for (const Json& probe : whole.at("probes")) sums.add(probe);
    const std::string lines = table(whole.at("probes"), flows);
    return {boost::system::in_place_value,
            lines + (lines.empty() ? "" : "\n") + totals(sums, whole.at("probing")) + '\n'};
  } catch (const Json::exception& error) {
    return misread(error);
  }
}

std::string probes_summary(const Json& nexthops, const Json& probing) {
  Sums sums;
  std::string troubles;
  std::size_t troubled = 0;
  for (const Json& probe : probers_of(nexthops, "")) {
    sums.add(probe);
    if (probe.at("last_error").is_null() || ++troubled > kTroublesShown) continue;
    troubles += "  " + text(probe.at("nexthop")) + ' ' + text(probe.at("anchor")) + ": " +
                text(probe.at("last_error")) + '\n';
  }
  if (sums.probers == 0) return {};
  if (troubled > kTroublesShown)
    troubles += format("  and %zu more: `hopwise probes`\n", troubled - kTroublesShown);
  return "\nPROBES: " + totals(sums, probing) + '\n' + troubles;
}

}  // namespace hopwise::cli
