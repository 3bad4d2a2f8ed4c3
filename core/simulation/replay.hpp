// "What would hopwise have done last night": a recording told to an engine of now, perhaps with
// other options, next to what was decided then.
//
// What each choice would have meant is reckoned second by second from what was measured: the
// delay and loss of each nexthop, weighted by where the choice would have sent the flows to come.
// Measured delay is taken as it was, whatever the choice: load that a choice would have moved does
// not change it. Seconds in which a choice would have loaded a nexthop over 90 % of its capacity
// are counted, for there that is not so.
#pragma once

#include <iosfwd>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "core/simulation/recording.hpp"
#include "core/simulation/run.hpp"

namespace hopwise::simulation {

struct ReplayOptions {
  /// Instead of those recorded. Groups whose recorded policy was the recorded engine's get this
  /// one's.
  std::optional<engine::Options> engine{};
};

/// One way to share a group's traffic over the whole time.
struct Choice {
  std::string name{};               // "done", "hopwise", "ecmp", "greedy", "only isp-a"
  std::optional<double> mean_ms{};  // round trip of what arrives; empty: nothing was measured
  double loss = 0;                  // 0..1
  std::vector<double> shares{};     // time on each path, 0..1, in the group's order
  double overloaded_s = 0;          // see above
};

struct ReplayedGroup {
  GroupId id{};
  std::vector<std::string> nexthops{};  // names, in the group's order
  double seconds = 0;                   // in which it was there
  bool by_traffic = false;              // seconds count by the traffic they had, else alike
  std::vector<Choice> choices{};
  Trace done{}, would{};
};

/// A decision of then, of now, or of both alike: same group, time, reason and weights.
struct ReplayedDecision {
  enum class Who : std::uint8_t { both, done, would };
  Who who = Who::both;
  double t_s = 0;  // since the recording began
  Decision decision{};
};

struct Replay {
  RecordingHead head{};
  RecordingEnd end{};
  double seconds = 0;
  std::map<NexthopId, std::string> names{};
  std::vector<ReplayedGroup> groups{};
  std::vector<ReplayedDecision> decisions{};  // in order of time
  [[nodiscard]] std::size_t count(ReplayedDecision::Who who) const;
  [[nodiscard]] std::string name_of(NexthopId id) const;
};

/// Errors as of read_recording().
Result<Replay> replay(std::istream& in, const std::string& file, const ReplayOptions& options);

}  // namespace hopwise::simulation
