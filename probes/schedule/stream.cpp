#include "probes/schedule/stream.hpp"

#include <algorithm>
#include <limits>

namespace hopwise::probes {
namespace {

constexpr std::size_t kLeastRing = 16;
constexpr std::size_t kMostRing = 1U << 17U;
// An interface that confirmed what left, and then nothing for so long and of so many probes in a
// row, loses all that it is given.
constexpr Duration kSwallows = std::chrono::seconds(2);
constexpr std::uint32_t kSwallowed = 8;
// A probe that falls due within a turn of the loop is on time: the pace counts from its due time.
constexpr Duration kOnTime = std::chrono::milliseconds(8);

// Silence that lasts for longer is known, and haste tells no more of it: anchors that are dead for
// good would spend the budget of those in doubt.
constexpr Duration kDoubt = std::chrono::seconds(30);

template <class Narrow>
Narrow saturated(std::int64_t value) {
  constexpr auto most = std::int64_t{std::numeric_limits<Narrow>::max()};
  return static_cast<Narrow>(std::clamp(value, std::int64_t{0}, most));
}

}  // namespace

Stream::Stream(const Pacing& pacing, TimePoint now)
    : pacing_(&pacing),
      ring_(kLeastRing),
      flows_(std::clamp(pacing.options.flows, 1U, Options::kMaxFlows)),
      next_send_(now),
      paced_from_(now),
      suspicious_until_(now),
      heard_(now) {}

// --- sending -------------------------------------------------------------------------------------

void Stream::sent(TimePoint at_time, double unit) {
  make_room(at_time);
  Probe& probe = at(next_);
  probe = Probe{};
  probe.sent = at_time;
  if (ready_) {
    counters_.sent++;
    flows_[flow()].sent++;
    probe.state = State::pending;
  }
  next_++;
  skip_settled();
  schedule(at_time, unit);
}

// The one that the next probe would overwrite has to stay while its reply is of use.
void Stream::make_room(TimePoint now) {
  const Probe& oldest = at(next_);
  const bool pending = oldest.state == State::pending;
  if (!pending && (oldest.state != State::lost || now - oldest.sent > pacing_->options.late_within))
    return;
  if (ring_.size() < kMostRing) {
    std::vector<Probe> larger(ring_.size() * 2);
    for (std::size_t back = 1; back <= ring_.size(); back++) {
      const auto sequence = static_cast<std::uint32_t>(next_ - back);
      larger[sequence & (larger.size() - 1)] = at(sequence);
    }
    ring_ = std::move(larger);
  } else if (pending) {
    make_void(at(next_), Void::overflow);
    skip_settled();
  }
}

void Stream::unsent(TimePoint at_time, double unit) {
  counters_.unsent++;
  schedule(at_time, unit);
}

void Stream::schedule(TimePoint from, double unit) {
  fast_ = ready_ && suspicious(from);
  if (from > next_send_ && from - next_send_ < kOnTime) from = next_send_;
  paced_from_ = from;
  unit_ = unit;
  next_send_ = from + pause();
}

Duration Stream::pause() const {
  return jittered(fast_ ? pacing_->paces.suspicious : pacing_->paces.usual, unit_);
}

void Stream::repace() {
  next_send_ = std::min(next_send_, paced_from_ + pause());
}

void Stream::left(std::uint32_t sequence, const Egress& egress) {
  if (!remembers(sequence)) return;
  confirmed_ = true;
  unconfirmed_ = 0;
  Probe& probe = at(sequence);
  if (probe.state != State::pending && probe.state != State::lost) return;
  if (egress.proof == Egress::Proof::strayed) {
    make_void(probe, Void::strayed);
    local_wait_ = {};
    return skip_settled();
  }
  if (probe.told != Told::nothing) return;
  probe.told = Told::left;
  if (egress.proof == Egress::Proof::proved) counters_.proved++;
  if (!egress.at) return;
  local_wait_.observe(egress.driver_tells, egress.queued, *egress.at - probe.sent);
  probe.told = Told::stamped;
  probe.queued_ns = saturated<std::uint32_t>(egress.queued.value_or(Duration{}).count());
  probe.sent = *egress.at - Duration(probe.queued_ns);
}

// --- replies and deadlines -----------------------------------------------------------------------

bool Stream::remembers(std::uint32_t sequence) const {
  const std::uint32_t ago = next_ - sequence;  // modulo 2^32
  return ago - 1 < ring_.size() && at(sequence).sent != TimePoint{};
}

bool Stream::waits_for(std::uint32_t sequence) const {
  return remembers(sequence) && at(sequence).state == State::pending;
}

std::optional<Verdict> Stream::reply(std::uint32_t sequence, const Arrival& arrival) {
  if (!remembers(sequence)) {
    const bool to_come = static_cast<std::int32_t>(next_ - sequence) <= 0;
    (to_come ? counters_.forged : counters_.stale)++;
    return {};
  }
  Probe& probe = at(sequence);
  if (probe.state == State::none) return {};
  if (probe.state == State::answered) {
    counters_.duplicate++;
    return {};
  }
  const Duration away = std::max(Duration(arrival.at - probe.sent), Duration(1));
  const bool late = probe.state == State::lost;
  if (probe.state == State::voided || (late && away > pacing_->options.late_within)) {
    counters_.stale++;
    return {};
  }
  // What the anchor says of itself is taken only where it can be.
  const bool told = arrival.turnaround > Duration{} && arrival.turnaround < away;
  const Duration rtt = told ? away - arrival.turnaround : away;
  learn(sequence, rtt, arrival);
  (late ? counters_.late : counters_.received)++;
  probe.state = State::answered;
  skip_settled();
  const bool by_kernel = probe.told == Told::stamped && arrival.source == TimestampSource::kernel;
  if (by_kernel) counters_.kernel_stamped++;
  return Verdict{late ? Outcome::late : Outcome::reply,
                 probe.sent,
                 rtt,
                 by_kernel ? TimestampSource::kernel : TimestampSource::user,
                 flow(sequence),
                 Duration(probe.queued_ns),
                 sequence};
}

void Stream::learn(std::uint32_t sequence, Duration rtt, const Arrival& arrival) {
  if (at(sequence).told == Told::nothing) confirmed_ = false;
  if (round_trip_.is_excursion(rtt)) suspect(arrival.at, arrival.at + pacing_->paces.suspicious);
  round_trip_.observe(rtt);
  heard_ = std::max(heard_, arrival.at);
  auto& smoothed = flows_[flow(sequence)].rtt;
  smoothed = smoothed ? *smoothed + (rtt - *smoothed) / 8 : rtt;
}

std::optional<Verdict> Stream::overdue(TimePoint now, std::optional<TimePoint> dropped) {
  for (; is_overdue(now); skip_settled()) {
    Probe& oldest = at(unjudged_);
    if (held_back(oldest))
      make_void(oldest, Void::not_left);
    else if (dropped && oldest.sent <= *dropped)
      make_void(oldest, Void::overflow);
    else
      break;
  }
  if (!is_overdue(now)) return {};
  const std::uint32_t sequence = unjudged_;
  Probe& probe = at(sequence);
  probe.state = State::lost;
  counters_.lost++;
  flows_[flow(sequence)].lost++;
  skip_settled();
  // The first loss is followed up at once; further ones at the suspicious pace.
  if (now - heard_ < kDoubt) suspect(now, suspicious(now) ? next_send_ : now);
  return Verdict{Outcome::lost,
                 probe.sent,
                 {},
                 TimestampSource::user,
                 flow(sequence),
                 Duration(probe.queued_ns),
                 sequence};
}

// A packet or a few that do not leave are this host's business. Where none leaves any more, by a
// driver that hangs or a queue that stands still, the path is of no use, whoever is to blame; or
// the driver has only ceased to confirm, and then what is not answered is lost as anywhere.
bool Stream::held_back(const Probe& overdue) {
  if (!confirmed_ || overdue.told != Told::nothing) return false;
  if (unconfirmed_++ == 0) unconfirmed_since_ = overdue.sent;
  if (unconfirmed_ > kSwallowed && overdue.sent - unconfirmed_since_ >= kSwallows)
    confirmed_ = false;
  return confirmed_;
}

bool Stream::is_overdue(TimePoint now) const {
  return has_outstanding() && deadline(at(unjudged_)) <= now;
}

void Stream::suspect(TimePoint now, TimePoint next_probe) {
  suspicious_until_ = std::max(suspicious_until_, now + pacing_->options.suspicious_for);
  if (ready_) next_send_ = std::min(next_send_, next_probe);
}

void Stream::skip_settled() {
  while (unjudged_ != next_ && at(unjudged_).state != State::pending) unjudged_++;
}

// --- what others say -----------------------------------------------------------------------------

void Stream::set_ready(bool ready, TimePoint now) {
  if (ready == ready_) return;
  void_outstanding(Void::neighbour);
  ready_ = ready;
  if (ready) next_send_ = heard_ = now;
}

void Stream::set_suspicious(bool suspicious, TimePoint now) {
  held_suspicious_ = suspicious;
  if (suspicious && ready_) next_send_ = std::min(next_send_, now + pacing_->paces.suspicious);
}

void Stream::forgive(Duration stall) {
  const std::int64_t more = std::chrono::ceil<std::chrono::milliseconds>(stall).count();
  for (std::uint32_t i = unjudged_; i != next_; i++)
    at(i).forgiven_ms = saturated<std::uint16_t>(more + at(i).forgiven_ms);
}

void Stream::make_void(Probe& probe, Void why) {
  probe.state = State::voided;
  counters_.voids[static_cast<std::size_t>(why)]++;
}

// Those that are lost already may not be taken back any more either.
void Stream::void_outstanding(Void why) {
  for (Probe& probe : ring_) {
    if (probe.state == State::pending) make_void(probe, why);
    if (probe.state == State::lost) probe.state = State::voided;
  }
  unjudged_ = next_;
  unconfirmed_ = 0;
}

TimePoint Stream::due() const {
  return has_outstanding() ? std::min(next_send_, deadline(at(unjudged_))) : next_send_;
}

TimePoint Stream::deadline(const Probe& probe) const {
  return probe.sent + std::chrono::milliseconds(probe.forgiven_ms) +
         round_trip_.timeout(pacing_->options);
}

bool Stream::suspicious(TimePoint now) const {
  return held_suspicious_ || now < suspicious_until_;
}

}  // namespace hopwise::probes
