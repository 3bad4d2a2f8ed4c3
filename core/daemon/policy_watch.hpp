// Says when the kernel's rules may have changed, so that nobody has to ask again and again.
#pragma once

#include <boost/asio/io_context.hpp>
#include <functional>
#include <memory>

namespace hopwise {

class PolicyWatch {
 public:
  /// `changed` is called on `io`, once for a burst of changes.
  PolicyWatch(boost::asio::io_context& io, std::function<void()> changed);
  ~PolicyWatch();

 private:
  struct Impl;
  std::shared_ptr<Impl> impl_;
};

}  // namespace hopwise
