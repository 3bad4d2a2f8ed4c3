#include "core/dataplane/places.hpp"

namespace hopwise::dataplane {
namespace {

// A wait is worth it in the middle of an update only when it is shared by this many.
constexpr std::size_t kMany = 1024;

}  // namespace

std::uint32_t Places::take() {
  if (free() == 0 && given_back_.size() >= kMany) wait_and_free();
  if (!free_.empty()) {
    const std::uint32_t place = free_.back();
    free_.pop_back();
    return place;
  }
  return fresh_ < count_ ? fresh_++ : 0;
}

void Places::reclaim(bool short_of) {
  if (!given_back_.empty() && (short_of || given_back_.size() > free())) wait_and_free();
}

void Places::wait_and_free() {
  if (!wait_()) return;
  free_.insert(free_.end(), given_back_.begin(), given_back_.end());
  given_back_.clear();
}

void Places::adopt(const std::vector<bool>& used) {
  free_.clear();
  given_back_.clear();
  fresh_ = count_;
  for (std::uint32_t place = count_; --place > 0;)
    if (!used[place]) given_back_.push_back(place);
  wait_and_free();
}

}  // namespace hopwise::dataplane
