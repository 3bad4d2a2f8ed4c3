#include "core/cli/event_text.hpp"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "core/model/format.hpp"

namespace hopwise::cli {
namespace {

constexpr int kWidthOfSubject = 9, kWidthOfReason = 19;

std::string tenths_of_percent(const Json& share) {
  return format("%.1f", 100 * share.get<double>());
}

std::string decision_text(const Json& event) {
  std::string line = shares_text(event.at("paths"));
  if (!event.at("cause").is_null()) line += "  by " + text(event.at("cause"));
  if (const std::string evidence = text(event.at("evidence")); !evidence.empty())
    line += "  (" + evidence + ')';
  if (const auto expected = predicted_ms(event.at("paths")))
    line += format("  predicted %.2f ms", *expected);
  return line;
}

/// "isp-a 20.00 ms, 50.0 % used": what is known of it.
std::string figures_text(const Json& prediction) {
  std::string all;
  if (!prediction.at("rtt_ms").is_null()) all = milliseconds_text(prediction.at("rtt_ms"));
  if (const Json& used = prediction.at("utilisation_ratio"); !used.is_null())
    all += (all.empty() ? "" : ", ") + percent(used.get<double>()) + " used";
  return all;
}

std::string effect_text(const Json& event) {
  std::string line = "of ";
  line += event.at("of").is_null() ? "an earlier decision" : '#' + count(event.at("of"));
  line += ": realised " + milliseconds_text(event.at("after_ms"));
  if (!event.at("before_ms").is_null())
    line += ", before " + milliseconds_text(event.at("before_ms"));
  for (const Json& path : event.at("paths")) {
    const std::string predicted = figures_text(path.at("predicted"));
    const std::string realised = figures_text(path.at("realised"));
    if (predicted.empty() && realised.empty()) continue;
    line += "  " + text(path.at("nexthop")) + " predicted " +
            (predicted.empty() ? "nothing" : predicted) + ", realised " +
            (realised.empty() ? "nothing known" : realised);
    if (const double loss = path.at("loss_ratio").get<double>(); loss > 0)
      line += ", lost " + percent(loss);
  }
  return line;
}

struct Parts {
  std::string subject, reason, rest;
};

Parts parts_of(const Json& event) {
  const std::string kind = event.at("kind");
  if (kind == "decision")
    return {"group " + count(event.at("group")), event.at("reason"), decision_text(event)};
  if (kind == "effect") return {"group " + count(event.at("group")), "effect", effect_text(event)};
  if (kind == "nexthop")
    return {event.at("nexthop"), "state",
            text(event.at("before")) + " > " + text(event.at("after"))};
  if (kind == "speaker")
    return {"routing", event.at("trouble").get<bool>() ? "trouble" : "well", event.at("detail")};
  const bool failed = event.contains("result") && event.at("result") == "failure";
  return {"daemon", kind + (failed ? " refused" : ""), event.at("detail")};
}

std::string line_of(const Json& event) {
  std::string time = event.at("time");
  std::ranges::replace(time, 'T', ' ');
  const Parts parts = parts_of(event);
  std::string line =
      format("%s  #%llu  %-*s  %-*s  ", time.c_str(),
             static_cast<unsigned long long>(event.at("seq").get<std::uint64_t>()), kWidthOfSubject,
             parts.subject.c_str(), kWidthOfReason, parts.reason.c_str()) +
      parts.rest;
  std::ranges::replace(line, '\n', ' ');
  return line.substr(0, line.find_last_not_of(' ') + 1) + '\n';
}

}  // namespace

std::string shares_text(const Json& paths) {
  std::string all;
  for (const Json& path : paths) {
    const std::string before = tenths_of_percent(path.at("before"));
    const std::string after = tenths_of_percent(path.at("after"));
    if (before == after) continue;
    if (!all.empty()) all += ", ";
    all += text(path.at("nexthop"));
    if (path.value("candidate", false)) all += " (candidate)";
    all.append(" ").append(before).append(">").append(after).append(" %");
  }
  return all.empty() ? "no share changed" : all;
}

std::optional<double> predicted_ms(const Json& paths) {
  double sum = 0, weights = 0;
  for (const Json& path : paths) {
    const double weight = path.at("after").get<double>();
    if (weight <= 0) continue;
    const Json& rtt = path.at("predicted").at("rtt_ms");
    if (rtt.is_null()) return std::nullopt;
    sum += weight * rtt.get<double>();
    weights += weight;
  }
  return weights > 0 ? std::optional(sum / weights) : std::nullopt;
}

Result<std::string> render_event(const std::string& json) {
  try {
    return {boost::system::in_place_value, line_of(Json::parse(json))};
  } catch (const Json::exception& error) {
    return Error{std::string("read an event: ") + error.what() +
                 " (is it of another version? -j shows it as it is)"};
  }
}

}  // namespace hopwise::cli
