#include "core/cli/render.hpp"

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>

#include "core/cli/figures.hpp"
#include "core/cli/flow_list.hpp"
#include "core/cli/probe_list.hpp"
#include "core/cli/table.hpp"
#include "core/model/format.hpp"

namespace hopwise::cli {
namespace {

using Align = Table::Align;

constexpr int kBarWidth = 20;
constexpr std::size_t kDecisionsShown = 8;

std::string bar(double ratio) {
  const auto length =
      static_cast<std::size_t>(std::lround(std::clamp(ratio, 0.0, 1.0) * kBarWidth));
  return '[' + std::string(length, '#') + std::string(kBarWidth - length, '.') + ']';
}

// --- parts ---------------------------------------------------------------------------------

/// Of its capacity.
std::string used_text(const Json& nexthop) {
  const Json& carrier = nexthop.at("carrier");
  if (carrier.is_null() || carrier.at("utilisation_ratio").is_null()) return "-";
  return percent(carrier.at("utilisation_ratio").get<double>());
}

std::string nexthops(const Json& list) {
  std::vector<Table::Column> columns{{"NEXTHOP"},
                                     {"GATEWAY"},
                                     {"INTERFACE"},
                                     {"STATE"},
                                     {"RTT", Align::right},
                                     {"BASE", Align::right},
                                     {"JITTER", Align::right},
                                     {"LOSS", Align::right},
                                     {"AT MOST", Align::right}};
  const bool is_load_known = std::any_of(
      list.begin(), list.end(), [](const Json& nexthop) { return used_text(nexthop) != "-"; });
  if (is_load_known) columns.push_back({"USED", Align::right});
  columns.push_back({"NOTE"});
  Table table(std::move(columns));
  for (const Json& nexthop : list) {
    const bool measured = nexthop.at("loss_window_probes").get<unsigned>() > 0;
    std::string note;
    if (!nexthop.at("link_up").get<bool>())
      note = "link down";
    else if (!nexthop.at("neighbour_resolved").get<bool>())
      note = "gateway does not resolve";
    else if (nexthop.at("bfd_down").get<bool>())
      note = "BFD down";
    else if (nexthop.at("probes").empty())
      note = "nothing is probed";
    else if (!measured)
      note = "no reply yet";
    std::vector<std::string> cells{
        text(nexthop.at("name")),
        text(nexthop.at("gateway")),
        text(nexthop.at("interface")),
        text(nexthop.at("state")),
        milliseconds_text(nexthop.at("rtt_ms")),
        milliseconds_text(nexthop.at("base_ms")),
        nexthop.at("rtt_ms").is_null() ? "-" : milliseconds_text(nexthop.at("jitter_ms")),
        measured ? percent(nexthop.at("loss_ratio").get<double>()) : "-",
        measured ? percent(nexthop.at("loss_upper_ratio").get<double>()) : "-"};
    if (is_load_known) cells.push_back(used_text(nexthop));
    cells.push_back(note);
    table.add(std::move(cells));
  }
  return table.empty() ? "no nexthops\n" : table.text();
}

/// Of TCP segments with data.
std::string retransmitted_text(const Json& path) {
  const auto segments = path.at("segments").get<double>();
  return segments == 0 ? "-" : percent(path.at("retransmitted").get<double>() / segments);
}

std::string passive_text(const Json& path) {
  const Json& passive = path.at("passive");
  return passive.is_null() ? "-" : milliseconds_text(passive.at("p50_ms"));
}

/// "not usable, 3 escapes".
std::string path_note(const Json& path) {
  std::string note = path.at("usable").get<bool>() ? "" : "not usable";
  if (path.value("candidate", false))
    note = path.at("usable").get<bool>() ? "candidate" : "candidate, not in use";
  if (path.at("escapes").get<std::uint64_t>() > 0)
    note += (note.empty() ? "" : ", ") + count(path.at("escapes")) + " escapes";
  return note;
}

std::string paths(const Json& list) {
  Table table({{"PATH"},
               {"SHARE", Align::right},
               {""},
               {"BUCKETS", Align::right},
               {"COST", Align::right},
               {"OUT", Align::right},
               {"", Align::right},
               {"BACK", Align::right},
               {"", Align::right},
               {"PASSIVE RTT", Align::right},
               {"SENT AGAIN", Align::right},
               {"NOTE"}});
  for (const Json& path : list) {
    const double share = path.at("weight").get<double>();
    table.add({text(path.at("nexthop")), percent(share), bar(share), count(path.at("buckets")),
               format("%.3f", path.at("cost").get<double>()),
               packets_text(path.at("forward_packets")), bytes_text(path.at("forward_bytes")),
               packets_text(path.at("reverse_packets")), bytes_text(path.at("reverse_bytes")),
               passive_text(path), retransmitted_text(path), path_note(path)});
  }
  return table.text();
}

/// "isp-a 50.0 % -> 25.0 %, isp-b ...": the paths whose share changed.
std::string changes(const Json& decision) {
  std::string all;
  for (const Json& path : decision.at("paths")) {
    const std::string before = percent(path.at("before").get<double>());
    const std::string after = percent(path.at("after").get<double>());
    if (before == after) continue;
    all.append(all.empty() ? "" : ", ").append(text(path.at("nexthop")));
    all.append(" ").append(before).append(" -> ").append(after);
  }
  return all.empty() ? "no share changed" : all;
}

std::string decisions(const Json& list) {
  Table table({{"DECIDED", Align::right},
               {"GROUP", Align::right},
               {"REASON"},
               {"CAUSE"},
               {"SHARES"},
               {"EVIDENCE"}});
  std::size_t shown = 0;
  for (auto decision = list.rbegin(); decision != list.rend() && shown < kDecisionsShown;
       ++decision, ++shown)
    table.add({time_text(decision->at("age_s").get<double>()) + " ago",
               count(decision->at("group")), text(decision->at("reason")),
               text(decision->at("cause")), changes(*decision), text(decision->at("evidence"))});
  return table.empty() ? "\nno decision yet\n" : '\n' + table.text();
}

std::string interfaces(const Json& list) {
  Table table({{"INTERFACE"}, {"ROLE"}, {"ATTACHED BY"}});
  for (const Json& interface : list)
    table.add(
        {text(interface.at("name")), text(interface.at("role")), text(interface.at("attach"))});
  return table.empty() ? "no program is attached to any interface\n" : table.text();
}

std::string packets(const Json& reasons) {
  Table table({{"PACKETS"}, {"", Align::right}});
  if (reasons.contains("steered")) table.add({"steered", count(reasons.at("steered"))});
  for (const auto& [reason, packets] : reasons.items())
    if (reason != "steered" && packets.get<std::uint64_t>() > 0)
      table.add({"to the kernel: " + reason, count(packets)});
  return table.empty() ? "" : '\n' + table.text();
}

/// "routing: frr (zebra alive, bgpd alive), 12 routes compared, BFD 2 of 3 up".
std::string speaker_line(const Json& speaker) {
  if (speaker.at("kind") == "none") return {};
  std::string line;
  for (const Json& process : speaker.at("processes"))
    line +=
        (line.empty() ? "" : ", ") + text(process.at("name")) + ' ' + text(process.at("health"));
  line = "routing: " + text(speaker.at("kind")) + " (" + line + ')';
  line += speaker.at("not_checked").is_null()
              ? ", " + count(speaker.at("looks")) + " routes compared"
              : ", routes not compared: " + text(speaker.at("not_checked"));
  const Json& bfd = speaker.at("bfd");
  const auto up = std::count_if(bfd.begin(), bfd.end(),
                                [](const Json& session) { return session.at("state") == "up"; });
  if (!bfd.empty()) line += format(", BFD %td of %zu up", up, bfd.size());
  if (!speaker.at("note").is_null()) line += "\nNOTE: " + text(speaker.at("note"));
  return line + '\n';
}

std::string head(const Json& status) {
  const bool ready = status.at("ready").get<bool>();
  std::string line = "hopwise " + text(status.at("version")) + ", up " +
                     time_text(status.at("uptime_s").get<double>()) + ": " +
                     (ready ? "ready" : "NOT READY: " + text(status.at("not_ready_because")));
  line += status.at("steering").get<bool>() ? ", steering" : ", observing only (steer is false)";
  if (const std::string actuator = text(status.at("actuator")); !actuator.empty())
    line += " by " + actuator;
  line += format(", lease %.1f s\n", status.at("lease_remaining_s").get<double>());
  line += count(status.at("routes_steered")) + " routes steered, " +
          count(status.at("routes_kernel")) + " left to the kernel";
  if (const Json& trouble = status.at("history").at("trouble"); !trouble.is_null())
    line += ", history not written: " + text(trouble);
  if (const auto failures = status.at("reload_failures").get<std::uint64_t>(); failures > 0)
    line += ", " + std::to_string(failures) + " reloads refused";
  return line + '\n' + speaker_line(status.at("speaker")) + '\n';
}

/// "GROUP 1 of 12 routes, balanced, 1.20 ms faster than routing (0.50 to 1.90)".
std::string group_head(const Json& group) {
  std::string line = "\nGROUP " + count(group.at("id"));
  if (!group.at("name").is_null()) line += " \"" + text(group.at("name")) + '"';
  line += " of " + count(group.at("routes")) + " routes";
  if (!group.at("traffic_class").is_null()) line += ", class " + text(group.at("traffic_class"));
  if (!group.at("destination").is_null()) line += ", to " + text(group.at("destination"));
  const Json& law = group.at("law");
  if (law.is_null()) return line + '\n';
  line += ", " + text(law.at("policy"));
  if (law.at("mode") == "dry_run") line += ", DRY RUN";
  if (law.at("reverted").get<bool>()) line += ", REVERTED to routing's own weights";
  if (const Json& proof = law.at("proof"); !proof.is_null()) {
    const double gain = proof.at("gain_ms").get<double>();
    line += format(", %.2f ms %s than routing (%.2f to %.2f)", std::abs(gain),
                   gain >= 0 ? "faster" : "slower", proof.at("lower_ms").get<double>(),
                   proof.at("upper_ms").get<double>());
  }
  return line + '\n';
}

std::string whole_status(const Json& status) {
  std::string page = head(status) + interfaces(status.at("interfaces")) + '\n' +
                     nexthops(status.at("nexthops")) +
                     probes_summary(status.at("nexthops"), status.at("probing"));
  for (const Json& group : status.at("groups"))
    page += group_head(group) + paths(group.at("paths"));
  return page + packets(status.at("packets_by_reason")) + decisions(status.at("recent_decisions"));
}

std::string whole_explanation(const Json& explanation) {
  std::string page = text(explanation.at("summary")) + "\n\n";
  page += "route   " + text(explanation.at("route")) + '\n';
  if (explanation.at("group").is_null()) return page;
  page += "group   " + count(explanation.at("group")) + '\n';
  if (const Json traffic = explanation.value("class", Json(nullptr)); !traffic.is_null())
    page += "class   " + text(traffic) + ", by rule " + count(explanation.at("class_rule")) + '\n';
  page += "bucket  " + count(explanation.at("bucket")) + ", held by " +
          text(explanation.at("bucket_nexthop")) + '\n';
  page += "flow    ";
  const Json& flow = explanation.at("flow");
  if (!flow.is_null() && flow.at("control").get<bool>())
    page += "of the control group: the kernel routes it\n";
  else if (explanation.at("flow_nexthop").is_null())
    page += "not seen yet: its first packet follows the bucket\n";
  else
    page += "sticks to " + text(explanation.at("flow_nexthop")) + " (" +
            magnitude(explanation.at("flow_packets").get<double>()) + " packets, " +
            bytes_text(explanation.at("flow_bytes")) + " so far)\n";
  if (!flow.is_null()) page += "        " + flow_sentence(flow) + '\n';
  const Json& nexthop = explanation.at("nexthop");
  page += "next    " + (nexthop.is_null() ? "the kernel's route" : text(nexthop)) + "\n\n";
  page += nexthops(explanation.at("nexthops")) + '\n' + paths(explanation.at("paths"));
  const Json& last = explanation.at("last_decision");
  return page + decisions(last.is_null() ? Json::array() : Json::array({last}));
}

/// Renders what the daemon sent; what does not fit is its version's fault, not ours to guess at.
Result<std::string> render(const std::string& json, std::string (*whole)(const Json&)) {
  try {
    return {boost::system::in_place_value, whole(Json::parse(json))};
  } catch (const Json::exception& error) {
    return Error{std::string("read the daemon's answer: ") + error.what() +
                 " (is it of another version? -j shows the answer as it is)"};
  }
}

}  // namespace

Result<std::string> render_status(const std::string& json) {
  return render(json, whole_status);
}

Result<std::string> render_explanation(const std::string& json) {
  return render(json, whole_explanation);
}

std::string render_error(const std::string& json) {
  const Json answer = Json::parse(json, nullptr, /*allow_exceptions=*/false);
  return answer.is_object() ? answer.value("error", json) : json;
}

}  // namespace hopwise::cli
