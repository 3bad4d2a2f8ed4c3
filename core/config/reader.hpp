// Typed reading of a JSON document that collects every fault instead of stopping at the first.
//
//   auto result = config::read(text, "lab.json", [&](config::Object& top) {
//     top.text("name", scenario.name);
//     top.number("duration_s", scenario.duration_s, {1, 3600});
//     top.objects("events", [&](config::Object& event) { ... });
//   });
//
// A key that is absent leaves its target as it was: defaults are what the targets hold before. A
// key that nobody asked for is a fault, with the nearest known key as a suggestion. Used by the
// configuration and by the lab's scenario files.
#pragma once

#include <concepts>
#include <cstdint>
#include <functional>
#include <initializer_list>
#include <limits>
#include <string>
#include <string_view>
#include <vector>

#include "core/config/document.hpp"
#include "core/model/address.hpp"
#include "core/model/result.hpp"
#include "core/model/time.hpp"

namespace hopwise::config {

/// Both ends are allowed.
template <class T>
struct Range {
  T min = std::numeric_limits<T>::lowest();
  T max = std::numeric_limits<T>::max();
};

/// One JSON object being read. Each getter returns true when the key is present and its value good;
/// then, and only then, it writes `out`.
class Object {
 public:
  using Each = std::function<void(Object&)>;

  bool boolean(std::string_view key, bool& out);
  /// Text that is not empty.
  bool text(std::string_view key, std::string& out);
  /// Text that may be empty.
  bool any_text(std::string_view key, std::string& out);
  bool one_of(std::string_view key, std::string& out, std::initializer_list<const char*> choices);
  bool number(std::string_view key, double& out, Range<double> range = {});
  bool ratio(std::string_view key, double& out) { return number(key, out, {0, 1}); }
  /// A whole number, or text of a hexadecimal one: 42, "0x68770000".
  template <std::integral T>
  bool integer(std::string_view key, T& out, Range<T> range = {}) {
    std::int64_t value = 0;
    if (!whole(key, value, {std::int64_t{range.min}, std::int64_t{range.max}})) return false;
    out = static_cast<T>(value);
    return true;
  }
  /// "50us", "200ms", "1.5s", "10m", "2h".
  bool duration(std::string_view key, Duration& out, Range<Duration> range);
  /// "500kbit", "1.5Mbit", "10Gbit": bits a second.
  bool bit_rate(std::string_view key, std::uint64_t& out, Range<std::uint64_t> range);
  bool address(std::string_view key, IpAddress& out);

  // Lists replace what `out` held. An element twice is a fault.
  bool texts(std::string_view key, std::vector<std::string>& out);
  bool prefixes(std::string_view key, std::vector<Prefix>& out);

  /// Reads the object under `key`, or each of the list's objects.
  bool object(std::string_view key, const Each& read);
  bool objects(std::string_view key, const Each& read);
  /// Each element of the list: a text to `text`, whose error is the fault there, an object to
  /// `read`.
  using EachText = std::function<Result<>(const std::string&)>;
  bool texts_or_objects(std::string_view key, const EachText& text, const Each& read);
  /// Anything at all, unread: nothing when absent.
  const Value* value(std::string_view key);

  /// Makes the absence of any of these keys a fault.
  void require(std::initializer_list<std::string_view> keys);
  [[nodiscard]] bool has(std::string_view key) const;
  /// A fault of the caller's finding, at the key's value (or at the object where it is absent).
  void fault(std::string_view key, std::string what);

  Object(const Object&) = delete;

 private:
  friend Result<> read(std::string_view, const std::string&, const Each&);
  Object(const Value& value, std::string path, std::vector<Fault>& faults);

  const Value* find(std::string_view key, Kind kind, std::string_view example);
  bool whole(std::string_view key, std::int64_t& out, Range<std::int64_t> range);
  template <class T, class Parse>
  bool list(std::string_view key, std::vector<T>& out, const Parse& parse, std::string_view wanted);
  bool elements(std::string_view key, std::string_view example, const EachText& text,
                const Each& read);
  void fault(const Value& value, std::string path, std::string what);
  [[nodiscard]] std::string path_of(std::string_view key) const;
  void report_unknown();

  const Value& value_;
  const std::string path_;  // empty at the top
  std::vector<Fault>& faults_;
  std::vector<std::string> asked_;
};

/// Reads `text` by `top`. The error has one line for each fault, in the file's order:
/// "FILE:LINE:COLUMN: PATH: what (remedy)".
Result<> read(std::string_view text, const std::string& file, const Object::Each& top);

/// "200ms": in the largest unit that leaves no fraction.
std::string duration_text(Duration duration);
/// "1500kbit": likewise.
std::string bit_rate_text(std::uint64_t bit_s);

}  // namespace hopwise::config
