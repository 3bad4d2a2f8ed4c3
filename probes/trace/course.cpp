#include "probes/trace/course.hpp"

#include <algorithm>

namespace hopwise::probes {

Course::Course(const IpAddress& destination, const TraceOptions& options, TimePoint now)
    : destination_(destination),
      options_(options),
      begun_(now),
      round_begun_(now),
      last_sent_(now - options.pace) {}

Course::Hop& Course::hop(std::uint8_t distance) {
  while (hops_.size() < distance) {
    hops_.emplace_back();
    hops_.back().hop.distance = static_cast<std::uint8_t>(hops_.size());
  }
  return hops_[distance - 1U];
}

bool Course::is_refused() const {
  return farthest_ > 0 && hops_[farthest_ - 1U].refused;
}

// How far probes go as far as is known by now.
std::uint8_t Course::frontier() const {
  if (goal_) return *goal_;
  if (is_refused()) return farthest_;
  return static_cast<std::uint8_t>(
      std::min<unsigned>(options_.max_hops, unsigned{farthest_} + options_.silent_hops));
}

std::optional<std::uint8_t> Course::due(TimePoint now) const {
  if (ended_ || all_asked() || now < round_begun_ || now < last_sent_ + options_.pace) return {};
  return static_cast<std::uint8_t>(asked_ + 1);
}

std::size_t Course::sent(std::uint8_t distance, TimePoint at) {
  hop(distance).hop.sent++;
  asked_ = distance;
  last_sent_ = at;
  probes_.push_back({distance, round_, at});
  return probes_.size() - 1;
}

void Course::left(std::size_t probe, TimePoint at) {
  probes_[probe].sent = at;
}

void Course::answered(std::size_t number, const TraceAnswer& answer) {
  Probe& probe = probes_[number];
  if (probe.answered) return;
  probe.answered = true;
  Hop& at = hop(probe.distance);
  auto& answers = at.hop.answers;
  auto known = std::ranges::find(answers, answer.from, &TraceHop::Answer::from);
  if (known == answers.end()) {
    known = answers.insert(answers.end(), {.from = answer.from});
    at.totals.emplace_back();
  }
  const Duration rtt = std::max(answer.at - probe.sent, Duration(1));
  Duration& total = at.totals[static_cast<std::size_t>(known - answers.begin())];
  total += rtt;
  known->least = known->count == 0 ? rtt : std::min(known->least, rtt);
  known->most = std::max(known->most, rtt);
  known->mean = total / ++known->count;
  if (!answer.note.empty()) known->note = answer.note;
  at.refused = at.refused || answer.kind == TraceAnswer::Kind::refusal;
  farthest_ = std::max(farthest_, probe.distance);
  const bool arrived = answer.kind == TraceAnswer::Kind::destination ||
                       (answer.kind == TraceAnswer::Kind::refusal && answer.from == destination_);
  if (arrived) goal_ = std::min(goal_.value_or(probe.distance), probe.distance);
}

// Whether answers to this round may come still. Of distances beyond the destination none matter.
bool Course::is_waiting() const {
  const std::uint8_t end = frontier();
  return std::ranges::any_of(probes_, [&](const Probe& probe) {
    return probe.round == round_ && !probe.answered && probe.distance <= end;
  });
}

TimePoint Course::patience_ends() const {
  const bool is_long = is_last_round() && !goal_ && !is_refused();
  return last_sent_ + (is_long ? options_.last_patience : options_.patience);
}

void Course::turn(TimePoint now) {
  if (now >= begun_ + options_.total) ended_ = true;
  if (ended_ || !all_asked()) return;
  if (is_waiting() && now < patience_ends()) return;
  if (is_last_round()) {
    ended_ = true;
    return;
  }
  round_++;
  asked_ = 0;
  round_begun_ = std::max(now, round_begun_ + options_.round);
}

TimePoint Course::next() const {
  const TimePoint soonest =
      all_asked() ? patience_ends() : std::max(round_begun_, last_sent_ + options_.pace);
  return std::min(soonest, begun_ + options_.total);
}

void Course::fail(const std::string& why) {
  ended_ = true;
  error_ = why;
}

Findings Course::findings() const {
  Findings findings{.ended = ended_, .reached = goal_.has_value(), .error = error_};
  const std::size_t shown = goal_ ? *goal_ : farthest_ + (is_refused() ? 0U : 1U);
  for (std::size_t i = 0; i < std::min(shown, hops_.size()); i++)
    findings.hops.push_back(hops_[i].hop);
  return findings;
}

}  // namespace hopwise::probes
