// Traces of nexthops' ways: those that the operator asks for, and those that the daemon begins by
// itself when the engine calls a path down or degraded, to tell where its way breaks. To compare
// with, it traces calm nexthops now and then.
#pragma once

#include <cstdint>
#include <functional>

#include "core/daemon/log.hpp"
#include "core/daemon/probe_thread.hpp"
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

  /// The operator asks; the trace's id. The error: too many are under way.
  Result<std::uint64_t> ask(const Nexthop& nexthop, const IpAddress& destination,
                            const probes::TraceOptions& options);
  /// The engine decided because of that nexthop.
  void decided(Reason reason, const Nexthop& cause, const IpAddress& anchor);
  /// Nothing is wrong with that nexthop now; told every second.
  void calm(const Nexthop& nexthop, const IpAddress& anchor);
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
