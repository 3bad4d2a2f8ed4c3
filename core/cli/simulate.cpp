#include "core/cli/simulate.hpp"

#include <algorithm>
#include <charconv>
#include <fstream>
#include <ostream>

#include "core/cli/replay.hpp"
#include "core/cli/table.hpp"
#include "core/model/format.hpp"
#include "core/simulation/plot.hpp"
#include "core/simulation/sensors.hpp"

namespace hopwise::cli {
namespace {

using simulation::Figures;
using simulation::Performance;
using simulation::Results;

constexpr int kDone = 0, kFailed = 1, kUsage = 2;
constexpr std::size_t kDrawnGroups = 3;  // of each controller: more would not be looked at

std::string percent(double ratio) {
  return format("%.2f %%", 100 * ratio);
}

std::string regret_text(const Results& results, const Figures Performance::*figures,
                        const Performance& outcome) {
  const auto found = simulation::regret(results, figures, outcome);
  return found ? format("%+.1f %%", 100 * *found) : "-";
}

std::string bytes_text(double bytes) {
  if (bytes >= 1e9) return format("%.1f GB", bytes / 1e9);
  return format("%.1f MB", bytes / 1e6);
}

std::string reactions_text(const Results& results) {
  if (results.outcomes.empty() || results.outcomes.front().reactions.empty()) return {};
  std::vector<Table::Column> columns{{"AT", Table::Align::right}, {"EVENT"}};
  for (const Performance& o : results.outcomes)
    columns.push_back({o.controller, Table::Align::right});
  Table table(columns);
  // Events at which a controller had nothing on the link are not in its list.
  for (const auto& mark : results.outcomes.front().traces.front().marks) {
    std::vector<std::string> cells{format("%.0f s", mark.t_s), mark.text};
    bool any = false;
    for (const Performance& o : results.outcomes) {
      std::string cell;
      for (const auto& r : o.reactions)
        if (r.event.t_s == mark.t_s && r.event.text == mark.text) {
          cell = r.after_s ? format("%.1f s", *r.after_s) : "never";
          any = true;
        }
      cells.push_back(cell);
    }
    if (any) table.add(cells);
  }
  return "\nUntil 90 % of the movable traffic had left the link:\n" + table.text();
}

std::string reverts_text(const std::vector<simulation::Revert>& reverts) {
  std::string text;
  for (const simulation::Revert& r : reverts)
    text += (text.empty() ? "" : ", ") + format("%.0f s to ", r.at_s) +
            (r.until_s ? format("%.0f s", *r.until_s) : "the end");
  return text.empty() ? "never" : text;
}

std::string gains_text(const Results& results) {
  using enum Table::Align;
  Table table({{"CONTROLLER"},
               {"GROUP"},
               {"GAIN", right},
               {"INTERVAL", right},
               {"TRUTH", right},
               {"HELD", right},
               {"NEARLY", right},
               {"REVERTED"}});
  bool any = false;
  for (const Performance& o : results.outcomes)
    for (const simulation::GroupGain& g : o.gains) {
      any = true;
      table.add({o.controller, g.group, g.told ? format("%+.2f ms", g.told->gain_ms) : "-",
                 g.told ? format("%+.2f to %+.2f", g.told->lower_ms, g.told->upper_ms) : "-",
                 g.truth_ms ? format("%+.2f ms", *g.truth_ms) : "-",
                 g.intervals > 0 ? format("%d of %d", g.held, g.intervals) : "-",
                 g.intervals > 0 ? std::to_string(g.held_nearly) : "-", reverts_text(g.reverts)});
    }
  if (!any) return {};
  return "\nWhat steering gains, told by control flows (95 %) and in truth:\n" + table.text();
}

int fail(std::ostream& err, const std::string& message, int code = kUsage) {
  err << "hopwise: " << message << '\n';
  return code;
}

Result<> draw_to(const std::string& file, const Results& results) {
  std::vector<simulation::Trace> traces;
  for (const Performance& p : results.outcomes)
    traces.insert(
        traces.end(), p.traces.begin(),
        p.traces.begin() + static_cast<std::ptrdiff_t>(std::min(p.traces.size(), kDrawnGroups)));
  std::ofstream out(file);
  out << simulation::draw(traces, results.scenario);
  out.close();
  if (!out) return Error{"write " + file + ": cannot be written (does its folder exist?)"};
  return {};
}

}  // namespace

std::string render_results(const Results& results) {
  using enum Table::Align;
  Table table({{"CONTROLLER"},
               {"MEAN", right},
               {"P50", right},
               {"P99", right},
               {"LOSS", right},
               {"REGRET", right},
               {"STEADY", right},
               {"LOSS", right},
               {"REGRET", right},
               {"REVERSALS", right},
               {"CHANGES", right},
               {"MOVED", right}});
  for (const Performance& o : results.outcomes)
    table.add({o.controller, format("%.2f ms", o.all.mean_ms), format("%.1f ms", o.all.p50_ms),
               format("%.1f ms", o.all.p99_ms), percent(o.all.loss),
               regret_text(results, &Performance::all, o),
               o.steady.mean_ms > 0 ? format("%.2f ms", o.steady.mean_ms) : "-",
               o.steady.mean_ms > 0 ? percent(o.steady.loss) : "-",
               regret_text(results, &Performance::steady, o), std::to_string(o.reversals),
               std::to_string(o.decisions), bytes_text(o.moved_bytes)});
  return results.scenario + ", seed " + std::to_string(results.seed) + '\n' + table.text() +
         reactions_text(results) + gains_text(results);
}

std::string render_decisions(const Results& results) {
  std::string text;
  for (const Performance& o : results.outcomes)
    for (const Decision& d : o.explained) {
      text += format("%9.1f s  group %u  %-20s", seconds(d.at - simulation::at(0)), raw(d.group),
                     std::string(hopwise::text(d.reason)).c_str());
      for (const PathShare& p : d.paths) text += format("  %.3f>%.3f", p.before, p.after);
      text += "  " + d.evidence + '\n';
    }
  return text;
}

int run_simulate(const SimulateLine& line, std::ostream& out, std::ostream& err) {
  if (is_recording_file(line.scenario))
    return run_replay({line.scenario, line.config, line.plot, line.json, line.events}, out, err);
  auto scenario = simulation::load_scenario(line.scenario);
  if (!scenario) return fail(err, scenario.error().message);
  if (!line.seed.empty()) {
    const char* end = line.seed.data() + line.seed.size();
    const auto [read, error] = std::from_chars(line.seed.data(), end, scenario->plant.seed);
    if (error != std::errc{} || read != end)
      return fail(err, "--seed: \"" + line.seed + "\" is no whole number (write --seed 7)");
  }
  if (const auto good = simulation::check_plot_name(line.plot); !line.plot.empty() && !good)
    return fail(err, "--plot: " + good.error().message);
  const auto results = simulation::simulate(*scenario, line.only, [&](std::string_view name) {
    err << "simulating " << name << "\n" << std::flush;
  });
  if (!results) return fail(err, "--only: " + results.error().message);
  if (line.json)
    out << simulation::to_json(*results) << '\n';
  else
    out << render_results(*results);
  if (line.events && !line.json) out << '\n' << render_decisions(*results);
  if (line.plot.empty()) return kDone;
  const auto drawn = draw_to(line.plot, *results);
  return drawn ? kDone : fail(err, drawn.error().message, kFailed);
}

}  // namespace hopwise::cli
