// An engine that lives through a stretch of simulated time with everything that a daemon tells it:
// what recordings are tested with.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "core/engine/engine.hpp"
#include "core/simulation/recording.hpp"

namespace hopwise::test {

inline constexpr GroupId kGroup{1};
inline constexpr NexthopId kFast{1}, kSlow{2}, kThird{3};

/// Three nexthops, 10, 15 and 30 ms away, of one group, with three anchors each, probed five times
/// a second; decide() every 100 ms; traffic readings once a second; jitter of a fixed seed.
class Night {
 public:
  explicit Night(engine::Engine& engine);

  /// Set-up: groups, anchors, terms, links.
  void begin();
  void run(Duration time);

  double extra_ms = 0;  // on the first nexthop, from now on
  double loss = 0;      // likewise

  [[nodiscard]] TimePoint now() const { return now_; }
  std::vector<Decision> decisions{};
  std::function<void()> at_tick = [] {};

 private:
  double chance();
  void probe(NexthopId nexthop, double base_ms, const Anchor& anchor);
  void read_traffic();

  engine::Engine& engine_;
  TimePoint now_{std::chrono::hours(7)};
  std::uint64_t seed_ = 1;
  int ticks_ = 0;
};

/// Rebuilds an engine out of a recording, and keeps what both decided.
class Player : public simulation::RecordingListener {
 public:
  void begins(const simulation::RecordingHead& head) override;
  void named(NexthopId id, const std::string& name) override { names[id] = name; }
  void reconfigure(const engine::Options& options) override { engine->reconfigure(options); }
  void set_group(const Group& group, TimePoint now, std::span<const std::uint32_t> holds) override {
    engine->set_group(group, now, holds);
  }
  void remove_group(GroupId id) override { engine->remove_group(id); }
  void remove_nexthop(NexthopId id) override { engine->remove_nexthop(id); }
  void set_anchors(NexthopId id, std::span<const Anchor> anchors) override {
    engine->set_anchors(id, anchors);
  }
  void set_terms(GroupId id, const engine::GroupTerms& terms) override {
    engine->set_terms(id, terms);
  }
  void set_terms(NexthopId id, const engine::NexthopTerms& terms) override {
    engine->set_terms(id, terms);
  }
  void observe(const PathReading& reading) override { engine->observe(reading); }
  void observe(const ControlReading& reading) override { engine->observe(reading); }
  void observe(const LoadReading& reading) override { engine->observe(reading); }
  void observe(const Sample& sample) override { engine->observe(sample); }
  void observe(const NexthopEvent& event) override { engine->observe(event); }
  void observe(const EscapeEvent& event) override { engine->observe(event); }
  void recall(NexthopId id, const engine::NexthopMemory& memory, TimePoint now) override {
    engine->recall(id, memory, now);
  }
  void recall(GroupId id, const engine::GroupMemory& memory, TimePoint now) override {
    engine->recall(id, memory, now);
  }
  void decide(TimePoint now) override;
  void decided(const Decision& decision) override { recorded.push_back(decision); }

  std::optional<simulation::RecordingHead> head{};
  std::unique_ptr<engine::Engine> engine{};
  simulation::RecordingWriter again{};  // what this engine is told, written once more
  std::map<NexthopId, std::string> names{};
  std::vector<Decision> recorded{}, made{};
};

bool same(const Decision& a, const Decision& b);

}  // namespace hopwise::test
