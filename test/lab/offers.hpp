// What routing offered, and since when: the router's kernel is listened to by rtnetlink, and every
// change of the service prefixes' legs is written down with its time. It shares nothing with
// hopwise but the socket: it asks the kernel anew, by a lookup, after every event that may matter.
//
// A leg counts as offered while the kernel's best route to the service has it, its interface has
// carrier, and the kernel does not call it dead. The thread runs before all others (SCHED_FIFO), so
// that a loaded machine does not date an event late, to the favour of whom is judged by it.
#pragma once

#include <memory>
#include <set>
#include <vector>

#include "core/model/address.hpp"
#include "core/model/result.hpp"
#include "test/lab/lab.hpp"

namespace hopwise::lab {

/// CLOCK_REALTIME in nanoseconds: what the kernel stamps packets with.
using StampNs = std::int64_t;
StampNs wall_now();

/// From `at` on these upstreams are offered.
struct Offers {
  StampNs at = 0;
  Family family = Family::v4;
  std::set<std::size_t> upstreams;

  bool operator==(const Offers&) const = default;
};

class OfferLog {
 public:
  /// Of the first site's router. Interfaces are known by the index they have now.
  static Result<std::unique_ptr<OfferLog>> watch(const Lab& lab);
  ~OfferLog();

  /// Every change so far, oldest first; the state at the start begins it, one entry a family.
  [[nodiscard]] std::vector<Offers> changes() const;
  [[nodiscard]] std::set<std::size_t> now(Family family) const;
  /// How often the kernel dropped events for want of room: not 0 means that times are wrong.
  [[nodiscard]] std::uint64_t missed() const;

 private:
  struct Impl;
  explicit OfferLog(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace hopwise::lab
