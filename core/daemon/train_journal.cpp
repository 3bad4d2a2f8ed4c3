#include "core/daemon/train_journal.hpp"

#include <algorithm>

namespace hopwise {

// A line of which nobody says the rate is at least as fast as trains showed.
Duration TrainJournal::pause(const Candidate& candidate, const Terms& terms) const {
  Duration pause = terms.every;
  std::optional<std::uint64_t> line = candidate.line_bit_s;
  if (const auto shown = bandwidth(candidate.nexthop); shown && (!line || shown->bit_s < *line))
    line = shown->bit_s;
  if (line && *line > 0)
    pause = std::max(pause, std::chrono::duration_cast<Duration>(std::chrono::duration<double>(
                                8.0 * static_cast<double>(terms.bytes) /
                                (kLineShare * static_cast<double>(*line)))));
  if (const auto way = ways_.find(candidate.nexthop); way != ways_.end())
    pause *= 1 << std::min(way->second.fruitless, kMostPatience);
  return pause;
}

std::uint64_t TrainJournal::spent_since(TimePoint since) const {
  std::uint64_t bytes = 0;
  for (const auto& [at, sent] : spent_)
    if (at > since) bytes += sent;
  return bytes;
}

bool TrainJournal::has_room(std::uint64_t bytes, TimePoint now) const {
  return !under_way_ && spent_since(now - std::chrono::minutes(1)) + bytes <= kBytesAMinute;
}

std::optional<NexthopId> TrainJournal::due(std::span<const Candidate> candidates,
                                           const Terms& terms, TimePoint now) const {
  if (!has_room(terms.bytes, now)) return std::nullopt;
  std::optional<NexthopId> first;
  std::optional<Duration> longest;  // overdue; one that never had a train is so since ever
  for (const Candidate& candidate : candidates) {
    const auto way = ways_.find(candidate.nexthop);
    if (way == ways_.end()) return candidate.nexthop;
    const Duration overdue = now - way->second.last - pause(candidate, terms);
    if (overdue < Duration{} || (longest && overdue <= *longest)) continue;
    longest = overdue;
    first = candidate.nexthop;
  }
  return first;
}

std::uint64_t TrainJournal::begin(NexthopId nexthop, std::uint64_t bytes, TimePoint now) {
  while (!spent_.empty() && spent_.front().first <= now - std::chrono::minutes(1))
    spent_.pop_front();
  spent_.emplace_back(now, bytes);
  ways_[nexthop].last = now;
  under_way_ = {++newest_, nexthop};
  return newest_;
}

void TrainJournal::end(std::uint64_t train, const Result<probes::Dispersion>& told, TimePoint now) {
  if (!under_way_ || under_way_->train != train) return;
  const auto nexthop = std::exchange(under_way_, std::nullopt)->nexthop;
  if (!nexthop) return;
  Way& way = ways_[*nexthop];
  const bool measured = told && told->fault == probes::TrainFault::none;
  way.fruitless = measured ? 0 : way.fruitless + 1;
  ++way.results[measured ? "measured" : told ? std::string(text(told->fault)) : "unsent"];
  if (told) way.estimate.observe(*told, now);
}

std::optional<Bandwidth> TrainJournal::bandwidth(NexthopId nexthop) const {
  const auto way = ways_.find(nexthop);
  return way == ways_.end() ? std::nullopt : way->second.estimate.bandwidth();
}

std::map<std::string, std::uint64_t> TrainJournal::results(NexthopId nexthop) const {
  const auto way = ways_.find(nexthop);
  return way == ways_.end() ? std::map<std::string, std::uint64_t>{} : way->second.results;
}

void TrainJournal::forget(NexthopId nexthop) {
  ways_.erase(nexthop);
  if (under_way_ && under_way_->nexthop == nexthop) under_way_->nexthop.reset();
}

}  // namespace hopwise
