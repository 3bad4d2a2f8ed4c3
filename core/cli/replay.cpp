#include "core/cli/replay.hpp"

#include <cerrno>
#include <ctime>
#include <fstream>
#include <nlohmann/json.hpp>
#include <ostream>

#include "core/cli/figures.hpp"
#include "core/cli/table.hpp"
#include "core/config/config.hpp"
#include "core/model/format.hpp"
#include "core/simulation/plot.hpp"

namespace hopwise::cli {
namespace {

using simulation::Choice;
using simulation::Replay;
using simulation::ReplayedDecision;
using simulation::ReplayedGroup;
using Who = ReplayedDecision::Who;

constexpr int kDone = 0, kFailed = 1, kUsage = 2;
constexpr std::size_t kMostDecisions = 200;  // in the text

constexpr const char* kCaveat =
    "MEAN and LOSS are of the recorded probes, by where each choice sends new flows. A path's "
    "delay\n"
    "is taken as it was, whatever the choice: load that would have moved does not change it.\n"
    "OVERLOAD is the time in which the choice would have loaded a nexthop over 90 % of what it "
    "can\n"
    "carry: there it would have been slower than shown. GREEDY takes the fastest of the second\n"
    "before.\n";

const char* who_text(Who who) {
  return who == Who::both ? "both" : who == Who::done ? "done" : "would";
}

std::string wall_text(WallTime time) {
  const std::time_t at =
      std::chrono::duration_cast<std::chrono::seconds>(time.time_since_epoch()).count();
  std::tm parts{};
  gmtime_r(&at, &parts);
  char text[32] = "";
  std::strftime(text, sizeof text, "%Y-%m-%d %H:%M:%S UTC", &parts);
  return text;
}

std::string ending_text(const Replay& replay) {
  const auto& end = replay.end;
  std::string said;
  if (replay.head.from == simulation::RecordingHead::From::running)
    said +=
        "The recording began while the engine ran: in its first minutes a replay knows less\n"
        "than the engine did, and may decide differently.\n";
  if (end.torn) said += "Its last line is torn, and was left out.\n";
  if (!end.because) said += "It has no end: the daemon that wrote it died.\n";
  return said;
}

std::string group_text(const ReplayedGroup& group) {
  using enum Table::Align;
  std::vector<Table::Column> columns{{"CHOICE"}, {"MEAN", right}, {"LOSS", right}};
  for (const std::string& name : group.nexthops) columns.push_back({name, right});
  columns.push_back({"OVERLOAD", right});
  Table table(columns);
  for (const Choice& choice : group.choices) {
    std::vector<std::string> cells{choice.name,
                                   choice.mean_ms ? format("%.2f ms", *choice.mean_ms) : "-",
                                   format("%.2f %%", 100 * choice.loss)};
    for (const double share : choice.shares) cells.push_back(percent(share));
    cells.push_back(choice.overloaded_s > 0 ? time_text(choice.overloaded_s) : "-");
    table.add(std::move(cells));
  }
  return "\ngroup " + std::to_string(raw(group.id)) + ", " + time_text(group.seconds) +
         (group.by_traffic ? ", seconds counted by their traffic" : ", seconds counted alike") +
         "; time on each path:\n" + table.text();
}

bool is_slow(Reason reason) {
  return reason == Reason::cost || reason == Reason::ramp;
}

std::string decisions_text(const Replay& replay, bool all) {
  using enum Table::Align;
  Table table({{"AT", right}, {"WHO"}, {"GROUP", right}, {"REASON"}, {"BECAUSE OF"}, {"WEIGHTS"}});
  std::size_t told = 0, untold = 0;
  for (const ReplayedDecision& entry : replay.decisions) {
    if (!all && is_slow(entry.decision.reason)) continue;
    if (++told > kMostDecisions && !all) {
      ++untold;
      continue;
    }
    const Decision& d = entry.decision;
    std::string weights;
    for (const PathShare& share : d.paths)
      weights += (weights.empty() ? "" : "  ") + replay.name_of(share.nexthop) +
                 format(" %.3f>%.3f", share.before, share.after);
    table.add({format("%.1f s", entry.t_s), who_text(entry.who), std::to_string(raw(d.group)),
               std::string(hopwise::text(d.reason)), d.cause ? replay.name_of(*d.cause) : "",
               weights});
  }
  std::string said = "\nDecisions" +
                     std::string(all ? "" : " but the slow law's and the ramp's (--events: all)") +
                     ":\n" + (table.empty() ? "none\n" : table.text());
  if (untold > 0) said += format("... and %zu more (--events shows all)\n", untold);
  return said;
}

Json json_of(const simulation::Choice& choice) {
  Json json{{"name", choice.name},
            {"mean_ms", nullptr},
            {"loss", choice.loss},
            {"shares", choice.shares},
            {"overloaded_s", choice.overloaded_s}};
  if (choice.mean_ms) json["mean_ms"] = *choice.mean_ms;
  return json;
}

Json json_of(const Replay& replay, const ReplayedDecision& entry) {
  Json json{{"at_s", entry.t_s},
            {"who", who_text(entry.who)},
            {"group", raw(entry.decision.group)},
            {"reason", hopwise::text(entry.decision.reason)},
            {"cause", nullptr},
            {"evidence", entry.decision.evidence},
            {"paths", Json::array()}};
  if (entry.decision.cause) json["cause"] = replay.name_of(*entry.decision.cause);
  for (const PathShare& share : entry.decision.paths)
    json["paths"].push_back({{"nexthop", replay.name_of(share.nexthop)},
                             {"before", share.before},
                             {"after", share.after},
                             {"usable", share.usable}});
  return json;
}

int fail(std::ostream& err, const std::string& message, int code) {
  err << "hopwise: " << message << '\n';
  return code;
}

Result<> write_plot(const Replay& replay, const std::string& file, const std::string& title) {
  std::vector<simulation::Trace> traces;
  for (const ReplayedGroup& group : replay.groups) {
    traces.push_back(group.done);
    traces.push_back(group.would);
  }
  std::ofstream out(file);
  out << simulation::draw(traces, title);
  out.close();
  if (!out) return system_error("write " + file, errno);
  return {};
}

}  // namespace

std::string render_replay(const Replay& replay, bool all_decisions) {
  std::string said = "recorded " + wall_text(replay.head.began) + " by hopwise " +
                     replay.head.made_by + ", " + time_text(replay.seconds) +
                     (replay.end.because ? " (" + *replay.end.because + ")" : "") + '\n';
  said += format("decisions alike: %zu, of then alone: %zu, of this hopwise alone: %zu\n",
                 replay.count(Who::both), replay.count(Who::done), replay.count(Who::would));
  said += ending_text(replay);
  for (const ReplayedGroup& group : replay.groups) said += group_text(group);
  return said + '\n' + kCaveat + decisions_text(replay, all_decisions);
}

std::string replay_json(const Replay& replay) {
  Json json{
      {"began", wall_text(replay.head.began)},
      {"made_by", replay.head.made_by},
      {"from", replay.head.from == simulation::RecordingHead::From::start ? "start" : "running"},
      {"seconds", replay.seconds},
      {"ended", nullptr},
      {"torn", replay.end.torn},
      {"alike", replay.count(Who::both)},
      {"done_alone", replay.count(Who::done)},
      {"would_alone", replay.count(Who::would)},
      {"groups", Json::array()},
      {"decisions", Json::array()}};
  if (replay.end.because) json["ended"] = *replay.end.because;
  for (const ReplayedGroup& group : replay.groups) {
    Json choices = Json::array();
    for (const Choice& choice : group.choices) choices.push_back(json_of(choice));
    json["groups"].push_back({{"id", raw(group.id)},
                              {"nexthops", group.nexthops},
                              {"seconds", group.seconds},
                              {"by_traffic", group.by_traffic},
                              {"choices", choices}});
  }
  for (const ReplayedDecision& entry : replay.decisions)
    json["decisions"].push_back(json_of(replay, entry));
  return json.dump(2, ' ', false, Json::error_handler_t::replace);
}

bool is_recording_file(const std::string& file) {
  std::ifstream in(file);
  std::string beginning(64, '\0');
  in.read(beginning.data(), static_cast<std::streamsize>(beginning.size()));
  return simulation::is_recording(beginning);
}

int run_replay(const ReplayLine& line, std::ostream& out, std::ostream& err) {
  if (!line.plot.empty())
    if (const auto good = simulation::check_plot_name(line.plot); !good)
      return fail(err, good.error().message, kUsage);
  simulation::ReplayOptions options;
  if (!line.config.empty()) {
    const auto config = config::load(line.config);
    if (!config) return fail(err, config.error().message, kUsage);
    options.engine = config->engine;
  }
  std::ifstream in(line.recording);
  if (!in) return fail(err, system_error("read " + line.recording, errno).message, kUsage);
  const auto replay = simulation::replay(in, line.recording, options);
  if (!replay) return fail(err, replay.error().message, kUsage);
  out << (line.json ? replay_json(*replay) + '\n' : render_replay(*replay, line.events));
  if (line.plot.empty()) return kDone;
  const auto written = write_plot(*replay, line.plot,
                                  line.recording + ", recorded " + wall_text(replay->head.began));
  return written ? kDone : fail(err, written.error().message, kFailed);
}

}  // namespace hopwise::cli
