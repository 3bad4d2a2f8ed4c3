// Has this path begun to lose more than it usually does? A sequential test, which needs only as
// many probes as the change is small, where a window always needs its whole length.
//
// Each probe adds to a log-likelihood ratio between two ratios of loss, p1 (bad) and p0 (usual):
// ln(p1/p0) for a loss, ln((1-p1)/(1-p0)) for an answer (Wald 1947). The sum never falls below 0,
// which starts Wald's test anew with every good probe (Page 1954, CUSUM); where it last left 0 the
// change began. There is one sum for each of a few p1: what is right for 30 % is slow for 5 %.
// p0 is 0.5 %, or what the path has lost over the last minutes, if that is more: a path that always
// loses 2 % is no news.
//
// Two thresholds are put to the sums. *Suspicion*: Wald's with errors of 0.001, 6.9; it is cheap to
// be wrong, since it only asks for faster probes: from p0 = 0.5 %, 2 losses in a row show a black
// hole, and about 7, 33 and 97 probes show 30, 10 and 5 %. *Alarm*: the mean number of probes
// between false alarms of such a sum is at least e^h (Lorden 1971), of m sums e^h/m, so
// h = ln(m x probes a second x wanted mean time). An alarm also needs a ratio since the change that
// is over the limit: little loss that is certain is no fault.
//
// Probes count in the order in which they left; the last ten seconds are kept, so that a late reply
// takes its loss back exactly and the order of reports means nothing. Of losses within 100 ms only
// the first counts for an alarm: they have one cause, and the tests are for independent ones.
#pragma once

#include <array>
#include <optional>
#include <span>
#include <vector>

#include "core/engine/engine.hpp"

namespace hopwise::engine {

/// Independent losses from p0 to p1, as log-likelihood ratios.
struct LossSteps {
  double lost = 0;
  double answered = 0;
  static LossSteps between(double p0, double p1);
};

/// Wald's threshold ln((1 - beta)/alpha) for errors of 0.001 both: suspicion.
inline constexpr double kSuspicion = 6.906755;

/// h such that `tests` sums that together see `rate` probes a second give one false alarm in
/// `every`, or fewer.
double alarm_threshold(double rate, double tests, Duration every);

class LossTest {
 public:
  /// The p1; the last is for black holes, and raises no alarm: silence is judged elsewhere.
  static constexpr std::array kBad{0.02, 0.05, 0.10, 0.30, 0.99};
  static constexpr std::size_t kAlarms = kBad.size() - 1;

  /// One sum, and what it was counted from: `lost` of `sent`, all losses of a burst too.
  struct Sum {
    double value = 0;
    std::uint32_t lost = 0;
    std::uint32_t sent = 0;
    TimePoint since;  // when the first of them left; nothing while value is 0
  };
  using Sums = std::array<Sum, kBad.size()>;

  explicit LossTest(const Options& options);
  void reconfigure(const Options& options);

  /// A probe that left at `sent` was answered, or lost. In any order.
  void answered(TimePoint sent, std::uint8_t flow);
  void lost(TimePoint sent, std::uint8_t flow);
  /// A loss was answered late. One that left more than ten seconds before the newest stays lost.
  void take_back(TimePoint sent);
  /// All sums start at 0; what is usual stays.
  void clear();
  /// While a fault lasts, its losses do not become usual.
  void learn(bool on) { learns_ = on; }

  [[nodiscard]] const Sums& sums() const { return state().sums; }
  /// The largest of all sums is over kSuspicion.
  [[nodiscard]] bool suspicious() const;
  /// The same test turned round: surely below the limit of loss again.
  [[nodiscard]] bool calm() const { return state().calm >= kSuspicion; }
  /// p0: of the answers and losses that are more than ten seconds old.
  [[nodiscard]] double usual() const;
  /// Of the probes kept: the only flow that loses, if there is one and it lost four or more.
  [[nodiscard]] std::optional<std::uint8_t> losing_flow() const;

 private:
  struct Probe {
    TimePoint sent;
    bool lost = false;
    std::uint8_t flow = 0;
  };
  struct State {
    Sums sums;
    double calm = 2 * kSuspicion;
    std::optional<TimePoint> burst;  // when its first loss left
  };

  void insert(Probe probe);
  void settle_oldest();
  void step(State& state, const Probe& probe) const;
  void set_steps();
  [[nodiscard]] const State& state() const;

  const Options* options_;
  std::array<std::optional<LossSteps>, kBad.size()> steps_;  // empty: p1 is too near to p0
  LossSteps limit_steps_;
  double ratio_;  // of loss, over the last minutes
  double steps_from_ = 0;
  bool learns_ = true;
  std::vector<Probe> probes_;  // by `sent`; a deque would ask the heap for its blocks for ever
  State settled_;              // of all older ones
  mutable State newest_;       // of these too, when known
  mutable bool known_ = true;
};

/// What several anchors' sums say together.
struct PooledLoss {
  double value = 0;  // of the best p1
  std::uint32_t lost = 0;
  std::uint32_t sent = 0;
  TimePoint since;
};

/// The anchors' sums added up (Mei 2010: for streams of which the affected ones are not known),
/// without the loudest `agree` - 1: what remains says that at least `agree` of them see it. The p1
/// with the largest sum that has lost `least` or more since its change; nothing if none has.
std::optional<PooledLoss> pool(std::span<const LossTest* const> anchors, std::size_t agree,
                               double least);

}  // namespace hopwise::engine
