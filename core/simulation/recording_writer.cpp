// Writing a recording: the fields of fields.hpp as JSON text, built by hand, for it is done for
// every probe. Numbers are written so that reading them gives the same bits again.
#include <array>
#include <charconv>
#include <cmath>
#include <nlohmann/json.hpp>
#include <utility>

#include "core/simulation/fields.hpp"
#include "core/simulation/recording.hpp"

namespace hopwise::simulation {
namespace {

constexpr double kHolds = 1e6;  // weights as the whole numbers that set_group() takes

std::string quoted(const std::string& text) {
  return nlohmann::json(text).dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
}

/// Appends values to a text. `clock`: what times are counted from.
class Writer {
 public:
  Writer(std::string& text, TimePoint clock) : text_(text), clock_(clock) {}

  template <class T>
  void value(const T& v) {
    if constexpr (std::same_as<T, bool>) {
      text_ += v ? '1' : '0';
    } else if constexpr (std::is_enum_v<T>) {
      number(static_cast<std::uint32_t>(v));
    } else if constexpr (std::floating_point<T>) {
      std::isfinite(v) ? number(v) : none();
    } else if constexpr (std::integral<T>) {
      number(v);
    } else if constexpr (std::same_as<T, Duration>) {
      number(v.count());
    } else if constexpr (std::same_as<T, TimePoint>) {
      number((v - clock_).count());
    } else if constexpr (std::same_as<T, std::string>) {
      text_ += quoted(v);
    } else if constexpr (std::same_as<T, Anchor>) {
      text_ += quoted(v.text());
    } else {
      compound(v);
    }
  }

 private:
  static constexpr std::size_t kLongest = 32;

  template <class T>
  void number(T v) {
    std::array<char, kLongest> digits{};
    const auto end = std::to_chars(digits.data(), digits.data() + digits.size(), v).ptr;
    text_.append(digits.data(), end);
  }
  void none() { text_ += "null"; }
  template <class T>
  void compound(const std::optional<T>& v) {
    v ? value(*v) : none();
  }
  template <class T>
  void compound(const std::vector<T>& v) {
    elements(v);
  }
  template <class T, std::size_t n>
  void compound(const std::array<T, n>& v) {
    elements(v);
  }
  template <class T>
  void compound(const T& v);

  template <class List>
  void elements(const List& list) {
    text_ += '[';
    for (const auto& element : list) {
      if (text_.back() != '[') text_ += ',';
      value(element);
    }
    text_ += ']';
  }

  std::string& text_;
  TimePoint clock_;
};

template <class T>
bool is_default(const T& v) {
  if constexpr (std::is_arithmetic_v<T> || std::is_enum_v<T> || std::same_as<T, Duration>)
    return v == T{};
  else
    return false;
}
template <class T>
bool is_default(const std::optional<T>& v) {
  return !v;
}

/// What may grow: an object.
template <class T>
inline constexpr bool kIsObject =
    std::same_as<T, engine::Options> || std::same_as<T, engine::Policy> ||
    std::same_as<T, engine::GroupTerms> || std::same_as<T, engine::Objectives> ||
    std::same_as<T, engine::NexthopTerms> || std::same_as<T, engine::NexthopMemory> ||
    std::same_as<T, engine::GroupMemory>;

struct ObjectFields {
  Writer& writer;
  std::string& text;

  template <class T>
  void operator()(const char* name, const T& v) {
    if (text.back() != '{') text += ',';
    text += '"';
    text += name;
    text += "\":";
    writer.value(v);
  }
};

/// Defaults at the end are left out.
struct ListFields {
  Writer& writer;
  std::string& text;
  std::size_t keep = text.size();
  bool first = true;

  template <class T>
  void operator()(const char* /*name*/, const T& v) {
    if (!std::exchange(first, false)) text += ',';
    writer.value(v);
    if (!is_default(v)) keep = text.size();
  }
};

template <class T>
void Writer::compound(const T& v) {
  if constexpr (kIsObject<T>) {
    text_ += '{';
    ObjectFields fields{*this, text_};
    describe(fields, v);
    text_ += '}';
  } else {
    text_ += '[';
    ListFields fields{*this, text_};
    describe(fields, v);
    text_.resize(fields.keep);
    text_ += ']';
  }
}

/// A sample's anchor by its number: it stands in nearly every line.
struct SampleFields {
  ListFields list;
  std::size_t anchor;

  template <class T>
  void operator()(const char* name, const T& v) {
    if constexpr (std::same_as<T, Anchor>)
      list(name, anchor);
    else
      list(name, v);
  }
};

}  // namespace

template <class... Fields>
void RecordingWriter::line(const char* tag, const Fields&... fields) {
  if (!head_) return;
  text_ += "[\"";
  text_ += tag;
  text_ += '"';
  Writer writer(text_, clock_);
  ((text_ += ',', writer.value(fields)), ...);
  text_ += "]\n";
}

void RecordingWriter::begin(const RecordingHead& head, const engine::Engine& engine) {
  head_ = head;
  clock_ = head.clock;
  text_.clear();
  anchors_.clear();
  text_ = "{\"hopwise_recording\":" + std::to_string(head.version) +
          ",\"made_by\":" + quoted(head.made_by) +
          ",\"began_ns\":" + std::to_string(head.began.time_since_epoch().count()) +
          ",\"clock_ns\":" + std::to_string(head.clock.time_since_epoch().count()) +
          ",\"from\":" + (head.from == RecordingHead::From::start ? "\"start\"" : "\"running\"") +
          ",\"options\":";
  Writer(text_, clock_).value(head.options);
  text_ += "}\n";
  for (const auto& [id, name] : names_) line("n", id, name);
  tell_standing(engine, head.clock);
}

// In the order in which a daemon tells an engine: what is of nexthops, then the groups over them.
void RecordingWriter::tell_standing(const engine::Engine& engine, TimePoint now) {
  const auto nexthops = nexthops_;
  for (const auto& [id, known] : nexthops) {
    if (known.anchors) set_anchors(id, *known.anchors);
    if (known.terms) set_terms(id, *known.terms);
    if (known.event) observe(*known.event);
  }
  const auto groups = groups_;
  for (const auto& [id, known] : groups) {
    std::vector<std::uint32_t> holds;
    for (const engine::PathView& path : engine.group(id))
      holds.push_back(static_cast<std::uint32_t>(std::lround(path.weight * kHolds)));
    set_group(known.group, now, holds);
    if (known.terms) set_terms(id, *known.terms);
  }
  for (const auto& [id, known] : nexthops)
    if (const auto memory = engine.memory(id, now)) recall(id, *memory, now);
  for (const auto& [id, known] : groups)
    if (const auto memory = engine.memory(id, now)) recall(id, *memory, now);
}

void RecordingWriter::end(const std::string& because) {
  if (!head_) return;
  text_ += "{\"end\":" + quoted(because) + "}\n";
  head_.reset();
}

std::string RecordingWriter::take() {
  return std::exchange(text_, {});
}

void RecordingWriter::name(NexthopId id, const std::string& name) {
  if (std::string& known = names_[id]; known != name) {
    known = name;
    line("n", id, name);
  }
}

std::size_t RecordingWriter::anchor_index(const Anchor& anchor) {
  const auto [found, added] = anchors_.try_emplace(anchor, anchors_.size());
  if (added) line("a", found->second, anchor);
  return found->second;
}

// --- what the engine is told ------------------------------------------------------------------

void RecordingWriter::reconfigure(const engine::Options& options) {
  line("o", options);
}

void RecordingWriter::set_group(const Group& group, TimePoint now,
                                std::span<const std::uint32_t> holds) {
  groups_[group.id].group = group;
  line("g", group.id, now, group.paths, std::vector(holds.begin(), holds.end()));
}

void RecordingWriter::remove_group(GroupId id) {
  groups_.erase(id);
  line("gx", id);
}

void RecordingWriter::remove_nexthop(NexthopId id) {
  nexthops_.erase(id);
  names_.erase(id);
  line("nx", id);
}

void RecordingWriter::set_anchors(NexthopId id, std::span<const Anchor> anchors) {
  nexthops_[id].anchors = std::vector(anchors.begin(), anchors.end());
  if (!head_) return;
  std::vector<std::size_t> numbers;
  for (const Anchor& anchor : anchors) numbers.push_back(anchor_index(anchor));
  line("na", id, numbers);
}

void RecordingWriter::set_terms(GroupId id, const engine::GroupTerms& terms) {
  if (const auto group = groups_.find(id); group != groups_.end()) group->second.terms = terms;
  line("gt", id, terms);
}

void RecordingWriter::set_terms(NexthopId id, const engine::NexthopTerms& terms) {
  nexthops_[id].terms = terms;
  line("nt", id, terms);
}

void RecordingWriter::observe(const PathReading& reading) {
  line("p", reading);
}

void RecordingWriter::observe(const ControlReading& reading) {
  line("c", reading);
}

void RecordingWriter::observe(const LoadReading& reading) {
  line("l", reading);
}

void RecordingWriter::observe(const Sample& sample) {
  if (!head_) return;
  const std::size_t anchor = anchor_index(sample.anchor);
  text_ += "[\"s\",";
  Writer writer(text_, clock_);
  SampleFields fields{{writer, text_}, anchor};
  describe(fields, sample);
  text_.resize(fields.list.keep);
  text_ += "]\n";
}

void RecordingWriter::observe(const NexthopEvent& event) {
  nexthops_[event.nexthop].event = event;
  line("k", event);
}

void RecordingWriter::observe(const EscapeEvent& event) {
  line("x", event);
}

void RecordingWriter::recall(NexthopId id, const engine::NexthopMemory& memory, TimePoint now) {
  line("nm", id, now, memory);
}

void RecordingWriter::recall(GroupId id, const engine::GroupMemory& memory, TimePoint now) {
  line("gm", id, now, memory);
}

// Written against the last tick's time, and from then on the time that others are written against.
void RecordingWriter::decide(TimePoint now) {
  line("t", now);
  clock_ = now;
}

void RecordingWriter::decided(const Decision& decision) {
  line("d", decision);
}

}  // namespace hopwise::simulation
