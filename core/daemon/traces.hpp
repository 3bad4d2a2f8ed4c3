// Traces of nexthops' ways: those that the operator asks for, and those that the daemon begins by
// itself when the engine calls a path down or degraded, to tell where its way breaks. To compare
// with, it traces calm nexthops now and then.
#pragma once

#include <cstdint>
#include <functional>

#include "core/api/server.hpp"
#include "core/daemon/log.hpp"
#include "core/daemon/probe_thread.hpp"
#include "core/daemon/steering.hpp"
#include "core/daemon/trace_journal.hpp"
#include "core/model/result.hpp"

namespace hopwise {

class Traces {
 public:
  /// Of the operator's, at once: the others are kept free for the daemon's.
  static constexpr std::size_t kMostAsked = probes::Tracer::kMost - TraceJournal::kMostAtOnce;

  using Clock = std::function<TimePoint()>;
  Traces(ProbeThread& probes, Log& log, Clock clock)
      : probes_(probes), log_(log), clock_(std::move(clock)) {}

  /// The operator asks; the trace's id. The error: there is no such nexthop, or too many traces are
  /// under way.
  Result<std::uint64_t> ask(const api::TraceOrder& order, const Steering& steering);
  /// Where does the way of the decision's cause break?
  void decided(const Decision& decision, const Steering& steering);
  /// What the ways of calm nexthops are like, to compare with; told every second.
  void compare(const Steering& steering, const engine::Engine& engine);
  void forget(NexthopId nexthop) { journal_.forget(nexthop); }

  [[nodiscard]] const TraceJournal& journal() const { return journal_; }

 private:
  std::uint64_t begin(const Nexthop& nexthop, const IpAddress& destination,
                      const std::string& because, const probes::TraceOptions& options);
  void found(std::uint64_t id, const probes::Findings& findings);
  void tell(const Trace& trace);

  ProbeThread& probes_;
  Log& log_;
  Clock clock_;
  TraceJournal journal_;
};

}  // namespace hopwise
