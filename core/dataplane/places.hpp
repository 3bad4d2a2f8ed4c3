// Numbers of the blocks and nodes that the first stage of a route table points to: which are free,
// and which will be as soon as no program reads them any more.
//
// What is given back was unpublished just before, so a program may still be reading it. It waits
// here until every program that ran then has ended (a grace period, some 10 ms), many at a time:
// when free ones run short, never for one update.
#pragma once

#include <cstdint>
#include <utility>
#include <vector>

#include "core/dataplane/grace_period.hpp"

namespace hopwise::dataplane {

class Places {
 public:
  /// Numbers 1 to count - 1; 0 means none.
  Places(std::uint32_t count, GracePeriod wait) : count_(count), wait_(std::move(wait)) {}

  /// 0: none is left. Waits for a grace period only when that gains many.
  std::uint32_t take();
  /// Of something that programs may be reading.
  void give_back(std::uint32_t place) { given_back_.push_back(place); }
  /// Waits for a grace period where more are given back than are free, or `short_of` them.
  void reclaim(bool short_of);
  /// In use are exactly these, by number. Waits for a grace period: programs may still be reading
  /// the others.
  void adopt(const std::vector<bool>& used);

  [[nodiscard]] std::uint32_t count() const { return count_; }
  [[nodiscard]] std::size_t in_use() const {
    return fresh_ - 1 - free_.size() - given_back_.size();
  }
  [[nodiscard]] std::size_t bytes() const {
    return (free_.capacity() + given_back_.capacity()) * sizeof(std::uint32_t);
  }

 private:
  [[nodiscard]] std::size_t free() const { return free_.size() + count_ - fresh_; }
  void wait_and_free();

  std::uint32_t count_;
  GracePeriod wait_;
  std::uint32_t fresh_ = 1;  // from here on, never used
  std::vector<std::uint32_t> free_;
  std::vector<std::uint32_t> given_back_;
};

}  // namespace hopwise::dataplane
