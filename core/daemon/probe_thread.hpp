// The prober on its own thread. Values cross by asio::post in both directions; only samples, of
// which there are thousands a second, wait for the control loop in one place (SampleRelay). So
// nothing queues up while the control loop is busy.
#pragma once

#include <boost/asio/io_context.hpp>
#include <functional>
#include <memory>
#include <set>
#include <span>
#include <vector>

#include "core/model/result.hpp"
#include "core/model/status.hpp"
#include "probes/bandwidth/train_sender.hpp"
#include "probes/prober.hpp"

namespace hopwise {

class ProbeThread {
 public:
  struct Events {
    std::function<void(std::span<const Sample>)> samples;
    std::function<void(const std::set<NexthopId>&)> marks;  // probes::Prober::Events
    std::function<void(const Error&)> trouble;
  };

  /// Events run on `control`. The thread ends when this is destroyed.
  static Result<std::unique_ptr<ProbeThread>> start(boost::asio::io_context& control,
                                                    const probes::Options& options, Events events,
                                                    probes::Staging staging = {});
  ~ProbeThread();

  void set_target(const probes::Target& target);
  void remove_target(NexthopId id);
  void end_inheritance();
  void set_ready(NexthopId id, const probes::Readiness& readiness);
  void set_suspicious(NexthopId id, bool suspicious);
  void reconfigure(const probes::Options& options);

  /// Traces the way to `destination` by the nexthop. Calls back on `control` whenever something is
  /// found, the last time with `ended`; an error has ended it too.
  void trace(NexthopId id, const IpAddress& destination, const probes::TraceOptions& options,
             std::function<void(const probes::Findings&)> told);

  /// Sends a packet train by the nexthop, whose departure is filled in here; one at a time. Calls
  /// back on `control`, once; an error: nothing has left.
  void train(NexthopId id, const probes::TrainPlan& plan,
             std::function<void(const Result<probes::Train>&)> told);

  /// Calls back on `control` with every prober's state; not while an earlier call is under way.
  void fetch_status(std::function<void(std::vector<ProbeStatus>, const ProberTotals&)> done);

 private:
  struct Impl;
  explicit ProbeThread(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace hopwise
