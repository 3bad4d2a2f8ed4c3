// How many probes a second all streams together may send, and what each gets of it. Pure.
//
// Streams have one of two paces, the usual and the suspicious one. When all together want more than
// the budget, the usual pace stretches first, for all alike, down to a probe in five seconds each;
// then the suspicious one. Where even that is more than the budget it is sent all the same: a
// stream without probes would know nothing. All follows from two counts, so a stream that changes
// its pace costs a few operations.
//
// A stream that was put off while the budget was short is not left to wait when there is room
// again: loosened() tells when that is so for many.
//
// Besides, a bucket of tokens holds back what would be sent in one burst, as when thousands of
// streams lose a probe at the same moment and all would follow it up at once.
#pragma once

#include <cstddef>

#include "probes/options.hpp"

namespace hopwise::probes {

/// No stream is stretched beyond this, unless its configured interval is longer.
inline constexpr Duration kSlowestPace = std::chrono::seconds(5);

/// Probes a second at that interval: its jitter (jittered()) takes an eighth away on average.
double rate_of(Duration interval);

/// The intervals that streams keep now.
struct Paces {
  Duration usual{};
  Duration suspicious{};
};

/// How many streams keep which pace.
struct Demand {
  std::size_t usual = 0;
  std::size_t suspicious = 0;
};

/// What the options' intervals become under Options::budget.
Paces share(const Options& options, const Demand& demand);

class Budget {
 public:
  Budget(const Options& options, TimePoint now);

  void reconfigure(const Options& options);
  /// A stream begins or ends, or changes its pace: the difference to what there was.
  void change(const Demand& gone, const Demand& come);
  /// Whether a probe may go now; it is taken to have gone.
  bool spend(TimePoint now);

  [[nodiscard]] const Paces& paces() const { return paces_; }
  /// Whether a pace is now half, or less, of what it was at some time since this was last true:
  /// then all streams are to be paced anew (Stream::repace()). Not often: that costs as many
  /// operations as there are streams.
  bool loosened(TimePoint now);
  /// Probes a second: what there is, what all would send, and what they do.
  [[nodiscard]] double whole() const { return options_.budget; }
  [[nodiscard]] double wanted() const;
  [[nodiscard]] double granted() const;

 private:
  void divide();

  Options options_;
  Demand demand_;
  Paces paces_;
  Paces longest_;      // since all were paced anew ...
  TimePoint paced_;    // ... which was then
  double refill_ = 0;  // tokens a second
  double tokens_ = 0;
  TimePoint filled_;
};

}  // namespace hopwise::probes
