#include "core/cli/group_view.hpp"

#include <algorithm>
#include <cmath>
#include <functional>
#include <nlohmann/json.hpp>
#include <vector>

#include "core/cli/event_text.hpp"
#include "core/cli/figures.hpp"
#include "core/cli/table.hpp"
#include "core/model/format.hpp"

namespace hopwise::cli {
namespace {

using Align = Table::Align;

std::string ratio_text(const Json& ratio) {
  return ratio.is_null() ? "-" : percent(ratio.get<double>());
}

// "-" for what is nothing, so that a column of nothing can be left out.
std::string term_text(const Json& term) {
  const double value = term.get<double>();
  return std::abs(value) < 0.0005 ? "-" : format("%.3f", value);
}

std::string share_below_one(const Json& ratio) {
  return ratio.get<double>() >= 1 ? "-" : percent(ratio.get<double>());
}

struct Column {
  const char* title;
  std::function<std::string(const Json& path)> of;
  Align align = Align::right;
};

/// One line a path. The first column stays, and of the others those that say anything.
std::string table_of(const Json& paths, const std::vector<Column>& columns) {
  std::vector<Table::Column> titles;
  std::vector<std::vector<std::string>> rows(paths.size());
  for (const Column& column : columns) {
    std::vector<std::string> cells;
    for (const Json& path : paths) cells.push_back(column.of(path));
    const bool is_mute = std::ranges::all_of(cells, [](const auto& cell) { return cell == "-"; });
    if (is_mute && !titles.empty()) continue;
    titles.push_back({column.title, column.align});
    for (std::size_t i = 0; i < cells.size(); ++i) rows[i].push_back(std::move(cells[i]));
  }
  if (titles.size() < 2) return "";
  Table table(std::move(titles));
  for (auto& row : rows) table.add(std::move(row));
  return '\n' + table.text();
}

Column named() {
  return {"PATH", [](const Json& path) { return text(path.at("nexthop")); }, Align::left};
}

std::string shares(const Json& paths) {
  const auto term = [](const char* title, const char* key) -> Column {
    return {title, [key](const Json& path) { return term_text(path.at("terms").at(key)); }};
  };
  return table_of(
      paths,
      {named(),
       {"SHARE", [](const Json& path) { return ratio_text(path.at("weight")); }},
       {"WANTED", [](const Json& path) { return ratio_text(path.at("wanted")); }},
       {"AT MOST", [](const Json& path) { return share_below_one(path.at("limit")); }},
       {"STATE", [](const Json& path) { return text(path.at("state")); }, Align::left},
       {"COST", [](const Json& path) { return format("%.3f", path.at("cost").get<double>()); }},
       term("= DELAY", "delay"),
       term("+ QUEUE", "queue"),
       term("+ LOSS", "loss"),
       term("+ JITTER", "jitter"),
       term("+ PRICE", "price"),
       term("+ LOAD", "load"),
       term("+ PREFERENCE", "preference"),
       {"NOTE",
        [](const Json& path) -> std::string {
          const bool usable = path.at("usable").get<bool>();
          if (path.value("candidate", false)) return usable ? "candidate" : "candidate, not in use";
          if (!usable) return "not usable";
          return path.at("meets_objectives").get<bool>() ? "-" : "breaks the objectives";
        },
        Align::left}});
}

std::string measures(const Json& paths) {
  const auto predicted = [](const char* key, std::string (*show)(const Json&)) {
    return [key, show](const Json& path) { return show(path.at("predicted").at(key)); };
  };
  return table_of(
      paths,
      {named(),
       {"PREDICTED RTT", predicted("rtt_ms", milliseconds_text)},
       {"LOAD", predicted("bit_s", bit_rate_text)},
       {"USED", predicted("utilisation_ratio", ratio_text)},
       {"RTT BY PROBES", [](const Json& path) { return milliseconds_text(path.at("active_ms")); }},
       {"BY TRAFFIC", [](const Json& path) { return milliseconds_text(path.at("passive_ms")); }},
       {"APART BY", [](const Json& path) { return milliseconds_text(path.at("disagreement_ms")); }},
       {"SENT AGAIN", [](const Json& path) { return ratio_text(path.at("retransmitted_ratio")); }},
       {"ECN", [](const Json& path) { return ratio_text(path.at("ece_ratio")); }},
       {"OWN TRAFFIC", [](const Json& path) { return bit_rate_text(path.at("own_bit_s")); }}});
}

std::string carriers(const Json& paths) {
  const auto of = [](const char* key, std::string (*show)(const Json&)) {
    return [key, show](const Json& path) -> std::string {
      const Json& carrier = path.at("carrier");
      return carrier.is_null() ? "-" : show(carrier.at(key));
    };
  };
  return table_of(paths, {named(),
                          {"CAPACITY", of("capacity_bit_s", bit_rate_text)},
                          {"FROM", of("capacity_from", text), Align::left},
                          {"LOAD NOW", of("load_bit_s", bit_rate_text)},
                          {"USED NOW", of("utilisation_ratio", ratio_text)},
                          {"95TH PERCENTILE", of("percentile_bit_s", bit_rate_text)},
                          {"COMMIT", of("commit_bit_s", bit_rate_text)},
                          {"PRICE", of("price", term_text)}});
}

/// "1.20 ms faster than by routing alone (95 %: 0.50 to 1.90 ms, of 4000 samples)".
std::string proof_text(const Json& proof) {
  if (proof.is_null()) return "not known yet (it takes a control group, dataplane.control_share)";
  const double gain = proof.at("gain_ms").get<double>();
  const double lower = proof.at("lower_ms").get<double>(),
               upper = proof.at("upper_ms").get<double>();
  std::string line =
      format("%.2f ms %s than by routing alone", std::abs(gain), gain >= 0 ? "faster" : "slower");
  line += format(" (95 %%: %.2f to %.2f ms, of %s samples)", lower, upper,
                 count(proof.at("samples")).c_str());
  return line + (lower <= 0 && upper >= 0 ? ", which may be chance" : "");
}

std::string head(const Json& group) {
  std::string line = "GROUP " + count(group.at("id"));
  if (!group.at("name").is_null()) line += " \"" + text(group.at("name")) + '"';
  line += " of " + count(group.at("routes")) + " routes";
  if (!group.at("traffic_class").is_null()) line += ", class " + text(group.at("traffic_class"));
  if (!group.at("destination").is_null()) line += ", to " + text(group.at("destination"));
  return line + '\n';
}

std::string mode_text(const Json& group) {
  if (group.at("mode") == "dry_run") return "dry run: decided and explained, not installed";
  return group.at("reverted").get<bool>()
             ? "reverted: steering was worse than routing, whose own weights rule for a while"
             : "steering";
}

std::string law(const Json& group) {
  std::string page;
  const auto line = [&page](const char* name, const std::string& value) {
    page += format("  %-10s  %s\n", name, value.c_str());
  };
  line("policy", text(group.at("policy")));
  if (!group.at("objectives").is_null()) line("objectives", text(group.at("objectives")));
  line("mode", mode_text(group));
  line("held", group.at("held").is_null() ? "no" : text(group.at("held")));
  line("demand", group.at("demand_bit_s").is_null() ? "not known yet"
                                                    : bit_rate_text(group.at("demand_bit_s")));
  if (group.at("stable_gain").get<double>() > 0)
    line("loop", format("gain %.3f, stable up to %.3f: at %s of that",
                        group.at("loop_gain").get<double>(), group.at("stable_gain").get<double>(),
                        percent(group.at("margin_ratio").get<double>()).c_str()));
  line("proof", proof_text(group.at("proof")));
  return page;
}

std::string decisions(const Json& list) {
  Table table({{"DECIDED"},
               {"EVENT"},
               {"REASON"},
               {"CAUSE"},
               {"SHARES"},
               {"PREDICTED", Align::right},
               {"REALISED", Align::right},
               {"EVIDENCE"}});
  for (auto decision = list.rbegin(); decision != list.rend(); ++decision) {
    const auto predicted = predicted_ms(decision->at("paths"));
    const Json& effect = decision->at("effect");
    std::string time = text(decision->at("time")).substr(0, 19);
    std::ranges::replace(time, 'T', ' ');
    table.add({time, '#' + count(decision->at("seq")), text(decision->at("reason")),
               text(decision->at("cause")), shares_text(decision->at("paths")),
               predicted ? format("%.2f ms", *predicted) : "-",
               effect.is_null() ? "-" : milliseconds_text(effect.at("after_ms")),
               text(decision->at("evidence"))});
  }
  return table.empty() ? "\nno decision yet\n" : '\n' + table.text() + "Times are UTC.\n";
}

std::string whole(const Json& group) {
  std::string page = head(group);
  if (!group.contains("policy")) return page + "  the law knows nothing of it yet\n";
  page += law(group);
  const Json& paths = group.at("paths");
  return page + shares(paths) + measures(paths) + carriers(paths) +
         decisions(group.at("decisions"));
}

}  // namespace

Result<std::string> render_group(const std::string& json) {
  try {
    return {boost::system::in_place_value, whole(Json::parse(json))};
  } catch (const Json::exception& error) {
    return Error{std::string("read the daemon's answer: ") + error.what() +
                 " (is it of another version? -j shows the answer as it is)"};
  }
}

}  // namespace hopwise::cli
