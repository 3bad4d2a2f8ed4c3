#include "core/daemon/sample_relay.hpp"

#include <boost/asio/post.hpp>

namespace hopwise {

void SampleRelay::add(std::span<const Sample> samples) {
  if (samples.empty()) return;
  bool first = false;
  {
    const std::lock_guard lock(mutex_);
    first = waiting_.empty();
    waiting_.insert(waiting_.end(), samples.begin(), samples.end());
  }
  if (first) boost::asio::post(control_, [this] { hand_over(); });
}

void SampleRelay::hand_over() {
  batch_.clear();
  {
    const std::lock_guard lock(mutex_);
    batch_.swap(waiting_);
  }
  deliver_(batch_);
}

}  // namespace hopwise
