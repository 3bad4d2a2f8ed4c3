#include "core/config/reader.hpp"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <optional>

namespace hopwise::config {
namespace {

struct Unit {
  std::string_view name;
  double nanoseconds;
};
constexpr Unit kUnits[] = {{"ns", 1},  {"us", 1e3}, {"ms", 1e6},
                           {"s", 1e9}, {"m", 6e10}, {"h", 3.6e12}};

struct Rate {
  std::string_view name;
  std::uint64_t bit_s;
};
constexpr Rate kRates[] = {{"bit", 1},
                           {"kbit", 1'000},
                           {"Mbit", 1'000'000},
                           {"Gbit", 1'000'000'000},
                           {"Tbit", 1'000'000'000'000}};

std::string quoted(std::string_view text) {
  return '"' + std::string(text.substr(0, 60)) + (text.size() > 60 ? "...\"" : "\"");
}

/// A fault is one line, whatever its key or text holds.
std::string printable(std::string line) {
  for (char& c : line)
    if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f) c = '?';
  return line;
}

std::string number_text(double number) {
  char text[32];
  return {text, std::to_chars(text, text + sizeof text, number).ptr};
}

template <class T>
std::optional<T> parse_whole(std::string_view text, T& number, int base = 10) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number, base);
  if (error != std::errc{} || end != text.data() + text.size()) return std::nullopt;
  return number;
}

/// Edits (insert, delete, replace, swap of neighbours) that make one text the other.
std::size_t distance(std::string_view a, std::string_view b) {
  std::vector<std::vector<std::size_t>> d(a.size() + 1, std::vector<std::size_t>(b.size() + 1));
  for (std::size_t i = 0; i <= a.size(); ++i) {
    for (std::size_t j = 0; j <= b.size(); ++j) {
      if (i == 0 || j == 0) {
        d[i][j] = i + j;
        continue;
      }
      d[i][j] =
          std::min({d[i - 1][j] + 1, d[i][j - 1] + 1, d[i - 1][j - 1] + (a[i - 1] != b[j - 1])});
      if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
        d[i][j] = std::min(d[i][j], d[i - 2][j - 2] + 1);
    }
  }
  return d[a.size()][b.size()];
}

/// The known key that was probably meant, else all of them.
std::string remedy(std::string_view key, const std::vector<std::string>& known) {
  if (known.empty()) return "no key is known here";
  std::string all;
  std::string_view nearest;
  std::size_t least = 1 + key.size() / 3;
  for (const std::string& candidate : known) {
    all += (all.empty() ? "" : ", ") + candidate;
    const std::size_t edits = key.size() > 64 ? key.size() : distance(key, candidate);
    if (edits > least || (edits == least && !nearest.empty())) continue;
    least = edits;
    nearest = candidate;
  }
  if (!nearest.empty()) return "did you mean " + quoted(nearest) + "?";
  return "known here: " + all;
}

template <class T, class Text>
std::string out_of_range(const std::string& shown, Range<T> range, const Text& text) {
  const bool bounded = range.max != std::numeric_limits<T>::max();
  return shown + " is out of range (" +
         (bounded ? "from " + text(range.min) + " to " + text(range.max)
                  : "at least " + text(range.min)) +
         ")";
}

}  // namespace

std::string duration_text(Duration duration) {
  const auto count = duration.count();
  const Unit* best = &kUnits[0];
  for (const Unit& unit : kUnits)
    if (count != 0 && count % static_cast<std::int64_t>(unit.nanoseconds) == 0) best = &unit;
  if (count == 0) return "0s";
  return std::to_string(count / static_cast<std::int64_t>(best->nanoseconds)) +
         std::string(best->name);
}

std::string bit_rate_text(std::uint64_t bit_s) {
  const Rate* best = &kRates[0];
  for (const Rate& rate : kRates)
    if (bit_s != 0 && bit_s % rate.bit_s == 0) best = &rate;
  return std::to_string(bit_s / best->bit_s) + std::string(best->name);
}

Object::Object(const Value& value, std::string path, std::vector<Fault>& faults)
    : value_(value), path_(std::move(path)), faults_(faults) {}

bool Object::has(std::string_view key) const {
  return std::any_of(value_.members.begin(), value_.members.end(),
                     [&](const Member& member) { return member.key == key; });
}

const Value* Object::value(std::string_view key) {
  asked_.emplace_back(key);
  for (const Member& member : value_.members)
    if (member.key == key) return &member.value;
  return nullptr;
}

const Value* Object::find(std::string_view key, Kind kind, std::string_view example) {
  const Value* found = value(key);
  if (found == nullptr || found->kind == kind) return found;
  std::string what(config::text(found->kind));
  if (found->kind == Kind::number || found->kind == Kind::boolean) what = found->text;
  if (found->kind == Kind::string) what = quoted(found->text);
  std::string wanted(config::text(kind));
  if (!example.empty()) wanted = "write " + std::string(example);
  fault(*found, path_of(key),
        what + " is not " + std::string(config::text(kind)) +
            (example.empty() ? "" : " (" + wanted + ")"));
  return nullptr;
}

bool Object::boolean(std::string_view key, bool& out) {
  const Value* found = find(key, Kind::boolean, "true or false, without quotes");
  if (found == nullptr) return false;
  out = found->text == "true";
  return true;
}

bool Object::any_text(std::string_view key, std::string& out) {
  const Value* found = find(key, Kind::string, "it in double quotes");
  if (found == nullptr) return false;
  out = found->text;
  return true;
}

bool Object::text(std::string_view key, std::string& out) {
  const Value* found = find(key, Kind::string, "it in double quotes");
  if (found == nullptr) return false;
  if (found->text.empty()) {
    fault(*found, path_of(key), "is empty (write a text, or leave the key out)");
    return false;
  }
  out = found->text;
  return true;
}

bool Object::one_of(std::string_view key, std::string& out,
                    std::initializer_list<const char*> choices) {
  std::string all;
  for (const char* choice : choices) all += (all.empty() ? "" : ", ") + quoted(choice);
  const Value* found = find(key, Kind::string, "one of " + all);
  if (found == nullptr) return false;
  if (std::find(choices.begin(), choices.end(), found->text) == choices.end()) {
    fault(*found, path_of(key), quoted(found->text) + " is unknown (write one of " + all + ")");
    return false;
  }
  out = found->text;
  return true;
}

bool Object::number(std::string_view key, double& out, Range<double> range) {
  const Value* found = find(key, Kind::number, "it without quotes and units");
  if (found == nullptr) return false;
  const double number = std::strtod(found->text.c_str(), nullptr);
  if (number < range.min || number > range.max) {
    fault(*found, path_of(key), out_of_range(found->text, range, number_text));
    return false;
  }
  out = number;
  return true;
}

bool Object::whole(std::string_view key, std::int64_t& out, Range<std::int64_t> range) {
  const Value* found = value(key);
  if (found == nullptr) return false;
  std::int64_t number = 0;
  const bool hex = found->kind == Kind::string && found->text.starts_with("0x");
  const bool good =
      hex ? parse_whole(std::string_view(found->text).substr(2), number, 16).has_value()
          : found->kind == Kind::number && parse_whole(found->text, number).has_value();
  if (!good) {
    const bool shown = found->kind == Kind::number || found->kind == Kind::string;
    fault(*found, path_of(key),
          (shown ? quoted(found->text) : std::string(config::text(found->kind))) +
              " is not a whole number (write digits without quotes)");
    return false;
  }
  if (number < range.min || number > range.max) {
    const auto text = [](std::int64_t n) { return std::to_string(n); };
    fault(*found, path_of(key), out_of_range(found->text, range, text));
    return false;
  }
  out = number;
  return true;
}

bool Object::duration(std::string_view key, Duration& out, Range<Duration> range) {
  const Value* found = value(key);
  if (found == nullptr) return false;
  const std::string& text = found->text;
  if (found->kind != Kind::string && found->kind != Kind::number) {
    fault(*found, path_of(key),
          std::string(config::text(found->kind)) + " is not a duration (write one like \"200ms\")");
    return false;
  }
  double count = 0;
  const auto [end, error] =
      std::from_chars(text.data(), text.data() + text.size(), count, std::chars_format::fixed);
  const std::string_view name(end, static_cast<std::size_t>(text.data() + text.size() - end));
  const auto unit = std::find_if(std::begin(kUnits), std::end(kUnits),
                                 [&](const Unit& u) { return u.name == name; });
  const double ns = unit == std::end(kUnits) ? 0 : count * unit->nanoseconds;
  if (error != std::errc{} || text[0] < '0' || text[0] > '9') {
    fault(*found, path_of(key), quoted(text) + " is not a duration (write one like \"200ms\")");
  } else if (name.empty()) {
    fault(*found, path_of(key), quoted(text) + " has no unit (write \"" + text + "ms\")");
  } else if (unit == std::end(kUnits)) {
    fault(*found, path_of(key), quoted(name) + " is no unit of time (use ns, us, ms, s, m or h)");
  } else if (ns < static_cast<double>(range.min.count()) ||
             ns > static_cast<double>(range.max.count())) {
    fault(*found, path_of(key), out_of_range(quoted(text), range, duration_text));
  } else {
    out = Duration(static_cast<std::int64_t>(std::llround(ns)));
    return true;
  }
  return false;
}

bool Object::bit_rate(std::string_view key, std::uint64_t& out, Range<std::uint64_t> range) {
  const Value* found = find(key, Kind::string, "it with its unit, like \"500Mbit\"");
  if (found == nullptr) return false;
  const std::string& text = found->text;
  double count = 0;
  const auto [end, error] =
      std::from_chars(text.data(), text.data() + text.size(), count, std::chars_format::fixed);
  const std::string_view name(end, static_cast<std::size_t>(text.data() + text.size() - end));
  const auto unit = std::find_if(std::begin(kRates), std::end(kRates),
                                 [&](const Rate& r) { return r.name == name; });
  if (error != std::errc{} || text[0] < '0' || text[0] > '9') {
    fault(*found, path_of(key), quoted(text) + " is no rate (write one like \"500Mbit\")");
  } else if (unit == std::end(kRates)) {
    fault(*found, path_of(key),
          quoted(text) + " has no unit of rate (write bit, kbit, Mbit, Gbit or Tbit behind it)");
  } else if (const double rate = count * static_cast<double>(unit->bit_s);
             rate < static_cast<double>(range.min) || rate > static_cast<double>(range.max)) {
    fault(*found, path_of(key), out_of_range(quoted(text), range, bit_rate_text));
  } else {
    out = static_cast<std::uint64_t>(std::llround(rate));
    return true;
  }
  return false;
}

bool Object::address(std::string_view key, IpAddress& out) {
  const Value* found = find(key, Kind::string, "\"192.0.2.1\" or \"2001:db8::1\"");
  if (found == nullptr) return false;
  const auto address = IpAddress::parse(found->text);
  if (!address) {
    fault(*found, path_of(key),
          quoted(found->text) + " is no address (write \"192.0.2.1\" or \"2001:db8::1\")");
    return false;
  }
  out = *address;
  return true;
}

template <class T, class Parse>
bool Object::list(std::string_view key, std::vector<T>& out, const Parse& parse,
                  std::string_view wanted) {
  const Value* found = find(key, Kind::list, "[...], also around a single one");
  if (found == nullptr) return false;
  const std::size_t faults = faults_.size();
  std::vector<T> items;
  for (std::size_t i = 0; i < found->items.size(); ++i) {
    const Value& item = found->items[i];
    const std::string path = path_of(key) + '[' + std::to_string(i) + ']';
    std::optional<T> parsed;
    if (item.kind == Kind::string) parsed = parse(item.text);
    const std::string shown =
        item.kind == Kind::string ? quoted(item.text) : std::string(config::text(item.kind));
    if (!parsed)
      fault(item, path, shown + " is no " + std::string(wanted));
    else if (std::find(items.begin(), items.end(), *parsed) != items.end())
      fault(item, path, shown + " stands here twice (remove one)");
    else
      items.push_back(std::move(*parsed));
  }
  if (faults_.size() != faults) return false;
  out = std::move(items);
  return true;
}

bool Object::texts(std::string_view key, std::vector<std::string>& out) {
  const auto parse = [](const std::string& text) {
    return text.empty() ? std::nullopt : std::optional(text);
  };
  return list(key, out, parse, "text (write it in double quotes)");
}

bool Object::prefixes(std::string_view key, std::vector<Prefix>& out) {
  return list(
      key, out, Prefix::parse,
      "prefix (write \"203.0.113.0/24\" or \"2001:db8::/32\", no bits set beyond the length)");
}

bool Object::object(std::string_view key, const Each& read) {
  const Value* found = find(key, Kind::object, "{...}");
  if (found == nullptr) return false;
  Object child(*found, path_of(key), faults_);
  read(child);
  child.report_unknown();
  return true;
}

bool Object::objects(std::string_view key, const Each& read) {
  return elements(key, "[{...}, {...}]", {}, read);
}

bool Object::texts_or_objects(std::string_view key, const EachText& text, const Each& read) {
  return elements(key, "[...], also around a single one", text, read);
}

bool Object::elements(std::string_view key, std::string_view example, const EachText& text,
                      const Each& read) {
  const Value* found = find(key, Kind::list, example);
  if (found == nullptr) return false;
  for (std::size_t i = 0; i < found->items.size(); ++i) {
    const Value& item = found->items[i];
    const std::string path = path_of(key) + '[' + std::to_string(i) + ']';
    if (item.kind == Kind::string && text) {
      if (const auto good = text(item.text); !good) fault(item, path, good.error().message);
      continue;
    }
    if (item.kind != Kind::object) {
      fault(item, path,
            std::string(config::text(item.kind)) + " is not " + (text ? "a text or " : "") +
                "an object (write {...})");
      continue;
    }
    Object child(item, path, faults_);
    read(child);
    child.report_unknown();
  }
  return true;
}

void Object::require(std::initializer_list<std::string_view> keys) {
  for (const std::string_view key : keys)
    if (!has(key)) fault(value_, path_, "key " + quoted(key) + " is missing (add it)");
}

void Object::fault(std::string_view key, std::string what) {
  for (const Member& member : value_.members)
    if (member.key == key) return fault(member.value, path_of(key), std::move(what));
  fault(value_, path_of(key), std::move(what));
}

void Object::fault(const Value& value, std::string path, std::string what) {
  faults_.push_back({value.at, std::move(path), std::move(what)});
}

std::string Object::path_of(std::string_view key) const {
  return path_ + (path_.empty() ? "" : ".") + std::string(key);
}

void Object::report_unknown() {
  for (const Member& member : value_.members) {
    if (std::find(asked_.begin(), asked_.end(), member.key) != asked_.end()) continue;
    faults_.push_back(
        {member.at, path_,
         "unknown key " + quoted(member.key) + " (" + remedy(member.key, asked_) + ")"});
  }
}

Result<> read(std::string_view text, const std::string& file, const Object::Each& top) {
  Document document = read_document(text);
  const bool syntax = document.root.kind == Kind::null && !document.faults.empty();
  if (document.root.kind == Kind::object) {
    Object object(document.root, "", document.faults);
    top(object);
    object.report_unknown();
  } else if (!syntax) {
    document.faults.push_back({document.root.at, "",
                               std::string(config::text(document.root.kind)) +
                                   " is not an object (write { ... } around everything)"});
  }
  if (document.faults.empty()) return {};
  std::stable_sort(document.faults.begin(), document.faults.end(),
                   [](const Fault& a, const Fault& b) { return a.at < b.at; });
  std::string message;
  for (const Fault& fault : document.faults) {
    message += (message.empty() ? "" : "\n") + file + ':' + std::to_string(fault.at.line) + ':' +
               std::to_string(fault.at.column) + ": " +
               printable(fault.path + (fault.path.empty() ? "" : ": ") + fault.what);
  }
  return Error{std::move(message)};
}

}  // namespace hopwise::config
