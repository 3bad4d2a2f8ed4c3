// `hopwise trace`: begins a trace in the daemon, and tells of its hops as they settle. Knows the
// daemon only through `Ask`.
#pragma once

#include <cstddef>
#include <functional>
#include <iosfwd>
#include <string>

#include "core/api/client.hpp"
#include "core/model/result.hpp"
#include "core/model/time.hpp"

namespace hopwise::cli {

/// As typed. Without a destination, `nexthop` may be the number of a trace that is kept; without
/// both, those that are kept are listed.
struct TraceLine {
  std::string nexthop, destination;
  std::string probes = "3", max_hops = "30";
  bool json = false;
};

/// What a trace's JSON says, as text, bit by bit: every hop once, as soon as nothing more is to be
/// expected of it and of those before. Pure.
class TraceReport {
 public:
  /// `probes`: how many each hop is sent.
  explicit TraceReport(std::size_t probes) : probes_(probes) {}

  /// Of GET /api/v1/traces?id=: what is new since the last call. An error when the text is not
  /// that: the daemon is of another version.
  Result<std::string> next(const std::string& json);
  [[nodiscard]] bool ended() const { return ended_; }
  [[nodiscard]] bool reached() const { return reached_; }

 private:
  std::size_t probes_;
  std::size_t told_ = 0;  // hops
  bool began_ = false;
  bool ended_ = false;
  bool reached_ = false;
};

/// Of GET /api/v1/traces: a table, newest last.
Result<std::string> render_traces(const std::string& json);

struct TraceTalk {
  std::function<Result<api::Reply>(const std::string& method, const std::string& target)> ask;
  std::function<void(Duration)> pause;
  std::ostream& out;
  std::ostream& err;
};

/// The exit status: 0 reached (or listed), 1 not reached, or no daemon, 2 the line is wrong.
int run_trace(const TraceLine& line, const TraceTalk& talk);

}  // namespace hopwise::cli
