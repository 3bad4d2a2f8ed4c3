#include "probes/schedule/stream.hpp"

#include <algorithm>
#include <bit>

namespace hopwise::probes {
namespace {

// Enough for every probe whose reply is still of use, at the fastest pace.
std::size_t ring_size(const Options& options) {
  constexpr std::int64_t kAtMost = 1 << 16;
  const Duration span = std::max(options.late_within, options.max_timeout);
  const Duration pace = std::min(options.interval, options.suspicious_interval) * 3 / 4;
  const std::int64_t probes = span / std::max(pace, Duration(1)) + 16;
  return std::bit_ceil(static_cast<std::size_t>(std::min(probes, kAtMost)));
}

}  // namespace

Stream::Stream(const Options& options, TimePoint now)
    : options_(options), ring_(ring_size(options)), next_send_(now), suspicious_until_(now) {}

void Stream::sent(TimePoint at_time, double unit) {
  if (ready_) counters_.sent++;
  at(next_) = {next_, ready_ ? State::pending : State::none, at_time, at_time};
  next_++;
  if (next_ - unjudged_ > ring_.size())
    unjudged_ = next_ - static_cast<std::uint32_t>(ring_.size());
  skip_settled();
  schedule(at_time, unit);
}

void Stream::unsent(TimePoint at_time, double unit) {
  counters_.unsent++;
  schedule(at_time, unit);
}

void Stream::schedule(TimePoint from, double unit) {
  const bool fast = ready_ && suspicious(from);
  next_send_ = from + jittered(fast ? options_.suspicious_interval : options_.interval, unit);
}

std::optional<Verdict> Stream::reply(std::uint32_t sequence, TimePoint arrived) {
  Probe& probe = at(sequence);
  if (probe.sequence != sequence || probe.state == State::none) return {};
  if (probe.state == State::answered) {
    counters_.duplicate++;
    return {};
  }
  const Duration rtt = std::max(Duration(arrived - probe.sent), Duration(1));
  const bool late = probe.state == State::lost;
  if (late && rtt > options_.late_within) return {};
  (late ? counters_.late : counters_.received)++;
  probe.state = State::answered;
  if (round_trip_.is_excursion(rtt)) suspect(arrived, arrived + options_.suspicious_interval);
  round_trip_.observe(rtt);
  skip_settled();
  return Verdict{late ? Outcome::late : Outcome::reply, probe.sent, rtt};
}

std::optional<Verdict> Stream::overdue(TimePoint now) {
  if (!is_overdue(now)) return {};
  Probe& probe = at(unjudged_);
  probe.state = State::lost;
  counters_.lost++;
  skip_settled();
  // The first loss is followed up at once; further ones at the suspicious pace.
  suspect(now, suspicious(now) ? next_send_ : now);
  return Verdict{Outcome::lost, probe.sent, {}};
}

bool Stream::is_overdue(TimePoint now) const {
  return unjudged_ != next_ && deadline(at(unjudged_)) <= now;
}

void Stream::suspect(TimePoint now, TimePoint next_probe) {
  suspicious_until_ = std::max(suspicious_until_, now + options_.suspicious_for);
  if (ready_) next_send_ = std::min(next_send_, next_probe);
}

void Stream::skip_settled() {
  while (unjudged_ != next_ && at(unjudged_).state != State::pending) unjudged_++;
}

void Stream::set_ready(bool ready, TimePoint now) {
  if (ready == ready_) return;
  void_outstanding();
  ready_ = ready;
  if (ready) next_send_ = now;
}

void Stream::set_suspicious(bool suspicious, TimePoint now) {
  held_suspicious_ = suspicious;
  if (suspicious && ready_) next_send_ = std::min(next_send_, now + options_.suspicious_interval);
}

void Stream::forgive(Duration stall) {
  for (std::uint32_t i = unjudged_; i != next_; i++) at(i).waiting_since += stall;
}

void Stream::void_outstanding() {
  for (Probe& probe : ring_) probe.state = State::none;
  unjudged_ = next_;
}

void Stream::reconfigure(const Options& options) {
  options_ = options;
  if (ring_size(options) == ring_.size()) return;
  ring_.assign(ring_size(options), {});
  unjudged_ = next_;
}

TimePoint Stream::due() const {
  return unjudged_ == next_ ? next_send_ : std::min(next_send_, deadline(at(unjudged_)));
}

TimePoint Stream::deadline(const Probe& probe) const {
  return probe.waiting_since + round_trip_.timeout(options_);
}

bool Stream::suspicious(TimePoint now) const {
  return held_suspicious_ || now < suspicious_until_;
}

}  // namespace hopwise::probes
