// A recording, told to an engine; and beside it, what was decided when it was recorded.
//
// A group that changes its paths begins anew here: the new one is told apart by what it holds.
#include "core/simulation/replay.hpp"

#include <algorithm>
#include <cmath>
#include <istream>
#include <numeric>

#include "core/simulation/replay_choices.hpp"

namespace hopwise::simulation {
namespace {

constexpr double kSameWeight = 1e-9;

std::vector<double> shares_of(const std::vector<double>& parts) {
  const double sum = std::accumulate(parts.begin(), parts.end(), 0.0);
  std::vector<double> shares = parts;
  for (double& share : shares) share = sum > 0 ? share / sum : 0;
  return shares;
}

class Replayer final : public RecordingListener {
 public:
  explicit Replayer(const ReplayOptions& options) : options_(options) {}

  Replay conclude(RecordingEnd end);

  void begins(const RecordingHead& head) override;
  void named(NexthopId id, const std::string& name) override { replay_.names[id] = name; }
  void reconfigure(const engine::Options& options) override;
  void set_group(const Group& group, TimePoint now, std::span<const std::uint32_t> holds) override;
  void remove_group(GroupId id) override;
  void remove_nexthop(NexthopId id) override;
  void set_anchors(NexthopId id, std::span<const Anchor> anchors) override;
  void set_terms(GroupId id, const engine::GroupTerms& terms) override;
  void set_terms(NexthopId id, const engine::NexthopTerms& terms) override {
    engine_->set_terms(id, terms);
  }
  void observe(const PathReading& reading) override;
  void observe(const ControlReading& reading) override { engine_->observe(reading); }
  void observe(const LoadReading& reading) override;
  void observe(const Sample& sample) override;
  void observe(const NexthopEvent& event) override { engine_->observe(event); }
  void observe(const EscapeEvent& event) override { engine_->observe(event); }
  void recall(NexthopId id, const engine::NexthopMemory& memory, TimePoint now) override {
    engine_->recall(id, memory, now);
  }
  void recall(GroupId id, const engine::GroupMemory& memory, TimePoint now) override {
    engine_->recall(id, memory, now);
  }
  void decide(TimePoint now) override;
  void decided(const Decision& decision) override;

 private:
  struct OfGroup {
    Group group;
    std::vector<double> done, kernel;
    std::vector<double> carried_bit_s;
    bool dry_run = false;
    Choices choices;
    Trace done_trace, would_trace;
  };

  [[nodiscard]] double since_start(TimePoint at) const { return seconds(at - replay_.head.clock); }
  [[nodiscard]] std::vector<Anchor> common_anchors(const Group& group) const;
  void close_second(double t_s);
  void close_second(OfGroup& of, const std::map<NexthopId, SecondOf>& nexthops, double t_s);
  void finish(OfGroup& of);
  void match();
  void mark();

  ReplayOptions options_;
  Replay replay_;
  std::unique_ptr<engine::Engine> engine_;
  std::map<GroupId, OfGroup> groups_;
  std::map<NexthopId, std::vector<Anchor>> anchors_;
  std::map<NexthopId, SecondsOfNexthop> seconds_;
  std::vector<Decision> done_, would_;
  double second_ = 0;
};

void Replayer::begins(const RecordingHead& head) {
  replay_.head = head;
  engine_ = std::make_unique<engine::Engine>(options_.engine.value_or(head.options));
}

void Replayer::reconfigure(const engine::Options& options) {
  if (!options_.engine) engine_->reconfigure(options);
  replay_.head.options = options;
}

void Replayer::set_group(const Group& group, TimePoint now, std::span<const std::uint32_t> holds) {
  engine_->set_group(group, now, holds);
  bool dry_run = false;
  if (const auto old = groups_.find(group.id); old != groups_.end()) {
    if (old->second.group == group) return;
    dry_run = old->second.dry_run;
    finish(old->second);
    groups_.erase(old);
  }
  std::vector<double> kernel, held;
  for (const Path& path : group.paths) {
    kernel.push_back(path.kernel_weight);
    held.push_back(held.size() < holds.size() ? holds[held.size()] : 0);
  }
  const std::vector<double> shares = shares_of(kernel);
  const bool is_held = std::accumulate(held.begin(), held.end(), 0.0) > 0;
  OfGroup of;
  of.group = group;
  of.kernel = shares;
  of.done = is_held ? shares_of(held) : shares;
  of.carried_bit_s.resize(shares.size());
  of.dry_run = dry_run;
  of.done_trace.paths.resize(shares.size());
  of.would_trace.paths.resize(shares.size());
  groups_.emplace(group.id, std::move(of));
}

void Replayer::remove_group(GroupId id) {
  engine_->remove_group(id);
  if (const auto old = groups_.find(id); old != groups_.end()) {
    finish(old->second);
    groups_.erase(old);
  }
}

void Replayer::remove_nexthop(NexthopId id) {
  engine_->remove_nexthop(id);
  anchors_.erase(id);
  seconds_.erase(id);
}

void Replayer::set_anchors(NexthopId id, std::span<const Anchor> anchors) {
  engine_->set_anchors(id, anchors);
  anchors_[id] = {anchors.begin(), anchors.end()};
}

void Replayer::set_terms(GroupId id, const engine::GroupTerms& terms) {
  engine::GroupTerms told = terms;
  if (options_.engine && terms.policy == replay_.head.options.policy)
    told.policy = options_.engine->policy;
  engine_->set_terms(id, told);
  if (const auto of = groups_.find(id); of != groups_.end())
    of->second.dry_run = terms.mode == engine::Mode::dry_run;
}

void Replayer::observe(const PathReading& reading) {
  engine_->observe(reading);
  if (reading.over <= Duration::zero()) return;
  for (auto& [id, of] : groups_)
    for (std::size_t i = 0; i < of.group.paths.size(); ++i)
      if (of.group.paths[i].id == reading.path)
        of.carried_bit_s[i] =
            8 * static_cast<double>(reading.traffic.forward_bytes) / seconds(reading.over);
}

void Replayer::observe(const LoadReading& reading) {
  engine_->observe(reading);
  seconds_[reading.nexthop].observe(reading);
}

void Replayer::observe(const Sample& sample) {
  engine_->observe(sample);
  seconds_[sample.nexthop].observe(sample);
}

// A second ends before the decisions of its last tick: those recorded come after the tick.
void Replayer::decide(TimePoint now) {
  const double t_s = since_start(now);
  replay_.seconds = std::max(replay_.seconds, t_s);
  // After a gap (the machine slept) the seconds in between are left out.
  if (t_s >= second_ + 1) {
    second_ = std::floor(t_s);
    close_second(second_);
  }
  for (Decision& decision : engine_->decide(now)) would_.push_back(std::move(decision));
}

void Replayer::decided(const Decision& decision) {
  done_.push_back(decision);
  const auto of = groups_.find(decision.group);
  if (of == groups_.end()) return;
  for (const PathShare& share : decision.paths)
    for (std::size_t i = 0; i < of->second.group.paths.size(); ++i)
      if (of->second.group.paths[i].id == share.path) of->second.done[i] = share.after;
}

// Nexthops are compared by what all of them are asked.
std::vector<Anchor> Replayer::common_anchors(const Group& group) const {
  std::optional<std::vector<Anchor>> common;
  for (const Path& path : group.paths) {
    const auto found = anchors_.find(path.nexthop);
    std::vector<Anchor> mine = found == anchors_.end() ? std::vector<Anchor>{} : found->second;
    if (common)
      std::erase_if(
          mine, [&](const Anchor& a) { return std::ranges::find(*common, a) == common->end(); });
    common = std::move(mine);
  }
  return common.value_or(std::vector<Anchor>{});
}

void Replayer::close_second(double t_s) {
  // A nexthop of several groups has one second: by the first group's anchors.
  std::map<NexthopId, SecondOf> nexthops;
  for (auto& [id, of] : groups_) {
    const std::vector<Anchor> anchors = common_anchors(of.group);
    for (const Path& path : of.group.paths) {
      if (nexthops.contains(path.nexthop)) continue;
      SecondOf second = seconds_[path.nexthop].close(anchors);
      const auto carrier = engine_->carrier(path.nexthop);
      if (carrier && carrier->capacity_bit_s) second.capacity_bit_s = *carrier->capacity_bit_s;
      nexthops[path.nexthop] = second;
    }
    close_second(of, nexthops, t_s);
  }
}

void Replayer::close_second(OfGroup& of, const std::map<NexthopId, SecondOf>& nexthops,
                            double t_s) {
  Choices::Second second;
  for (const Path& path : of.group.paths) second.paths.push_back(nexthops.at(path.nexthop));
  second.carried_bit_s = of.carried_bit_s;
  second.kernel = of.kernel;
  second.done = of.dry_run ? of.kernel : of.done;
  for (const engine::PathView& path : engine_->group(of.group.id))
    second.would.push_back(path.weight);
  if (second.would.size() != second.paths.size()) second.would = of.kernel;
  of.choices.add(second);
  for (Trace* trace : {&of.done_trace, &of.would_trace}) {
    const auto& weights = trace == &of.done_trace ? second.done : second.would;
    trace->t_s.push_back(t_s);
    for (std::size_t i = 0; i < second.paths.size(); ++i) {
      PathTrace& path = trace->paths[i];
      path.weight.push_back(static_cast<float>(weights[i]));
      path.delay_ms.push_back(static_cast<float>(second.paths[i].rtt_ms));
      path.load_bit_s.push_back(static_cast<float>(second.paths[i].load_bit_s));
      path.loss.push_back(static_cast<float>(second.paths[i].loss));
    }
  }
  std::ranges::fill(of.carried_bit_s, 0);
}

// Names may have come after the group.
void Replayer::finish(OfGroup& of) {
  if (of.choices.seconds() == 0) return;
  std::vector<std::string> names;
  for (const Path& path : of.group.paths) names.push_back(replay_.name_of(path.nexthop));
  for (Trace* trace : {&of.done_trace, &of.would_trace}) {
    trace->controller = trace == &of.done_trace ? "what was done" : "this hopwise";
    trace->group = "group " + std::to_string(raw(of.group.id));
    for (std::size_t i = 0; i < names.size(); ++i) trace->paths[i].name = names[i];
  }
  replay_.groups.push_back({of.group.id, names, of.choices.seconds(), of.choices.by_traffic(),
                            of.choices.conclude(names), std::move(of.done_trace),
                            std::move(of.would_trace)});
}

bool alike(const Decision& a, const Decision& b) {
  if (a.group != b.group || a.at != b.at || a.reason != b.reason || a.cause != b.cause ||
      a.paths.size() != b.paths.size())
    return false;
  for (std::size_t i = 0; i < a.paths.size(); ++i)
    if (std::abs(a.paths[i].after - b.paths[i].after) > kSameWeight ||
        a.paths[i].usable != b.paths[i].usable)
      return false;
  return true;
}

// Both lists are in order of time, and a tick has few decisions.
void Replayer::match() {
  auto done = done_.begin();
  auto would = would_.begin();
  const auto add = [&](ReplayedDecision::Who who, Decision& decision) {
    const double t_s = since_start(decision.at);
    replay_.decisions.push_back({who, t_s, std::move(decision)});
  };
  while (done != done_.end() || would != would_.end()) {
    if (would == would_.end() || (done != done_.end() && done->at < would->at)) {
      add(ReplayedDecision::Who::done, *done++);
    } else if (done == done_.end() || would->at < done->at) {
      add(ReplayedDecision::Who::would, *would++);
    } else {
      const TimePoint at = done->at;
      std::vector<Decision*> here;
      for (; would != would_.end() && would->at == at; ++would) here.push_back(&*would);
      for (; done != done_.end() && done->at == at; ++done) {
        const auto same = std::ranges::find_if(here, [&](Decision* d) { return alike(*d, *done); });
        add(same == here.end() ? ReplayedDecision::Who::done : ReplayedDecision::Who::both, *done);
        if (same != here.end()) here.erase(same);
      }
      for (Decision* decision : here) add(ReplayedDecision::Who::would, *decision);
    }
  }
}

// Decisions with another reason than the slow law's are marked in the traces.
void Replayer::mark() {
  for (const ReplayedDecision& entry : replay_.decisions) {
    const Reason reason = entry.decision.reason;
    if (reason == Reason::cost || reason == Reason::ramp || reason == Reason::initial) continue;
    std::string said(text(reason));
    if (entry.decision.cause) said += ' ' + replay_.name_of(*entry.decision.cause);
    for (ReplayedGroup& group : replay_.groups) {
      if (group.id != entry.decision.group) continue;
      if (entry.who != ReplayedDecision::Who::would) group.done.marks.push_back({entry.t_s, said});
      if (entry.who != ReplayedDecision::Who::done) group.would.marks.push_back({entry.t_s, said});
    }
  }
}

Replay Replayer::conclude(RecordingEnd end) {
  for (auto& [id, of] : groups_) finish(of);
  match();
  mark();
  replay_.end = std::move(end);
  return std::move(replay_);
}

}  // namespace

std::size_t Replay::count(ReplayedDecision::Who who) const {
  return static_cast<std::size_t>(std::ranges::count(decisions, who, &ReplayedDecision::who));
}

std::string Replay::name_of(NexthopId id) const {
  const auto found = names.find(id);
  return found == names.end() ? "nexthop " + std::to_string(raw(id)) : found->second;
}

Result<Replay> replay(std::istream& in, const std::string& file, const ReplayOptions& options) {
  Replayer replayer(options);
  auto end = read_recording(in, file, replayer);
  if (!end) return end.error();
  return replayer.conclude(std::move(*end));
}

}  // namespace hopwise::simulation
