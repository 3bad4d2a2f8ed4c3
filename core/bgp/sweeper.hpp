// Work on the loop in slices of two milliseconds; and the one that clears what closed sources left
// in a path table.
#pragma once

#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <memory>

#include "core/bgp/path_table.hpp"
#include "core/model/time.hpp"

namespace hopwise::bgp {

/// How long anything here may keep the loop.
inline constexpr Duration kSlice = std::chrono::milliseconds(2);

/// Calls `step` until it says that there is no more, or the slice is over. True where there is
/// more.
template <class Step>
bool work_a_slice(const Step& step) {
  const TimePoint end = std::chrono::steady_clock::now() + kSlice;
  while (step())
    if (std::chrono::steady_clock::now() >= end) return true;
  return false;
}

class Sweeper : public std::enable_shared_from_this<Sweeper> {
 public:
  Sweeper(boost::asio::io_context& io, PathTable& table) : io_(io), table_(&table) {}

  /// A source was closed.
  void wake() {
    if (under_way_ || table_ == nullptr) return;
    under_way_ = true;
    boost::asio::post(io_, [self = shared_from_this()] { self->slice(); });
  }
  /// The table goes.
  void stop() { table_ = nullptr; }

 private:
  void slice() {
    under_way_ = false;
    if (table_ == nullptr) return;
    if (work_a_slice([this] { return table_->sweep(64); })) wake();
  }

  boost::asio::io_context& io_;
  PathTable* table_;
  bool under_way_ = false;
};

}  // namespace hopwise::bgp
