#include "core/cli/trace.hpp"

#include <charconv>
#include <nlohmann/json.hpp>
#include <optional>
#include <ostream>
#include <utility>

#include "core/cli/figures.hpp"
#include "core/cli/render.hpp"
#include "core/cli/table.hpp"
#include "core/model/address.hpp"
#include "core/model/format.hpp"

namespace hopwise::cli {
namespace {

constexpr int kDone = 0, kFailed = 1, kUsage = 2;
constexpr Duration kPause = std::chrono::milliseconds(200);
constexpr int kIpv4Width = 15, kIpv6Width = 39;
constexpr const char* kTraces = "/api/v1/traces";

Error not_a_trace(const std::exception& error) {
  return Error{std::string("read the daemon's answer: ") + error.what() +
               " (is it of another version? -j shows the answer as it is)"};
}

bool is_settled(const Json& hop, std::size_t probes) {
  return hop.at("answered").get<std::size_t>() >= probes;
}

std::string loss_text(const Json& ratio) {
  return ratio.is_null() ? "0 %" : format("%.0f %%", 100 * ratio.get<double>());
}

// One line for each address that answered there; the first has distance and loss.
std::string hop_text(const Json& hop, int width) {
  const int distance = hop.at("distance").get<int>();
  if (hop.at("answers").empty()) return format("%3d  no answer\n", distance);
  std::string lines;
  for (const Json& answer : hop.at("answers")) {
    const bool first = lines.empty();
    lines += (first ? format("%3d", distance) : std::string(3, ' ')) +
             format("  %-*s  %5s  %10s  %10s  %10s", width, text(answer.at("from")).c_str(),
                    first ? loss_text(hop.at("loss_ratio")).c_str() : "",
                    milliseconds_text(answer.at("least_ms")).c_str(),
                    milliseconds_text(answer.at("mean_ms")).c_str(),
                    milliseconds_text(answer.at("most_ms")).c_str());
    if (!answer.at("note").is_null()) lines += "  " + text(answer.at("note"));
    lines += '\n';
  }
  return lines;
}

int fail(const TraceTalk& talk, const std::string& message, int code) {
  talk.err << "hopwise: " << message << '\n';
  return code;
}

// The answer's body, or nothing and the exit status.
std::optional<std::string> fetch(const TraceTalk& talk, const std::string& target, int& code) {
  const auto reply = talk.ask("GET", target);
  if (reply && reply->status == 200) return reply->body;
  code = fail(talk, reply ? render_error(reply->body) : reply.error().message, kFailed);
  return {};
}

int list(const TraceLine& line, const TraceTalk& talk) {
  int code = kDone;
  const auto body = fetch(talk, kTraces, code);
  if (!body) return code;
  if (line.json) {
    talk.out << *body;
    return kDone;
  }
  const auto text = render_traces(*body);
  if (!text) return fail(talk, text.error().message, kFailed);
  talk.out << *text;
  return kDone;
}

// Until it has ended; one that is kept has.
int follow(const TraceLine& line, const std::string& id, std::size_t probes,
           const TraceTalk& talk) {
  TraceReport report(probes);
  int code = kDone;
  while (true) {
    const auto body = fetch(talk, std::string(kTraces) + "?id=" + id, code);
    if (!body) return code;
    const auto text = report.next(*body);
    if (!text) return fail(talk, text.error().message, kFailed);
    if (!line.json) talk.out << *text << std::flush;
    if (report.ended()) {
      if (line.json) talk.out << *body;
      return report.reached() ? kDone : kFailed;
    }
    talk.pause(kPause);
  }
}

std::optional<unsigned> number_of(const std::string& text, unsigned most) {
  unsigned number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  const bool is_good =
      error == std::errc{} && end == text.data() + text.size() && number >= 1 && number <= most;
  return is_good ? std::optional(number) : std::nullopt;
}

int begin(const TraceLine& line, const TraceTalk& talk) {
  if (!IpAddress::parse(line.destination))
    return fail(talk, "DEST: \"" + line.destination + "\" is no address (write 203.0.113.9)",
                kUsage);
  const auto probes = number_of(line.probes, 20);
  if (!probes) return fail(talk, "-q: \"" + line.probes + "\" is no number from 1 to 20", kUsage);
  if (!number_of(line.max_hops, 64))
    return fail(talk, "-m: \"" + line.max_hops + "\" is no number from 1 to 64", kUsage);
  const auto reply =
      talk.ask("POST", std::string(kTraces) + "?nexthop=" + api::encoded_value(line.nexthop) +
                           "&dst=" + api::encoded_value(line.destination) +
                           "&probes=" + line.probes + "&hops=" + line.max_hops);
  if (!reply) return fail(talk, reply.error().message, kFailed);
  if (reply->status != 202) return fail(talk, render_error(reply->body), kUsage);
  const Json answer = Json::parse(reply->body, nullptr, false);
  if (!answer.is_object() || !answer.contains("id"))
    return fail(talk, "the daemon's answer is no trace (is it of another version?)", kFailed);
  return follow(line, answer["id"].dump(), *probes, talk);
}

}  // namespace

Result<std::string> TraceReport::next(const std::string& json) {
  try {
    const Json trace = Json::parse(json);
    const std::string destination = trace.at("destination");
    const int width = destination.find(':') == std::string::npos ? kIpv4Width : kIpv6Width;
    std::string said;
    if (!std::exchange(began_, true))
      said = "to " + destination + " by " + text(trace.at("nexthop")) + '\n' +
             format("HOP  %-*s  %5s  %10s  %10s  %10s\n", width, "ADDRESS", "LOSS", "LEAST", "MEAN",
                    "MOST");
    ended_ = trace.at("ended");
    reached_ = trace.at("reached");
    const Json& hops = trace.at("hops");
    for (; told_ < hops.size() && (ended_ || is_settled(hops[told_], probes_)); told_++)
      said += hop_text(hops[told_], width);
    if (ended_) said += text(trace.at("verdict")) + '\n';
    return {boost::system::in_place_value, std::move(said)};
  } catch (const Json::exception& error) {
    return not_a_trace(error);
  }
}

Result<std::string> render_traces(const std::string& json) {
  try {
    Table table({{"ID", Table::Align::right},
                 {"BEGAN", Table::Align::right},
                 {"NEXTHOP"},
                 {"DESTINATION"},
                 {"BECAUSE"},
                 {"VERDICT"}});
    const Json list = Json::parse(json);
    for (const Json& trace : list.at("traces"))
      table.add({count(trace.at("id")), time_text(trace.at("age_s").get<double>()) + " ago",
                 text(trace.at("nexthop")), text(trace.at("destination")),
                 text(trace.at("because")),
                 trace.at("ended").get<bool>() ? text(trace.at("verdict")) : "under way"});
    return {boost::system::in_place_value, table.empty() ? "no traces yet\n" : table.text()};
  } catch (const Json::exception& error) {
    return not_a_trace(error);
  }
}

int run_trace(const TraceLine& line, const TraceTalk& talk) {
  if (line.nexthop.empty()) return list(line, talk);
  if (!line.destination.empty()) return begin(line, talk);
  if (!number_of(line.nexthop, ~0U))
    return fail(talk,
                "trace: DEST is missing (NEXTHOP DEST traces; a number alone shows one that is "
                "kept, nothing lists them)",
                kUsage);
  return follow(line, line.nexthop, 1, talk);
}

}  // namespace hopwise::cli
