// Reading a recording, line by line: whatever is in the file, each line is a call of the listener
// or an error that says where it stands.
#include <array>
#include <charconv>
#include <cmath>
#include <istream>
#include <limits>
#include <utility>

#include "core/config/document.hpp"
#include "core/simulation/fields.hpp"
#include "core/simulation/recording.hpp"

namespace hopwise::simulation {
namespace {

using config::Kind;
using config::Position;
using config::Value;

constexpr std::string_view kBeginning = "{\"hopwise_recording\":";
constexpr std::size_t kLongestLine = std::size_t{4} << 20;
constexpr std::size_t kBlock = std::size_t{1} << 16;
constexpr std::int64_t kFarthest = std::int64_t{1} << 60;  // ns: sums of times do not overflow

/// What is wrong with a line, and where in it. Thrown and caught in this file alone.
struct Fault {
  Position at;
  std::string what;
};

[[noreturn]] void refuse(const Value& value, const std::string& wanted) {
  throw Fault{value.at, "should be " + wanted + ", and is " + std::string(text(value.kind))};
}

template <class T>
T number_of(const Value& value) {
  T number{};
  const char* end = value.text.data() + value.text.size();
  const bool is_good = value.kind == Kind::number && [&] {
    const auto [stop, error] = std::from_chars(value.text.data(), end, number);
    return error == std::errc{} && stop == end;
  }();
  if (!is_good) {
    const std::string wanted = std::floating_point<T> ? "a number" : "a whole number in range";
    if (value.kind != Kind::number) refuse(value, wanted);
    throw Fault{value.at, "should be " + wanted + ", and is " + value.text};
  }
  return number;
}

/// What numbers in a line mean.
struct Context {
  TimePoint clock;  // of the last tick
  std::vector<Anchor> anchors;
};

class Reader {
 public:
  explicit Reader(const Context& context) : context_(context) {}

  template <class T>
  void value(const Value& from, T& v) const {
    if constexpr (std::same_as<T, bool>) {
      v = from.kind == Kind::boolean ? from.text == "true" : number_of<unsigned>(from) != 0;
    } else if constexpr (std::is_enum_v<T>) {
      const auto number = number_of<std::uint32_t>(from);
      if (number > static_cast<std::uint32_t>(last_of(T{})))
        throw Fault{from.at, from.text +
                                 " is none of the values there are (is the recording of a "
                                 "newer hopwise?)"};
      v = static_cast<T>(number);
    } else if constexpr (std::floating_point<T>) {
      v = from.kind == Kind::null ? std::numeric_limits<T>::quiet_NaN() : number_of<T>(from);
    } else if constexpr (std::integral<T>) {
      v = number_of<T>(from);
    } else if constexpr (std::same_as<T, Duration>) {
      v = time_span_of(from);
    } else if constexpr (std::same_as<T, TimePoint>) {
      v = time_of(from);
    } else if constexpr (std::same_as<T, std::string>) {
      if (from.kind != Kind::string) refuse(from, "a text");
      v = from.text;
    } else if constexpr (std::same_as<T, Anchor>) {
      v = anchor_of(from);
    } else {
      compound(from, v);
    }
  }

 private:
  // Far from where any addition of times could overflow.
  [[nodiscard]] static Duration time_span_of(const Value& from) {
    const auto span = number_of<std::int64_t>(from);
    if (span > kFarthest || span < -kFarthest)
      throw Fault{from.at, from.text + " ns are too much to be a time"};
    return Duration(span);
  }
  [[nodiscard]] TimePoint time_of(const Value& from) const {
    const Duration ahead = time_span_of(from);
    const std::int64_t then = (context_.clock + ahead).time_since_epoch().count();
    if (then > kFarthest || then < -kFarthest)
      throw Fault{from.at, "is too far from the last tick to be a time"};
    return context_.clock + ahead;
  }
  [[nodiscard]] Anchor anchor_of(const Value& from) const {
    if (from.kind == Kind::string) {
      const auto anchor = Anchor::parse(from.text);
      if (!anchor) throw Fault{from.at, anchor.error().message};
      return *anchor;
    }
    const auto number = number_of<std::size_t>(from);
    if (number >= context_.anchors.size())
      throw Fault{from.at, "there is no anchor " + from.text + " so far (an \"a\" line tells one)"};
    return context_.anchors[number];
  }
  template <class T>
  void compound(const Value& from, std::optional<T>& v) const {
    v.reset();
    if (from.kind != Kind::null) value(from, v.emplace());
  }
  template <class T>
  void compound(const Value& from, std::vector<T>& v) const {
    if (from.kind != Kind::list) refuse(from, "a list");
    v.clear();
    for (const Value& item : from.items) value(item, v.emplace_back());
  }
  template <class T, std::size_t n>
  void compound(const Value& from, std::array<T, n>& v) const {
    if (from.kind != Kind::list || from.items.size() > n)
      refuse(from, "a list of at most " + std::to_string(n));
    v = {};
    for (std::size_t i = 0; i < from.items.size(); ++i) value(from.items[i], v[i]);
  }
  template <class T>
  void compound(const Value& from, T& v) const;

  const Context& context_;
};

/// What is absent keeps its default; what is unknown is of a newer hopwise, and left out.
struct ObjectFields {
  const Reader& reader;
  const Value& object;

  template <class T>
  void operator()(std::string_view name, T& v) const {
    for (const config::Member& member : object.members)
      if (member.key == name) reader.value(member.value, v);
  }
};

/// What is left out at the end is zero, or nothing.
struct ListFields {
  const Reader& reader;
  const Value& list;
  std::size_t next = 0;

  template <class T>
  void operator()(std::string_view /*name*/, T& v) {
    if (next < list.items.size())
      reader.value(list.items[next++], v);
    else
      v = T{};
  }
};

template <class T>
void Reader::compound(const Value& from, T& v) const {
  if (from.kind == Kind::object) {
    const ObjectFields fields{*this, from};
    return describe(fields, v);
  }
  if (from.kind != Kind::list) refuse(from, "a list");
  ListFields fields{*this, from};
  describe(fields, v);
  if (fields.next < from.items.size())
    throw Fault{from.items[fields.next].at, "is one value too many"};
}

/// The lines of a stream, without those that are too long to be of a recording.
class Lines {
 public:
  explicit Lines(std::istream& in) : in_(in) {}

  enum class Next : std::uint8_t { line, torn, too_long, none };
  Next next(std::string_view& line) {
    while (true) {
      const std::size_t end = text_.find('\n', std::max(searched_, from_));
      if (end != std::string::npos) {
        line = std::string_view(text_).substr(from_, end - from_);
        searched_ = from_ = end + 1;
        return Next::line;
      }
      if (text_.size() - from_ > kLongestLine) return Next::too_long;
      text_.erase(0, std::exchange(from_, 0));
      searched_ = text_.size();
      text_.resize(searched_ + kBlock);
      in_.read(text_.data() + searched_, kBlock);
      text_.resize(searched_ + static_cast<std::size_t>(in_.gcount()));
      if (in_.gcount() > 0) continue;
      line = text_;
      from_ = text_.size();
      return text_.empty() ? Next::none : Next::torn;
    }
  }

 private:
  std::istream& in_;
  std::string text_;
  std::size_t from_ = 0;
  std::size_t searched_ = 0;
};

/// One line after the other, told to the listener.
class Teller {
 public:
  explicit Teller(RecordingListener& to) : to_(to) {}

  /// Throws a Fault.
  void tell(std::string_view line, RecordingEnd& end);
  [[nodiscard]] bool began() const { return began_; }

 private:
  void tell_head(const Value& root);
  void tell_list(const Value& root);
  bool tell_setting(std::string_view tag, const Value& root);
  bool tell_measurement(std::string_view tag, const Value& root);
  void tell_tick(const Value& root);

  /// The elements behind the tag, one into each of `fields`: no fewer than `least`, no more.
  template <class... Fields>
  void fields(const Value& root, std::size_t least, Fields&... fields) const {
    const std::size_t given = root.items.size() - 1;
    if (given < least || given > sizeof...(Fields))
      throw Fault{root.at, "has " + std::to_string(given) + " values instead of " +
                               std::to_string(sizeof...(Fields))};
    std::size_t next = 1;
    const Reader reader(context_);
    ((next <= given ? reader.value(root.items[next++], fields) : void()), ...);
  }
  /// The struct whose fields are the elements behind the tag, or is the one there.
  template <class T>
  T one(const Value& root) const {
    T value{};
    const Reader reader(context_);
    if (root.items.size() == 2 && root.items[1].kind == Kind::list) {
      reader.value(root.items[1], value);
      return value;
    }
    throw Fault{root.at, "should have one list behind its first value"};
  }

  RecordingListener& to_;
  Context context_;
  bool began_ = false;
  bool ended_ = false;
};

void Teller::tell_head(const Value& root) {
  RecordingHead head;
  std::string from = "start";
  std::int64_t began = 0, clock = 0;
  const Reader reader(context_);
  const ObjectFields fields{reader, root};
  fields("hopwise_recording", head.version);
  if (head.version != kRecordingVersion)
    throw Fault{root.at, "is of version " + std::to_string(head.version) +
                             " of the format; this hopwise reads " +
                             std::to_string(kRecordingVersion)};
  fields("made_by", head.made_by), fields("began_ns", began), fields("clock_ns", clock);
  fields("from", from), fields("options", head.options);
  if (clock < 0 || clock > kFarthest) throw Fault{root.at, "clock_ns is no time"};
  if (from != "start" && from != "running")
    throw Fault{root.at, "from: \"" + from + "\" is neither \"start\" nor \"running\""};
  head.began = WallTime(Duration(began));
  head.clock = TimePoint(Duration(clock));
  head.from = from == "start" ? RecordingHead::From::start : RecordingHead::From::running;
  context_.clock = head.clock;
  began_ = true;
  to_.begins(head);
}

bool Teller::tell_setting(std::string_view tag, const Value& root) {
  NexthopId nexthop{};
  GroupId group{};
  TimePoint now;
  if (tag == "n") {
    std::string name;
    fields(root, 2, nexthop, name);
    to_.named(nexthop, name);
  } else if (tag == "a") {
    std::size_t number = 0;
    Anchor anchor;
    fields(root, 2, number, anchor);
    if (number != context_.anchors.size())
      throw Fault{root.items[1].at,
                  "anchor " + std::to_string(context_.anchors.size()) + " should come now"};
    context_.anchors.push_back(anchor);
  } else if (tag == "o") {
    engine::Options options;
    fields(root, 1, options);
    to_.reconfigure(options);
  } else if (tag == "g") {
    Group made;
    std::vector<std::uint32_t> holds;
    fields(root, 3, made.id, now, made.paths, holds);
    to_.set_group(made, now, holds);
  } else if (tag == "gx") {
    fields(root, 1, group), to_.remove_group(group);
  } else if (tag == "nx") {
    fields(root, 1, nexthop), to_.remove_nexthop(nexthop);
  } else if (tag == "na") {
    std::vector<Anchor> anchors;
    fields(root, 2, nexthop, anchors);
    to_.set_anchors(nexthop, anchors);
  } else if (tag == "gt") {
    engine::GroupTerms terms;
    fields(root, 2, group, terms), to_.set_terms(group, terms);
  } else if (tag == "nt") {
    engine::NexthopTerms terms;
    fields(root, 2, nexthop, terms), to_.set_terms(nexthop, terms);
  } else if (tag == "nm") {
    engine::NexthopMemory memory;
    fields(root, 3, nexthop, now, memory), to_.recall(nexthop, memory, now);
  } else if (tag == "gm") {
    engine::GroupMemory memory;
    fields(root, 3, group, now, memory), to_.recall(group, memory, now);
  } else {
    return false;
  }
  return true;
}

bool Teller::tell_measurement(std::string_view tag, const Value& root) {
  if (tag == "s") {
    Value list{Kind::list, root.at, {}, {root.items.begin() + 1, root.items.end()}, {}};
    Sample sample;
    if (list.items.size() < 2) throw Fault{root.at, "has no nexthop and anchor"};
    Reader(context_).value(list, sample);
    to_.observe(sample);
  } else if (tag == "p") {
    to_.observe(one<PathReading>(root));
  } else if (tag == "c") {
    to_.observe(one<ControlReading>(root));
  } else if (tag == "l") {
    to_.observe(one<LoadReading>(root));
  } else if (tag == "k") {
    to_.observe(one<NexthopEvent>(root));
  } else if (tag == "x") {
    to_.observe(one<EscapeEvent>(root));
  } else if (tag == "d") {
    to_.decided(one<Decision>(root));
  } else {
    return false;
  }
  return true;
}

void Teller::tell_tick(const Value& root) {
  TimePoint now;
  fields(root, 1, now);
  to_.decide(now);
  context_.clock = now;
}

void Teller::tell_list(const Value& root) {
  if (root.items.empty() || root.items[0].kind != Kind::string)
    throw Fault{root.at, "should begin with a text that says what it is: [\"t\",...]"};
  const std::string& tag = root.items[0].text;
  if (tag == "t") return tell_tick(root);
  if (tell_measurement(tag, root) || tell_setting(tag, root)) return;
  throw Fault{root.items[0].at,
              "unknown kind of line \"" + tag + "\" (is the recording of a newer hopwise?)"};
}

void Teller::tell(std::string_view line, RecordingEnd& end) {
  const config::Document document = config::read_document(line);
  if (!document.faults.empty())
    throw Fault{document.faults.front().at, document.faults.front().what};
  const Value& root = document.root;
  if (ended_) throw Fault{root.at, "stands behind the line that ends the recording"};
  if (!began_) {
    if (root.kind != Kind::object || root.members.empty() ||
        root.members.front().key != "hopwise_recording")
      throw Fault{root.at, "this is no recording: its first line should begin with " +
                               std::string(kBeginning) + " (`hopwise record` writes them)"};
    return tell_head(root);
  }
  if (root.kind == Kind::list) return tell_list(root);
  if (root.kind != Kind::object || root.members.empty() || root.members.front().key != "end")
    throw Fault{root.at, "should be a list, or {\"end\": ...}"};
  Reader(context_).value(root.members.front().value, end.because.emplace());
  ended_ = true;
}

}  // namespace

bool is_recording(std::string_view beginning) {
  return beginning.starts_with(kBeginning);
}

Result<RecordingEnd> read_recording(std::istream& in, const std::string& file,
                                    RecordingListener& to) {
  RecordingEnd end;
  Lines lines(in);
  Teller teller(to);
  const auto error = [&](Position at, const std::string& what) {
    return Error{file + ':' + std::to_string(end.lines + at.line) + ':' +
                 std::to_string(at.column) + ": " + what};
  };
  while (true) {
    std::string_view line;
    const Lines::Next next = lines.next(line);
    if (next == Lines::Next::none) break;
    if (next == Lines::Next::too_long)
      return error({1, 1}, "this line is too long to be of a recording");
    try {
      teller.tell(line, end);
    } catch (const Fault& fault) {
      if (next == Lines::Next::torn && teller.began()) {
        end.torn = true;
        break;
      }
      return error(fault.at, fault.what);
    }
    ++end.lines;
    end.bytes += line.size() + 1;
  }
  if (!teller.began()) return error({1, 1}, "the file is empty: this is no recording");
  return end;
}

}  // namespace hopwise::simulation
