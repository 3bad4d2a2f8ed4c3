// Hears of flows that left a nexthop by themselves: often the first sign of a black hole.
#pragma once

#include <boost/asio/io_context.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <functional>
#include <map>
#include <vector>

#include "core/daemon/log.hpp"
#include "core/daemon/steering.hpp"
#include "core/dataplane/dataplane.hpp"

namespace hopwise {

class EscapeWatch {
 public:
  using OnEscapes = std::function<void(const std::vector<dataplane::Escape>&)>;

  /// `on_escapes` is called on `io` as they come, with all that were waiting.
  EscapeWatch(boost::asio::io_context& io, dataplane::Dataplane& dataplane, OnEscapes on_escapes);
  EscapeWatch(const EscapeWatch&) = delete;
  ~EscapeWatch() { readable_.release(); }  // the data plane closes it

  /// One line for each nexthop that flows have left since the last call, however many there were.
  void tell(Log& log, const std::map<NexthopId, NexthopRecord>& nexthops);

 private:
  void wait();
  void read();

  dataplane::Dataplane& dataplane_;
  OnEscapes on_escapes_;
  boost::asio::posix::stream_descriptor readable_;
  std::map<NexthopId, std::size_t> tally_;
};

}  // namespace hopwise
