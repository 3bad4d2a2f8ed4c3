// Notices when another program removes our rules, and has them put back.
//
// `ip rule flush`, systemd-networkd and network scripts remove rules that are not theirs, the guard
// among them: probes would then follow the main table and praise a path that they never saw. The
// kernel tells of a removal before it is acknowledged to who asked for it. So intact(), asked
// before a probe is sent and before replies are read, knows of every removal before a probe that
// strayed could be taken for a sample. Events that were dropped count as a removal. Should one be
// missed all the same, the rules are listed every ten seconds. On the same socket the kernel tells
// of addresses, for Binding::source().
#pragma once

#include <boost/asio/io_context.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/steady_timer.hpp>
#include <functional>
#include <memory>
#include <string>

#include "core/model/time.hpp"
#include "probes/binding/binding.hpp"

namespace hopwise::probes {

class RuleWatch : public std::enable_shared_from_this<RuleWatch> {
 public:
  /// Whatever probe is out may have left by another path. The text says why.
  using OnStray = std::function<void(const std::string&)>;

  /// `binding` must outlive the watch. `on_stray` is called from the io_context and from intact().
  static Result<std::shared_ptr<RuleWatch>> open(boost::asio::io_context& io, Binding& binding,
                                                 OnStray on_stray);
  RuleWatch(const RuleWatch&) = delete;
  RuleWatch& operator=(const RuleWatch&) = delete;
  ~RuleWatch() { readable_.release(); }  // the socket closes it

  /// Reads what the kernel has told. False while rules are not put back yet, which is tried at once
  /// but at most ten times a second: no probe may be sent.
  [[nodiscard]] bool intact();

 private:
  RuleWatch(boost::asio::io_context& io, Binding& binding, OnStray on_stray,
            netlink::Socket events);
  void wait();
  void read();
  void repair();
  void repair_at(TimePoint time);

  Binding& binding_;
  OnStray on_stray_;
  netlink::Socket events_;
  boost::asio::posix::stream_descriptor readable_;
  boost::asio::steady_timer timer_;
  TimePoint repaired_;  // tried, at least
  bool adrift_ = false;
};

}  // namespace hopwise::probes
