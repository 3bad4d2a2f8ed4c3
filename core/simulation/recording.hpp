// A recording: all that entered an engine, in its order, and what it decided, as lines of JSON.
// Told to another engine it makes the same decisions, bit by bit. test/sim/README.md documents the
// format.
//
// The first line tells of the recording as a whole, the last why it ended; every other one is a
// list whose first element says what it is. Times are nanoseconds since the last tick ("t"), so
// that they stay short and exact. A line that a crash tore is the last one and has no end: it is
// left out, and that is said.
#pragma once

#include <functional>
#include <iosfwd>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "core/engine/engine.hpp"
#include "core/model/result.hpp"

namespace hopwise::simulation {

inline constexpr int kRecordingVersion = 1;

struct RecordingHead {
  /// Whether the engine began with the recording: only then a replay knows all that it knew.
  enum class From : std::uint8_t { start, running };

  int version = kRecordingVersion;
  std::string made_by;  // hopwise's version
  WallTime began;
  TimePoint clock;  // the same instant
  From from = From::start;
  engine::Options options;
};

/// Writes what an engine is told. It always keeps what stands (groups, terms, links), so that a
/// recording may begin at any time.
class RecordingWriter final : public engine::Tap {
 public:
  /// The first lines of a recording. From::running: `engine` is told as it stands, by its memory
  /// and its weights; what its estimates know is lost, and a replay settles in a minute or so.
  void begin(const RecordingHead& head, const engine::Engine& engine);
  /// The last line; `because` is for people.
  void end(const std::string& because);
  [[nodiscard]] bool recording() const { return head_.has_value(); }
  /// Names are written when they are new.
  void name(NexthopId id, const std::string& name);

  /// What was written since the last call: whole lines.
  std::string take();

  void reconfigure(const engine::Options& options) override;
  void set_group(const Group& group, TimePoint now, std::span<const std::uint32_t> holds) override;
  void remove_group(GroupId id) override;
  void remove_nexthop(NexthopId id) override;
  void set_anchors(NexthopId id, std::span<const Anchor> anchors) override;
  void set_terms(GroupId id, const engine::GroupTerms& terms) override;
  void set_terms(NexthopId id, const engine::NexthopTerms& terms) override;
  void observe(const PathReading& reading) override;
  void observe(const ControlReading& reading) override;
  void observe(const LoadReading& reading) override;
  void observe(const Sample& sample) override;
  void observe(const NexthopEvent& event) override;
  void observe(const EscapeEvent& event) override;
  void recall(NexthopId id, const engine::NexthopMemory& memory, TimePoint now) override;
  void recall(GroupId id, const engine::GroupMemory& memory, TimePoint now) override;
  void decide(TimePoint now) override;
  void decided(const Decision& decision) override;

 private:
  struct OfNexthop {
    std::optional<std::vector<Anchor>> anchors;
    std::optional<engine::NexthopTerms> terms;
    std::optional<NexthopEvent> event;
  };
  struct OfGroup {
    Group group;
    std::optional<engine::GroupTerms> terms;
  };

  void tell_standing(const engine::Engine& engine, TimePoint now);
  std::size_t anchor_index(const Anchor& anchor);
  template <class... Fields>
  void line(const char* tag, const Fields&... fields);

  std::optional<RecordingHead> head_;  // while recording
  std::string text_;
  TimePoint clock_;  // of the last tick
  std::map<Anchor, std::size_t> anchors_;
  std::map<NexthopId, std::string> names_;
  std::map<NexthopId, OfNexthop> nexthops_;
  std::map<GroupId, OfGroup> groups_;
};

/// Is told of a recording line by line: what the engine was told, and the rest.
class RecordingListener : public engine::Tap {
 public:
  virtual void begins(const RecordingHead& head) = 0;
  virtual void named(NexthopId id, const std::string& name) = 0;
};

/// How the reading of a recording ended.
struct RecordingEnd {
  std::optional<std::string> because;  // empty: it has no end, the recorder died
  bool torn = false;                   // the last line has no end, and was left out
  std::size_t lines = 0;
  std::size_t bytes = 0;
};

/// Whether a file that begins so is a recording.
bool is_recording(std::string_view beginning);

/// Tells `to` all that is in it. The error is "FILE:LINE:COLUMN: what (remedy)"; what was told
/// before it stays told.
Result<RecordingEnd> read_recording(std::istream& in, const std::string& file,
                                    RecordingListener& to);

}  // namespace hopwise::simulation
