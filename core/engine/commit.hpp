// What is paid for of a nexthop: the 95th percentile of its load over 5-minute slots of a sliding
// month, and how much of the free 5 % is left.
//
// The slots of the last 30 days are kept, 8640 numbers. A slot is above the commit or it is not:
// 432 of them may be (5 %) and the percentile is still the commit. While some of these are left the
// nexthop may burst; when they are used up but for a small reserve, it is *spent*, and the commit
// is a limit until enough old ones have left the period. The gap between the two keeps it from
// turning every five minutes. The percentile is exact: found by bisection over the numbers' bits,
// when a slot ends, without a copy.
// Time that nobody counted (the daemon was away) counts as nothing, like an operator's missed poll.
// Only what goes out is counted; bills by the larger direction need a commit that allows for it.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "core/engine/memory.hpp"
#include "core/model/time.hpp"

namespace hopwise::engine {

class Commit {
 public:
  static constexpr Duration kSlot = std::chrono::minutes(5);
  static constexpr std::size_t kSlots = std::size_t{30} * 24 * 12;
  static constexpr std::size_t kFreeSlots = kSlots / 20;
  static constexpr std::size_t kReserve = 4;    // free slots left when it is spent: flows take time
  static constexpr std::size_t kRegained = 24;  // two hours of them, and it may burst again

  /// Bits a second that are paid for; empty: none, and all that was counted is forgotten.
  void set(std::optional<double> bit_s);
  [[nodiscard]] const std::optional<double>& bit_s() const { return commit_; }

  /// The load between `at - over` and `at`. In the order of time.
  void count(double bit_s, Duration over, TimePoint at);

  /// The free slots are used up: not more than the commit from now on.
  [[nodiscard]] bool spent() const { return spent_; }
  /// Free slots that are left of kFreeSlots.
  [[nodiscard]] std::size_t left() const;
  /// 95th percentile of the slots so far; empty before the first whole one.
  [[nodiscard]] std::optional<double> percentile() const { return percentile_; }

  void remember(NexthopMemory& memory, TimePoint now) const;
  /// Before the first set(), or after it.
  void recall(const NexthopMemory& memory, TimePoint now);

 private:
  void close(std::int64_t number);
  void append(float bit_s);
  void judge();
  [[nodiscard]] bool over(float bit_s) const;
  [[nodiscard]] float ranked(std::size_t rank) const;

  std::optional<double> commit_;
  std::vector<float> slots_;          // a ring once it has kSlots; allocated with the first commit
  std::size_t next_ = 0;              // where the next one goes
  std::size_t above_ = 0;             // of them, over the commit
  std::optional<std::int64_t> open_;  // number of the slot that is being filled
  double open_bits_ = 0;
  std::optional<double> percentile_;
  bool spent_ = false;
};

}  // namespace hopwise::engine
