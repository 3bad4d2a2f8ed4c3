// Samples on their way from the prober's thread to the control loop.
//
// What comes while the control loop is busy is merged into one vector and handed over in one go: at
// most one post is ever under way, nothing is dropped, the order stays.
#pragma once

#include <boost/asio/io_context.hpp>
#include <functional>
#include <mutex>
#include <span>
#include <vector>

#include "core/model/sample.hpp"

namespace hopwise {

/// Outlives what it has posted.
class SampleRelay {
 public:
  using Deliver = std::function<void(std::span<const Sample>)>;

  /// `deliver` is called on `control`, never with nothing.
  SampleRelay(boost::asio::io_context& control, Deliver deliver)
      : control_(control), deliver_(std::move(deliver)) {}

  /// From any thread.
  void add(std::span<const Sample> samples);

 private:
  void hand_over();

  boost::asio::io_context& control_;
  Deliver deliver_;
  std::mutex mutex_;
  std::vector<Sample> waiting_;  // not empty: a post is under way
  std::vector<Sample> batch_;    // of the control loop: keeps its memory from one to the next
};

}  // namespace hopwise
