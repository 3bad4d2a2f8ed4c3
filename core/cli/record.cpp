#include "core/cli/record.hpp"

#include <array>
#include <charconv>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <optional>
#include <ostream>

#include "core/cli/figures.hpp"
#include "core/cli/render.hpp"

namespace hopwise::cli {
namespace {

constexpr int kDone = 0, kFailed = 1, kUsage = 2;
constexpr Duration kPause = std::chrono::milliseconds(200);
constexpr int kPausesPerLine = 5;
constexpr const char* kRecord = "/api/v1/record";

struct Unit {
  std::string_view name;
  std::uint64_t worth;
};

std::optional<std::uint64_t> parse_with_unit(const std::string& text, std::span<const Unit> units) {
  std::uint64_t number = 0;
  const char* end = text.data() + text.size();
  const auto [stop, error] = std::from_chars(text.data(), end, number);
  if (error != std::errc{} || number == 0) return std::nullopt;
  for (const Unit& unit : units)
    if (unit.name == std::string_view(stop, static_cast<std::size_t>(end - stop)) &&
        number <= (std::uint64_t{1} << 44) / unit.worth)
      return number * unit.worth;
  return std::nullopt;
}

int fail(const RecordTalk& talk, const std::string& message, int code) {
  talk.err << "hopwise: " << message << '\n';
  return code;
}

Result<Json> ask(const RecordTalk& talk, const std::string& method, const std::string& target) {
  const auto reply = talk.ask(method, target);
  if (!reply) return reply.error();
  if (reply->status >= 300) return Error{render_error(reply->body)};
  Json answer = Json::parse(reply->body, nullptr, false);
  if (!answer.is_object() || !answer.contains("recording") || !answer.contains("bytes") ||
      !answer.contains("seconds") || !answer.contains("ended") || !answer.contains("file"))
    return Error{"the daemon's answer tells of no recording (is it of another version?)"};
  return {boost::system::in_place_value, std::move(answer)};
}

std::string progress_text(const Json& status) {
  return time_text(status["seconds"].get<double>()) + ", " + bytes_text(status["bytes"]);
}

int show(const RecordLine& line, const RecordTalk& talk, const std::string& method) {
  const auto status = ask(talk, method, kRecord);
  if (!status) return fail(talk, status.error().message, kFailed);
  if (line.json) {
    talk.out << *status << '\n';
  } else if ((*status)["file"].is_null()) {
    talk.out << "nothing was recorded so far\n";
  } else {
    const bool is_on = (*status)["recording"].get<bool>();
    talk.out << text((*status)["file"]) << ": " << (is_on ? "recording" : "ended") << ", "
             << progress_text(*status)
             << (is_on ? std::string() : " (" + text((*status)["ended"]) + ")") << '\n';
  }
  return kDone;
}

int follow(const RecordLine& line, const RecordTalk& talk, const std::string& file) {
  bool asked = false;
  for (int pauses = 1;; ++pauses) {
    talk.pause(kPause);
    if (talk.interrupted() && !asked) {
      asked = true;
      static_cast<void>(ask(talk, "DELETE", kRecord));
    }
    const auto status = ask(talk, "GET", kRecord);
    if (!status) return fail(talk, status.error().message, kFailed);
    if ((*status)["file"] != file)
      return fail(talk, "another recording has begun since: " + text((*status)["file"]), kFailed);
    if (!(*status)["recording"].get<bool>()) {
      const std::string because = text((*status)["ended"]);
      if (line.json)
        talk.out << *status << '\n';
      else
        talk.out << "\rrecorded " << progress_text(*status) << ": " << because << '\n';
      const bool well = because == "stopped" || because == "its time is over" ||
                        because == "it has reached its greatest size";
      return well ? kDone : kFailed;
    }
    if (!line.json && pauses % kPausesPerLine == 0)
      talk.out << "\rrecording " << progress_text(*status) << "   " << std::flush;
  }
}

}  // namespace

Result<std::int64_t> parse_record_duration(const std::string& text) {
  constexpr std::array<Unit, 4> kUnits{{{"s", 1}, {"m", 60}, {"h", 3600}, {"d", 86'400}}};
  const auto seconds = parse_with_unit(text, kUnits);
  if (!seconds || *seconds > std::uint64_t{366} * 86'400)
    return Error{"--duration: \"" + text + "\" is no time of at most a year (write 90s, 30m, 8h)"};
  return static_cast<std::int64_t>(*seconds);
}

Result<std::uint64_t> parse_record_size(const std::string& text) {
  constexpr std::array<Unit, 4> kUnits{
      {{"kB", 1000}, {"MB", 1'000'000}, {"GB", 1'000'000'000}, {"TB", 1'000'000'000'000}}};
  constexpr std::uint64_t kLeast = 100'000;
  const auto bytes = parse_with_unit(text, kUnits);
  if (!bytes || *bytes < kLeast)
    return Error{"--max-size: \"" + text + "\" is no size from 100kB to 17TB (write 500MB, 1GB)"};
  return *bytes;
}

int run_record(const RecordLine& line, const RecordTalk& talk) {
  if (line.status) return show(line, talk, "GET");
  if (line.stop) return show(line, talk, "DELETE");
  if (line.file.empty())
    return fail(talk, "record: FILE is missing (or --status, or --stop)", kUsage);
  const auto size = parse_record_size(line.max_size);
  if (!size) return fail(talk, size.error().message, kUsage);
  const std::string file = std::filesystem::absolute(line.file).lexically_normal();
  std::string target = std::string(kRecord) + "?file=" + api::encoded_value(file) +
                       "&bytes=" + std::to_string(*size);
  if (!line.duration.empty()) {
    const auto seconds = parse_record_duration(line.duration);
    if (!seconds) return fail(talk, seconds.error().message, kUsage);
    target += "&seconds=" + std::to_string(*seconds);
  }
  const auto begun = ask(talk, "POST", target);
  if (!begun) return fail(talk, begun.error().message, kFailed);
  if (!line.json) talk.out << "recording to " << file << " (Ctrl-C ends it)\n" << std::flush;
  return follow(line, talk, file);
}

}  // namespace hopwise::cli
