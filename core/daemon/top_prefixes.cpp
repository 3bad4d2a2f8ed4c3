#include "core/daemon/top_prefixes.hpp"

#include <algorithm>
#include <tuple>

namespace hopwise {

TopPrefixes::TopPrefixes(std::size_t counters) : counters_(std::max<std::size_t>(counters, 1)) {
  heap_.reserve(counters_);
  at_.reserve(counters_);
}

void TopPrefixes::add(const Prefix& prefix, double bytes) {
  if (!(bytes > 0)) return;
  total_ += bytes;
  if (const auto known = at_.find(prefix); known != at_.end()) {
    Counter& counter = heap_[known->second];
    counter.bytes += bytes;
    return sift_down(known->second);
  }
  if (heap_.size() < counters_) {
    heap_.push_back({prefix, bytes, 0});
    at_[prefix] = heap_.size() - 1;
    return sift_up(heap_.size() - 1);
  }
  Counter& smallest = heap_.front();
  at_.erase(smallest.prefix);
  smallest = {prefix, smallest.bytes + bytes, smallest.bytes};
  at_[prefix] = 0;
  sift_down(0);
}

void TopPrefixes::age(double factor) {
  factor = std::clamp(factor, 0.0, 1.0);
  total_ *= factor;
  for (Counter& counter : heap_) {
    counter.bytes *= factor;
    counter.error *= factor;
  }
}

std::vector<TopPrefixes::Counter> TopPrefixes::top(std::size_t most) const {
  std::vector<Counter> found(heap_);
  const auto more = [](const Counter& a, const Counter& b) {
    return std::tie(b.bytes, a.prefix) < std::tie(a.bytes, b.prefix);
  };
  const auto end = found.begin() + static_cast<std::ptrdiff_t>(std::min(most, found.size()));
  std::partial_sort(found.begin(), end, found.end(), more);
  found.erase(end, found.end());
  return found;
}

double TopPrefixes::untracked_share() const {
  double errors = 0;
  for (const Counter& counter : heap_) errors += counter.error;
  return total_ > 0 ? std::min(1.0, errors / total_) : 0;
}

void TopPrefixes::put(std::size_t at, const Counter& counter) {
  heap_[at] = counter;
  at_[counter.prefix] = at;
}

void TopPrefixes::sift_up(std::size_t at) {
  const Counter moved = heap_[at];
  while (at > 0 && moved.bytes < heap_[(at - 1) / 2].bytes) {
    put(at, heap_[(at - 1) / 2]);
    at = (at - 1) / 2;
  }
  put(at, moved);
}

void TopPrefixes::sift_down(std::size_t at) {
  const Counter moved = heap_[at];
  for (;;) {
    std::size_t child = 2 * at + 1;
    if (child >= heap_.size()) break;
    if (child + 1 < heap_.size() && heap_[child + 1].bytes < heap_[child].bytes) ++child;
    if (heap_[child].bytes >= moved.bytes) break;
    put(at, heap_[child]);
    at = child;
  }
  put(at, moved);
}

}  // namespace hopwise
