#include "core/engine/carrier.hpp"

#include <algorithm>
#include <cmath>

namespace hopwise::engine {
namespace {

using std::chrono::duration_cast;
using std::chrono::minutes;
using std::chrono::seconds;

constexpr double kQueue_ms = 15;  // stands, where it is certain
constexpr double kClean_ms = 5;   // less is none
constexpr double kLost = 0.01;    // at a high load
constexpr double kCleanLoss = 0.005;
constexpr double kHigh = 0.8;  // load, of the capacity: losses may be its own
constexpr double kFull = 0.7;
constexpr double kMoreThanClean = 1.1;
constexpr double kOwn = 0.5;       // of the load, at least, or it is somebody else's doing
constexpr double kBusy = 0.5;      // of what is usual, at least, or it is somebody else's doing
constexpr double kWasClean = 0.9;  // of a load that was borne cleanly: why not this?
constexpr Duration kLasting = seconds(30);
constexpr Duration kUsual = minutes(10);
constexpr double kLeast_bit_s = 1e5;  // so little makes no queue

constexpr double kReason = 0.85;          // of the capacity: a queue is to be expected
constexpr double kReasonLearning = 1.03;  // of what was lately clean, while nothing bounds the path
constexpr Duration kSuspicion = seconds(60);
constexpr double kGone = 0.4;     // of the load under suspicion: its queue would have drained
constexpr double kFallen = 0.95;  // of it: the load has begun to go

constexpr double kCut = 0.95;
constexpr double kWavers = 2;
constexpr double kThrough = 0.85;  // of what came through: no cut goes below
constexpr double kMoreThanSent = 1.02;
constexpr double kRises = 1.25;  // beyond its average, which lags: more than the law raises
constexpr Duration kSettle = seconds(10);
constexpr Duration kLongestSettle = seconds(30);
constexpr Duration kLossWindow = seconds(15);
constexpr double kDrains = 0.7;  // a queue that shrinks to this part is draining

constexpr double kGrowth = 0.005;  // a minute
constexpr double kFastest = 0.04;
constexpr Duration kDoubles = minutes(10);
constexpr double kNear = 0.6;  // of the capacity: loaded near it
constexpr Duration kCleanFor = seconds(10);
constexpr Duration kContradicted = minutes(10);
constexpr double kHalfLife_s = 600;
constexpr Duration kForgotten = std::chrono::hours(24 * 7);

bool sound(const std::optional<Capacity>& c) {
  return c && std::isfinite(c->bit_s) && c->bit_s >= 0 && c->bit_s <= kAbsurdBit_s;
}

}  // namespace

double Carrier::Peak::now(TimePoint t) const {
  return bit_s * std::exp2(-hopwise::seconds(t - at) / kHalfLife_s);
}

void Carrier::Peak::raise(double to, TimePoint t) {
  if (to >= now(t)) *this = {to, t};
}

void Carrier::set_terms(const NexthopTerms& terms) {
  terms_ = terms;
  if (!sound(terms_.capacity)) terms_.capacity.reset();
  if (!sound(terms_.at_least)) terms_.at_least.reset();
  if (terms_.capacity && !terms_.capacity->exact) {
    if (!terms_.at_least || terms_.at_least->bit_s < terms_.capacity->bit_s)
      terms_.at_least = terms_.capacity;
    terms_.capacity.reset();
  }
  if (terms_.capacity) {
    if (word_bit_s_ && *word_bit_s_ != terms_.capacity->bit_s) {
      learnt_bit_s_.reset();
      before_fill_.reset();
    }
    word_bit_s_ = terms_.capacity->bit_s;
  }
  commit_.set(terms_.commit_bit_s);
}

bool Carrier::observe(const LoadReading& reading) {
  const double load = reading.forward_bit_s;
  if (!(std::isfinite(load) && load >= 0 && load <= kAbsurdBit_s)) return false;
  if (reading.over <= Duration::zero() || reading.over > kLongestReading) return false;
  if (load_.newest() && reading.at <= *load_.newest()) return false;
  load_.add(load, reading.at, kLoadTau);
  newest_bit_s_ = load;
  commit_.count(load, reading.over, reading.at);
  return true;
}

void Carrier::carried(double own_bit_s, TimePoint at) {
  if (!(std::isfinite(own_bit_s) && own_bit_s >= 0 && own_bit_s <= kAbsurdBit_s)) return;
  if (own_at_ && at <= *own_at_) return;
  if (own_at_ && !load_.at(at))
    commit_.count(own_bit_s, std::min<Duration>(at - *own_at_, kLongestReading), at);
  own_bit_s_ = own_bit_s;
  own_at_ = at;
}

std::optional<double> Carrier::load(TimePoint now) const {
  if (const auto measured = load_.at(now)) return measured;
  return own_at_ && now - *own_at_ <= kReadingsCease ? own_bit_s_ : std::nullopt;
}

std::optional<double> Carrier::flows(TimePoint now) const {
  const auto measured = load_.at(now);
  return measured && newest_bit_s_ > kRises * *measured ? newest_bit_s_ : load(now);
}

void Carrier::learn(double queue_ms, double loss, TimePoint now, Onset onset) {
  if (!std::isfinite(queue_ms) || !(loss >= 0 && loss <= 1)) return;
  if (judged_ && now <= *judged_) return;
  const double elapsed_s = judged_ ? std::min(hopwise::seconds(now - *judged_), 5.0) : 0;
  judged_ = now;
  const auto carries = load(now);
  if (!carries) {
    queued_.reset();
    clean_.reset();
    return;
  }
  peak_.raise(*carries, now);
  if (onset == Onset::at_once) {  // no queue
    queued_.reset();
    clean_.reset();
    suspicion_.reset();
    return;
  }
  const auto capacity = physical(now);
  // What loses at all times loses by itself.
  const bool well = was_clean_ && now - *was_clean_ <= kUsual;
  const double high = capacity ? kHigh * capacity->bit_s : kMoreThanClean * clean_peak_.now(now);
  const bool full = *carries >= high;
  const bool by_load = well && full;
  const bool queue = queue_ms > kQueue_ms || (loss > kLost && by_load);
  resolve(*carries, queue_ms, now);
  if (!queue) {
    queued_.reset();
    if (queue_ms <= kClean_ms && loss <= kCleanLoss)
      clean(*carries, elapsed_s, now);
    else
      clean_.reset();
    return;
  }
  clean_.reset();
  if (!queued_) queued_ = now;
  const bool lost = loss > kLost && by_load;
  const bool doubt = !lost && (onset == Onset::unsure || doubtful(*carries, now));
  if (doubt && !suspicion_) suspicion_ = {*carries, now};
  if (!doubt && suspicion_ && !suspicion_->outlived) suspicion_.reset();
  if (suspicion_) return;
  if (ours(*carries, now - *queued_ >= kLasting, now)) cut(*flows(now), queue_ms, loss, now);
}

// The first hop's speed says nothing of what lies behind it: there more than was ever carried is
// reason enough.
bool Carrier::doubtful(double load, TimePoint now) const {
  if (own_bit_s_.value_or(0) > kMoreThanSent * load) return false;  // less comes out than goes in
  const auto capacity = physical(now);
  const bool bounded =
      capacity && (learnt_bit_s_ || terms_.capacity->method == BandwidthMethod::configured);
  if (capacity && load >= kReason * capacity->bit_s) return false;
  if (capacity && load + kWavers * sigma_bit_s_ >= capacity->bit_s) return false;
  return load < (bounded ? kMoreThanClean : kReasonLearning) * clean_peak_.now(now);
}

void Carrier::resolve(double load, double queue_ms, TimePoint now) {
  if (!suspicion_) return;
  suspicion_->bit_s = std::max(suspicion_->bit_s, load);
  const Suspicion was = *suspicion_;
  if (queue_ms > kClean_ms) {
    suspicion_->outlived = was.outlived || load < kGone * was.bit_s;
    if (!suspicion_->outlived && now - was.since >= kSuspicion) suspicion_.reset();
    return;
  }
  suspicion_.reset();
  if (was.outlived || load < kGone * was.bit_s || load > kFallen * was.bit_s) return;
  const bool fresh = own_at_ && now - *own_at_ <= kReadingsCease;
  const auto capacity = physical(now);
  if (!fresh || *own_bit_s_ <= kOwn * load || (capacity && capacity->bit_s <= load)) return;
  learnt_bit_s_ = load;  // what it has just drained at
  clean_peak_ = {std::min(clean_peak_.now(now), load), now};
  learnt_at_ = now;
  cut_at_ = now;
  drained_ = now + kSettle;
}

bool Carrier::ours(double load, bool lasting, TimePoint now) const {
  const bool fresh = own_at_ && now - *own_at_ <= kReadingsCease;
  if (!fresh || load < kLeast_bit_s || *own_bit_s_ <= kOwn * load) return false;
  const auto capacity = physical(now);
  const double usual = std::min(peak_.now(now), capacity ? capacity->bit_s : peak_.now(now));
  if (load < kBusy * usual) return false;
  return lasting || load >= kWasClean * clean_peak_.now(now);
}

void Carrier::cut(double load, double queue_ms, double loss, TimePoint now) {
  const auto capacity = physical(now);
  if (drained_) {
    const bool draining = queue_ms > kQueue_ms && queue_ms < kDrains * cut_queue_ms_;
    if (draining) {
      cut_queue_ms_ = queue_ms;
      drained_ = std::max(*drained_, now + kSettle / 2);
    }
    if (now < *drained_) return;
  }
  // Where the interface sent less than was sent to it, what is lost was never in its count.
  const double through = *own_bit_s_ > kMoreThanSent * load ? load : load * (1 - loss);
  const double thought = capacity ? capacity->bit_s : through;
  if (capacity && thought <= load) return;  // as was to be expected
  if (capacity && thought >= through && thought <= load + kWavers * sigma_bit_s_)
    return;  // for a moment
  const double next = std::max(kCut * std::min(thought, through), kThrough * through);
  if (next >= thought) return;
  clean_peak_ = {std::min(clean_peak_.now(now), through), now};
  lower(next, queue_ms, now);
}

void Carrier::lower(double bit_s, double queue_ms, TimePoint now) {
  learnt_bit_s_ = bit_s;
  learnt_at_ = now;
  cut_at_ = now;
  cut_queue_ms_ = queue_ms;
  const auto drains = duration_cast<Duration>(
      std::chrono::duration<double, std::milli>(std::max(queue_ms, 0.0) / (1 - kCut)));
  // Losses are counted over a window: most of those of before the cut must have left it.
  const bool by_queue = queue_ms > kQueue_ms;
  drained_ = now + (by_queue ? std::min(kSettle + drains, kLongestSettle) : kLossWindow);
}

void Carrier::fill(double queue_ms, TimePoint now) {
  const auto carries = flows(now);
  const auto capacity = physical(now);
  if (!carries || *carries < kLeast_bit_s || (drained_ && now < *drained_)) return;
  if (capacity && capacity->bit_s <= *carries) return;
  suspicion_.reset();
  before_fill_ = {learnt_bit_s_, clean_peak_, cut_at_};
  clean_peak_ = {std::min(clean_peak_.now(now), *carries), now};
  // Time and again: what others leave wanders.
  const bool again = cut_at_ && now - *cut_at_ < kContradicted;
  lower((again ? kCut : 1) * *carries, queue_ms, now);
}

void Carrier::refute() {
  if (!before_fill_) return;
  learnt_bit_s_ = before_fill_->learnt_bit_s;
  clean_peak_ = before_fill_->clean_peak;
  cut_at_ = before_fill_->cut_at;
  before_fill_.reset();
}

bool Carrier::shared(TimePoint now) const {
  const auto known = physical(now);
  return known && terms_.capacity && known->bit_s < kReason * terms_.capacity->bit_s;
}

void Carrier::clean(double load, double elapsed_s, TimePoint now) {
  if (!clean_) clean_ = now;
  was_clean_ = now;
  clean_peak_.raise(load, now);
  if (!learnt_bit_s_) return;
  const Duration since = now - *clean_;
  if (since >= kCleanFor && load > *learnt_bit_s_) {
    learnt_bit_s_ = load;
    learnt_at_ = now;
  } else if (load >= kNear * *learnt_bit_s_) {
    const double faster = std::exp2(static_cast<double>(since / kDoubles));
    *learnt_bit_s_ *= 1 + std::min(kGrowth * faster, kFastest) * elapsed_s / 60;
    learnt_at_ = now;
  }
  if (terms_.capacity && *learnt_bit_s_ >= terms_.capacity->bit_s) learnt_bit_s_.reset();
}

std::optional<Carrier::Known> Carrier::physical(TimePoint now) const {
  std::optional<Known> known;
  if (terms_.capacity) known = {terms_.capacity->bit_s, text(terms_.capacity->method)};
  if (!learnt_bit_s_ || (known && *learnt_bit_s_ >= known->bit_s)) return known;
  const double exact = known ? known->bit_s : kAbsurdBit_s;
  known = {*learnt_bit_s_, "learnt"};
  const bool contradicted = cut_at_ && now - *cut_at_ < kContradicted;
  if (terms_.at_least && !contradicted && terms_.at_least->bit_s > *learnt_bit_s_)
    known = {std::min(terms_.at_least->bit_s, exact), text(terms_.at_least->method)};
  return known;
}

std::optional<Carrier::Known> Carrier::known(TimePoint now) const {
  auto known = physical(now);
  if (commit_.spent() && (!known || *commit_.bit_s() < known->bit_s))
    known = {*commit_.bit_s(), "commit"};
  return known;
}

std::optional<double> Carrier::capacity_bit_s(TimePoint now) const {
  const auto known = this->known(now);
  return known ? std::optional(known->bit_s) : std::nullopt;
}

double Carrier::background_bit_s() const {
  const bool ceased = load_.newest() && own_at_ && *own_at_ - *load_.newest() > kReadingsCease;
  return ceased ? 0 : std::max(0.0, load_.value() - own_bit_s_.value_or(0));
}

bool Carrier::may_queue(TimePoint now) const {
  const auto carries = load(now);
  if (!carries || *carries < kLeast_bit_s) return false;
  const auto capacity = physical(now);
  if (capacity && *carries >= kFull * capacity->bit_s) return true;
  return *carries > kMoreThanClean * clean_peak_.now(now);
}

CarrierView Carrier::view(TimePoint now) const {
  CarrierView view;
  if (const auto known = this->known(now)) {
    view.capacity_bit_s = known->bit_s;
    view.capacity_from = known->from;
  }
  view.load_bit_s = load(now);
  if (view.load_bit_s && view.capacity_bit_s.value_or(0) > 0)
    view.utilisation = *view.load_bit_s / *view.capacity_bit_s;
  view.commit_bit_s = commit_.bit_s();
  if (commit_.bit_s()) view.percentile_bit_s = commit_.percentile();
  view.price = terms_.price;
  return view;
}

void Carrier::remember(NexthopMemory& memory, TimePoint now) const {
  memory.learnt_bit_s = learnt_bit_s_;
  memory.learnt_age = learnt_bit_s_ ? now - learnt_at_ : Duration::zero();
  commit_.remember(memory, now);
}

void Carrier::recall(const NexthopMemory& memory, TimePoint now) {
  const auto& learnt = memory.learnt_bit_s;
  const bool usable = learnt && std::isfinite(*learnt) && *learnt > 0 && *learnt <= kAbsurdBit_s;
  if (usable && memory.learnt_age >= Duration::zero() && memory.learnt_age < kForgotten) {
    learnt_bit_s_ = learnt;
    learnt_at_ = now - memory.learnt_age;
  }
  commit_.recall(memory, now);
}

}  // namespace hopwise::engine
