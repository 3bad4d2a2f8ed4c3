#include "core/cli/standing.hpp"

#include <algorithm>

namespace hopwise::cli {
namespace {

constexpr int kEnoughLooks = 3;

}  // namespace

Standing::Next Standing::look(const std::vector<dataplane::Difference>& found, TimePoint began,
                              TimePoint ended) {
  if (looks_++ == 0) began_ = began;
  last_began_ = began;
  std::map<std::pair<dataplane::Fault, std::string>, Seen> still;
  for (const dataplane::Difference& difference : found) {
    const std::pair key{difference.fault, difference.subject};
    const auto before = seen_.find(key);
    const TimePoint since = before == seen_.end() ? ended : before->second.since;
    still.emplace(key, Seen{since, difference.detail});
  }
  seen_ = std::move(still);
  const bool all_stand = wait_ == Duration::zero() ||
                         std::all_of(seen_.begin(), seen_.end(),
                                     [this](const auto& entry) { return stands(entry.second); });
  const bool long_enough = looks_ >= kEnoughLooks && ended - began_ >= 3 * wait_;
  return all_stand || long_enough ? Next::settled : Next::look_again;
}

std::vector<dataplane::Difference> Standing::faults() const {
  std::vector<dataplane::Difference> all;
  for (const auto& [key, seen] : seen_)
    if (wait_ == Duration::zero() || stands(seen))
      all.push_back({key.first, key.second, seen.detail});
  return all;
}

std::size_t Standing::changing() const {
  return seen_.size() - faults().size();
}

}  // namespace hopwise::cli
