#include "core/cli/route_list.hpp"

#include <charconv>
#include <cstdint>
#include <map>
#include <nlohmann/json.hpp>
#include <optional>
#include <ostream>

#include "core/cli/figures.hpp"
#include "core/cli/render.hpp"
#include "core/model/address.hpp"

namespace hopwise::cli {
namespace {

constexpr int kDone = 0, kFailed = 1, kUsage = 2;
constexpr std::uint64_t kPage = 500;  // routes asked for at once

std::optional<std::uint64_t> number_of(const std::string& text) {
  std::uint64_t number{};
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  return error == std::errc{} && end == text.data() + text.size() ? std::optional(number)
                                                                  : std::nullopt;
}

/// What is asked for, without where the page begins and how long it is.
struct Question {
  std::string parameters;  // "&family=v4..."
  std::optional<std::uint64_t> limit;
  bool one = false;  // a longest match, or one prefix
};

/// Whether it is about one route is noted in `question`.
Result<> add_where(const RouteLine& line, Question& question) {
  if (line.where.empty()) {
    if (line.longer) return Error{"--longer: than which prefix? (hopwise routes PREFIX --longer)"};
    return {};
  }
  const auto address = IpAddress::parse(line.where);
  if (!address && !Prefix::parse(line.where))
    return Error{'"' + line.where +
                 "\" is neither an address nor a prefix (203.0.113.9, 203.0.113.0/24; no bits "
                 "beyond the length)"};
  question.one = !line.longer;
  const char* key = line.longer ? "&within=" : address ? "&match=" : "&prefix=";
  question.parameters += key + api::encoded_value(line.where);
  return {};
}

Result<Question> question_of(const RouteLine& line) {
  Question question;
  if (const auto added = add_where(line, question); !added) return added.error();
  if (!line.limit.empty()) {
    question.limit = number_of(line.limit);
    if (!question.limit || *question.limit == 0)
      return Error{"--limit: \"" + line.limit + "\" is no number from 1 on"};
  }
  if (!line.family.empty() && line.family != "v4" && line.family != "v6")
    return Error{"--family: \"" + line.family + "\" is neither v4 nor v6"};
  if (!line.group.empty() && !number_of(line.group))
    return Error{"--group: \"" + line.group +
                 "\" is no group's number (`hopwise status` lists them)"};
  if (line.left_to_kernel && line.steered)
    return Error{"--left-to-kernel and --steered: one of them (without: all)"};
  const auto add = [&](const char* key, const std::string& value) {
    if (!value.empty()) question.parameters += key + api::encoded_value(value);
  };
  add("&family=", line.family);
  add("&group=", line.group);
  add("&nexthop=", line.nexthop);
  add("&shown=", line.left_to_kernel ? "kernel" : line.steered ? "steered" : "");
  add("&count=", line.count ? "only" : "");
  return question;
}

std::string nexthops_text(const Json& nexthops) {
  std::string text;
  for (const Json& nexthop : nexthops) {
    const auto weight = nexthop.at("kernel_weight").get<std::uint64_t>();
    text += (text.empty() ? "" : ", ") + nexthop.at("nexthop").get<std::string>();
    if (weight == 0) text += " (candidate)";
    if (weight > 1) text += " x" + std::to_string(weight);
  }
  return text;
}

/// "203.0.113.0/24  group 3: isp-a, isp-b" or "10.0.0.0/8  kernel (one nexthop): 192.0.2.1@eth1".
std::string route_text(const Json& route) {
  std::string text = route.at("prefix").get<std::string>() + "  ";
  if (route.at("group").is_null())
    text += "kernel, " + route.at("because").get<std::string>();
  else
    text += "group " + std::to_string(route.at("group").get<std::uint64_t>());
  const std::string nexthops = nexthops_text(route.at("nexthops"));
  if (!nexthops.empty()) text += ": " + nexthops;
  if (route.contains("promoted_below"))
    text += "  (a destination with weights of its own, by route " +
            route.at("promoted_below").get<std::string>() + ')';
  return text;
}

class Teller {
 public:
  Teller(const RouteLine& line, Question question, const RouteTalk& talk)
      : line_(line), question_(std::move(question)), talk_(talk) {}

  Result<> tell();
  [[nodiscard]] std::uint64_t told() const { return told_; }

 private:
  Result<Json> page();
  void print(const Json& page);
  void print_count() const;

  const RouteLine& line_;
  Question question_;
  const RouteTalk& talk_;
  std::string after_;
  std::uint64_t told_ = 0;
};

Result<Json> Teller::page() {
  std::uint64_t size = kPage;
  if (question_.limit) size = std::min(size, *question_.limit - told_);
  std::string target = "/api/v1/routes?limit=" + std::to_string(size) + question_.parameters;
  if (!after_.empty()) target += "&after=" + api::encoded_value(after_);
  const auto reply = talk_.ask("GET", target);
  if (!reply) return reply.error();
  if (reply->status != 200) return Error{render_error(reply->body)};
  return {boost::system::in_place_value, Json::parse(reply->body)};
}

void Teller::print(const Json& page) {
  std::map<std::uint64_t, Json> groups;
  for (const Json& group : page.at("groups"))
    groups[group.at("id").get<std::uint64_t>()] = group.at("nexthops");
  for (Json route : page.at("routes")) {
    if (const Json& group = route.at("group"); !group.is_null())
      route["nexthops"] = groups[group.get<std::uint64_t>()];
    talk_.out << (line_.json ? route.dump() : route_text(route)) << '\n';
  }
}

void Teller::print_count() const {
  if (line_.json)
    talk_.out << "{\"counted\":" << told_ << "}\n";
  else
    talk_.out << told_ << '\n';
}

Result<> Teller::tell() try {
  for (;;) {
    const auto page = this->page();
    if (!page) return page.error();
    told_ += page->at("counted").get<std::uint64_t>();
    if (!line_.count) print(*page);
    const Json& next = page->at("next");
    const bool enough = question_.limit && !line_.count && told_ >= *question_.limit;
    if (next.is_null() || enough || !talk_.out) break;
    after_ = next.get<std::string>();
  }
  if (line_.count) print_count();
  talk_.out << std::flush;
  return {};
} catch (const Json::exception& error) {
  return Error{std::string("read the daemon's routes: ") + error.what() +
               " (is it of another version?)"};
}

}  // namespace

int run_routes(const RouteLine& line, const RouteTalk& talk) {
  const auto question = question_of(line);
  if (!question) {
    talk.err << "hopwise: " << question.error().message << '\n';
    return kUsage;
  }
  Teller teller(line, *question, talk);
  if (const auto told = teller.tell(); !told) {
    talk.err << "hopwise: " << told.error().message << '\n';
    return kFailed;
  }
  if (!question->one || teller.told() > 0 || line.count) return kDone;
  talk.err << "hopwise: no route that hopwise knows "
           << (IpAddress::parse(line.where) ? "covers " : "is exactly ") << line.where
           << ": the kernel forwards by its own, if it has one\n";
  return kFailed;
}

}  // namespace hopwise::cli
