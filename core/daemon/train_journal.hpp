// The packet trains of this daemon: which nexthop's is due, and what they have told. Pure: times
// are arguments.
//
// What they cost is bounded three times: a nexthop has one train in its pause at most, which is so
// long that its trains take no more than a thousandth of what its line is known to carry; all
// together send no more than kBytesAMinute in any minute; and one is under way at a time, for two
// on one line would draw each other apart. A nexthop whose trains tell nothing is asked ever more
// seldom. The longest overdue goes first.
#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <utility>

#include "core/model/bandwidth.hpp"
#include "core/model/path.hpp"
#include "core/model/result.hpp"
#include "probes/bandwidth/train.hpp"

namespace hopwise {

class TrainJournal {
 public:
  static constexpr std::uint64_t kBytesAMinute = 1'000'000;  // of layer 3, each way
  static constexpr double kLineShare = 0.001;
  static constexpr std::uint32_t kMostPatience = 4;  // the pause doubles so often

  /// A nexthop that may have a train now.
  struct Candidate {
    NexthopId nexthop{};
    std::optional<std::uint64_t> line_bit_s{};  // the least that is known exactly
  };
  struct Terms {
    Duration every{};
    std::uint64_t bytes = 0;  // of one train
  };

  /// Whether any train may go now: none is under way, and the minute's bytes are not spent.
  [[nodiscard]] bool has_room(std::uint64_t bytes, TimePoint now) const;
  /// Whose train goes now; nobody where there is no room, or none is due.
  [[nodiscard]] std::optional<NexthopId> due(std::span<const Candidate> candidates,
                                             const Terms& terms, TimePoint now) const;
  /// It goes; its number.
  std::uint64_t begin(NexthopId nexthop, std::uint64_t bytes, TimePoint now);
  /// What it told; an error: it did not leave.
  void end(std::uint64_t train, const Result<probes::Dispersion>& told, TimePoint now);

  [[nodiscard]] std::optional<Bandwidth> bandwidth(NexthopId nexthop) const;
  /// How many ended how: "measured", the name of a probes::TrainFault, or "unsent".
  [[nodiscard]] std::map<std::string, std::uint64_t> results(NexthopId nexthop) const;
  /// A nexthop is gone: its id may become another's.
  void forget(NexthopId nexthop);

 private:
  struct Way {
    probes::TrainEstimate estimate;
    std::map<std::string, std::uint64_t> results;
    std::uint32_t fruitless = 0;  // in turn
    TimePoint last;               // when the newest began
  };
  struct UnderWay {
    std::uint64_t train = 0;
    std::optional<NexthopId> nexthop{};  // none: it is gone
  };

  [[nodiscard]] Duration pause(const Candidate& candidate, const Terms& terms) const;
  [[nodiscard]] std::uint64_t spent_since(TimePoint since) const;

  std::uint64_t newest_ = 0;
  std::map<NexthopId, Way> ways_;
  std::optional<UnderWay> under_way_;
  std::deque<std::pair<TimePoint, std::uint64_t>> spent_;  // bytes, of the last minute
};

}  // namespace hopwise
