// Traces: which hops packets meet that leave by exactly one nexthop.
//
// ICMP echoes with the nexthop's mark and a growing TTL or hop limit. All of a trace have one
// identifier and one checksum, so that routers which balance flows send them all one way (Paris
// traceroute, Augustin et al., IMC 2006). What comes back is known by identifier, 16-bit sequence
// and destination, which is all that routers have to quote; where more is quoted, the random tag
// must agree too. Round trips are measured by the kernel's stamps.
//
// Runs on one io_context; call it from there only.
#pragma once

#include <boost/asio/io_context.hpp>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>

#include "core/model/path.hpp"
#include "core/model/result.hpp"
#include "probes/trace/course.hpp"

namespace hopwise::probes {

/// How packets of one family leave by a nexthop.
struct Way {
  std::uint32_t mark = 0;
  std::uint32_t ifindex = 0;
  std::optional<IpAddress> source{};  // else the kernel's choice
  /// The gateway's, where it is known: a trace whose probe goes to another one has failed.
  std::optional<EthernetAddress> gateway{};
};

struct TraceRequest {
  Way way;
  IpAddress destination;
  TraceOptions options{};
};

class Tracer {
 public:
  /// What is known so far, after everything that changes it; the last time `ended` is set.
  using Told = std::function<void(const Findings&)>;
  static constexpr std::size_t kMost = 8;  // at once

  explicit Tracer(boost::asio::io_context& io);
  Tracer(const Tracer&) = delete;
  Tracer& operator=(const Tracer&) = delete;
  ~Tracer();  // ends all of them, and tells nobody

  /// A number to cancel it by. The error: too many at once, or no socket (needs CAP_NET_RAW and
  /// CAP_NET_ADMIN).
  Result<std::uint64_t> start(const TraceRequest& request, Told told);
  /// Ends it; it is told so at once. Does nothing where it has ended.
  void cancel(std::uint64_t trace);

 private:
  struct Impl;
  std::shared_ptr<Impl> impl_;  // what waits in the io_context holds it weakly
};

}  // namespace hopwise::probes
