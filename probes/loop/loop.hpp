// The loop: what came is read, deadlines are judged, what is due is sent, samples go out.
//
// One turn does all of that, always in this order, so nothing is called lost whose reply waits in a
// socket. It wakes at the ticks of the wheel; at a low rate also when a reply comes, at a high one
// it finds replies at the next tick anyway (the kernel has stamped them) and is not woken for each.
// A turn's probes leave in batches, and what is there at once (their stamps) is read in the same
// turn; its samples go out in one call. In steady state nothing is
// allocated.
#pragma once

#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>
#include <functional>
#include <memory>
#include <optional>
#include <random>
#include <set>
#include <span>
#include <string>
#include <vector>

#include "core/model/sample.hpp"
#include "core/model/status.hpp"
#include "probes/loop/line.hpp"
#include "probes/loop/ways.hpp"
#include "probes/schedule/aim.hpp"
#include "probes/schedule/budget.hpp"
#include "probes/schedule/wheel.hpp"
#include "probes/socket/doorbell.hpp"

namespace hopwise::probes {

class Loop : public std::enable_shared_from_this<Loop> {
 public:
  using OnSamples = std::function<void(std::span<const Sample>)>;

  /// `ways` must outlive it.
  static Result<std::shared_ptr<Loop>> open(boost::asio::io_context& io, const Options& options,
                                            Ways& ways, OnSamples on_samples);
  Loop(const Loop&) = delete;
  Loop& operator=(const Loop&) = delete;

  /// The sockets that anchors of that kind need.
  Result<> prepare(ProbeKind kind, Family family);
  /// Begins to probe. The error tells why that anchor cannot be.
  Result<> add(const Nexthop& nexthop, const AnchorSpec& spec, const Readiness& readiness);
  /// Ends probing all of the nexthop's anchors but these.
  void remove_others(NexthopId id, std::span<const AnchorSpec> specs);
  [[nodiscard]] bool has(NexthopId id, const AnchorSpec& spec) const {
    return aims_.find(id, spec) != nullptr;
  }
  void set_ready(NexthopId id, const Readiness& readiness);
  void set_suspicious(NexthopId id, bool suspicious);
  void reconfigure(const Options& options);
  /// Whatever is out may have left by another way.
  void strayed(const std::string& why);

  [[nodiscard]] std::vector<ProbeStatus> status() const;
  [[nodiscard]] ProberTotals totals() const;

 private:
  Loop(boost::asio::io_context& io, const Options& options, Ways& ways, OnSamples on_samples);

  // A turn, in order.
  void turn();
  void check_clock(TimePoint now);
  void read();
  void follow_sources();
  void forgive(Duration stall);
  void repace();
  void attend(Aim& aim, TimePoint now);
  bool send();
  void settle(Aim& aim);
  void report();
  void arm(TimePoint now);
  void arm_timer(TimePoint due);

  // What is sent (sending.cpp).
  void compose(Aim& aim);
  [[nodiscard]] bool can_leave(Aim& aim);
  void end_half_open(const Aim& aim, std::uint32_t sequence);
  static void address(Outgoing& out, const Aim& aim);
  void flush(Line& line);
  void depart(Line& line, std::size_t index, TimePoint at);
  void unsent(Aim& aim, Trouble trouble);
  double unit() { return chance_of_(chance_); }

  // What was read (hearing.cpp).
  void left(const DatagramSocket::Left& left);
  void arrived(const DatagramSocket::Arrived& arrived);
  void replied(const Heard& heard, const DatagramSocket::Arrived& arrived);
  void tell_apart(Aim& aim, const Reflected& reflected, const Verdict& verdict,
                  const DatagramSocket::Arrived& arrived);
  void refused(const Named& probe, const RefusedBy& by);
  void conclude(const Aim& aim, const Verdict& verdict);

  Ways& ways_;
  OnSamples on_samples_;
  Pacing pacing_;
  Budget budget_;
  Wheel wheel_;
  Aims aims_;
  Lines lines_;
  Line* reading_ = nullptr;
  DatagramSocket::Events events_;
  std::shared_ptr<Doorbell> bell_;
  boost::asio::steady_timer timer_;
  std::optional<TimePoint> armed_;   // what the timer is set to
  std::vector<Sample> samples_;      // of this turn
  std::uint64_t sources_as_of_ = 0;  // Ways::source_changes()
  TimePoint clock_checked_;
  std::random_device entropy_;
  std::minstd_rand chance_{entropy_()};
  std::uniform_real_distribution<> chance_of_;
  std::uint64_t stalls_ = 0, overflows_ = 0, unknown_ = 0;
};

}  // namespace hopwise::probes
