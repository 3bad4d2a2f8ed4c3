// Rings once when any of several sockets has something to read, and then not before it is armed
// again.
//
// Whoever reads sockets every millisecond anyway must not be woken for each datagram: a socket that
// rang is asked nothing of until arm() (EPOLLONESHOT, in an epoll set of its own that Asio waits
// for). At a high rate the bell is hushed and costs nothing (as NAPI does with interrupts).
#pragma once

#include <boost/asio/io_context.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <functional>
#include <memory>
#include <vector>

#include "core/model/result.hpp"

namespace hopwise::probes {

class Doorbell : public std::enable_shared_from_this<Doorbell> {
 public:
  /// `on_ring` is called from the io_context, never from here.
  static Result<std::shared_ptr<Doorbell>> open(boost::asio::io_context& io,
                                                std::function<void()> on_ring);
  Doorbell(const Doorbell&) = delete;
  Doorbell& operator=(const Doorbell&) = delete;
  ~Doorbell();

  /// Until it is closed. Armed from the start.
  Result<> watch(int fd);
  void arm();
  /// No ringing until armed again. The kernel then spares what it does to wake somebody at each
  /// reply and each stamp, three times a probe.
  void hush();

 private:
  Doorbell(boost::asio::io_context& io, int epoll, std::function<void()> on_ring);
  void rung();

  boost::asio::posix::stream_descriptor epoll_;
  std::function<void()> on_ring_;
  std::vector<int> watched_;
  std::vector<int> silent_;  // those that rang
  bool hushed_ = false;
  bool waits_ = false;
};

}  // namespace hopwise::probes
