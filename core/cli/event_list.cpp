#include "core/cli/event_list.hpp"

#include <algorithm>
#include <charconv>
#include <nlohmann/json.hpp>
#include <optional>
#include <ostream>

#include "core/cli/event_text.hpp"
#include "core/cli/figures.hpp"
#include "core/cli/render.hpp"

namespace hopwise::cli {
namespace {

constexpr int kDone = 0, kFailed = 1, kUsage = 2;
constexpr Duration kPause = std::chrono::milliseconds(500);

// --- the line typed --------------------------------------------------------------------------

template <class T>
std::optional<T> number_of(const std::string& text) {
  T number{};
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  return error == std::errc{} && end == text.data() + text.size() ? std::optional(number)
                                                                  : std::nullopt;
}

/// "90s", "10m", "2h", "7d".
std::optional<std::chrono::seconds> time_of(const std::string& text) {
  if (text.empty()) return std::nullopt;
  const auto number = number_of<std::uint32_t>(text.substr(0, text.size() - 1));
  if (!number || *number == 0) return std::nullopt;
  switch (text.back()) {
    case 's':
      return std::chrono::seconds(*number);
    case 'm':
      return std::chrono::minutes(*number);
    case 'h':
      return std::chrono::hours(*number);
    case 'd':
      return std::chrono::hours(24) * *number;
    default:
      return std::nullopt;
  }
}

Result<> read_names(const EventLine& line, EventQuery& query) {
  query.nexthop = line.nexthop;
  if (!line.reason.empty() && !(query.reason = reason_named(line.reason)))
    return Error{"--reason: \"" + line.reason + "\" is no reason (cost, path_down, ramp, ...)"};
  if (!line.kind.empty() && !(query.kind = event_kind_named(line.kind)))
    return Error{"--kind: \"" + line.kind +
                 "\" is unknown (decision, effect, nexthop, reload, start, stop or speaker)"};
  return {};
}

Result<EventQuery> query_of(const EventLine& line, WallTime now) {
  EventQuery query;
  if (const auto named = read_names(line, query); !named) return named.error();
  if (!line.group.empty() && !(query.group = number_of<std::uint32_t>(line.group)))
    return Error{"--group: \"" + line.group +
                 "\" is no group's number (`hopwise status` lists them)"};
  const auto limit = number_of<std::uint32_t>(line.limit);
  if (!limit || *limit == 0 || *limit > 10'000)
    return Error{"--limit: \"" + line.limit + "\" is no number from 1 to 10000"};
  query.limit = *limit;
  if (line.since.empty()) return query;
  if (const auto number = number_of<std::uint64_t>(line.since))
    query.after = *number;
  else if (const auto time = time_of(line.since))
    query.not_before = now - *time;
  else
    return Error{"--since: \"" + line.since +
                 "\" is neither a time (90s, 10m, 2h, 7d) nor an event's number"};
  return query;
}

std::string target_of(const EventQuery& query, WallTime now) {
  std::string target = "/api/v1/events?limit=" + std::to_string(query.limit) +
                       "&since=" + std::to_string(query.after);
  if (query.not_before) {
    const auto within = std::chrono::ceil<std::chrono::seconds>(now - *query.not_before).count();
    target += "&within_s=" + std::to_string(std::max<std::int64_t>(1, within));
  }
  if (query.group) target += "&group=" + std::to_string(*query.group);
  if (!query.nexthop.empty()) target += "&nexthop=" + api::encoded_value(query.nexthop);
  if (query.reason) target += "&reason=" + std::string(text(*query.reason));
  if (query.kind) target += "&kind=" + std::string(text(*query.kind));
  return target;
}

// --- telling ---------------------------------------------------------------------------------

class Teller {
 public:
  Teller(const EventLine& line, EventQuery query, const EventTalk& talk)
      : line_(line), query_(std::move(query)), talk_(talk) {}

  int tell();
  int follow();

 private:
  int fail(const std::string& message) const {
    talk_.err << "hopwise: " << message << '\n';
    return kFailed;
  }
  void note(const std::string& message) const { talk_.err << "hopwise: " << message << std::endl; }
  Result<> print(const Json& answer);
  Result<> print_one(const std::string& json);
  int tell_file(const Error& because);
  Result<> ask_and_print();

  const EventLine& line_;
  EventQuery query_;
  const EventTalk& talk_;
  bool is_away_ = false;
};

Result<> Teller::print_one(const std::string& json) {
  if (line_.json) {
    talk_.out << json << '\n';
    return {};
  }
  const auto text = render_event(json);
  if (!text) return text.error();
  talk_.out << *text;
  return {};
}

Result<> Teller::print(const Json& answer) {
  const auto last = answer.at("last").get<std::uint64_t>();
  const auto first = answer.at("first").get<std::uint64_t>();
  const Json& events = answer.at("events");
  for (const Json& event : events)
    if (auto done = print_one(event.dump()); !done) return done;
  talk_.out << std::flush;
  const bool is_cut = query_.after > 0 && !is_away_ && first > query_.after + 1;
  if (const std::string file = answer.at("file"); is_cut && !file.empty())
    note("events older than #" + std::to_string(first) + " are in " + file + " alone");
  // A daemon that keeps events in memory alone begins anew with the first.
  query_.after = last < query_.after ? 0 : last;
  query_.not_before.reset();
  return {};
}

Result<> Teller::ask_and_print() {
  const auto reply = talk_.ask("GET", target_of(query_, talk_.wall()));
  if (!reply) return reply.error();
  if (reply->status != 200) return Error{render_error(reply->body)};
  try {
    return print(Json::parse(reply->body));
  } catch (const Json::exception& error) {
    return Error{std::string("read the daemon's answer: ") + error.what() +
                 " (is it of another version? -j shows the answer as it is)"};
  }
}

// Newest last, and of those that fit the last --limit.
int Teller::tell_file(const Error& because) {
  const auto records = talk_.read_file();
  if (!records) return fail(because.message + "; " + records.error().message);
  note(because.message);
  note("these are from " + talk_.file);
  std::vector<const EventRecord*> fitting;
  for (const EventRecord& record : *records)
    if (query_.accepts(record)) fitting.push_back(&record);
  const std::size_t skip = fitting.size() - std::min(fitting.size(), query_.limit);
  for (std::size_t i = skip; i < fitting.size(); ++i)
    if (const auto done = print_one(fitting[i]->json); !done) return fail(done.error().message);
  if (!records->empty()) query_.after = std::max(query_.after, records->back().sequence);
  query_.not_before.reset();
  talk_.out << std::flush;
  return kDone;
}

int Teller::tell() {
  const auto reply = talk_.ask("GET", "/healthz");
  if (!reply) {
    is_away_ = true;
    return tell_file(reply.error());
  }
  const auto told = ask_and_print();
  return told ? kDone : fail(told.error().message);
}

int Teller::follow() {
  if (const int code = tell(); code != kDone && !is_away_) return code;
  query_.limit = 10'000;
  for (talk_.pause(kPause); talk_.out; talk_.pause(kPause)) {
    const auto told = ask_and_print();
    if (told && is_away_) note("the daemon answers");
    if (!told && !is_away_) note(told.error().message + "; waiting for it");
    is_away_ = !told;
  }
  return kDone;
}

}  // namespace

int run_events(const EventLine& line, const EventTalk& talk) {
  auto query = query_of(line, talk.wall());
  if (!query) {
    talk.err << "hopwise: " << query.error().message << '\n';
    return kUsage;
  }
  Teller teller(line, std::move(*query), talk);
  return line.follow ? teller.follow() : teller.tell();
}

}  // namespace hopwise::cli
