// Gives the destinations with the most traffic groups of their own, so that they are measured by
// their own traffic and leave a nexthop that is bad for them alone.
//
//   flow table, a slice a tick -> FlowGrowth -> TopPrefixes, bytes by group
//   at the end of a look -> Promotion -> Steering: promote, demote
//
// A look takes as many ticks as the table has slices; the next begins `every` after it began.
// Nothing is measured for it: the kernel keeps round-trip times by path, and a group has paths of
// its own. After a restart all begins afresh.
#pragma once

#include <functional>
#include <map>

#include "core/config/config.hpp"
#include "core/daemon/flow_growth.hpp"
#include "core/daemon/log.hpp"
#include "core/daemon/promotion.hpp"
#include "core/daemon/steering.hpp"
#include "core/daemon/top_prefixes.hpp"
#include "core/dataplane/dataplane.hpp"

namespace hopwise {

class Destinations {
 public:
  struct Parts {
    dataplane::Dataplane& dataplane;
    Steering& steering;
    Log& log;
  };
  using Clock = std::function<TimePoint()>;

  Destinations(const Parts& parts, const config::Destinations& config, Clock clock);

  /// One slice of the flow table at most: some milliseconds.
  void tick();
  /// What is promoted stays, unless there are to be none.
  void reconfigure(const config::Destinations& config);

  /// Empty while switched off.
  [[nodiscard]] std::optional<DestinationsStatus> status() const;

 private:
  void begin_look();
  void count(const FlowCount& flow);
  void end_look();
  [[nodiscard]] std::vector<Promotion::Candidate> candidates() const;
  void carry_out(const Promotion::Changes& changes);
  void notice_ended();
  void tell_room(std::ptrdiff_t room);
  [[nodiscard]] double ageing() const;

  Parts parts_;
  config::Destinations config_;
  Clock clock_;
  TopPrefixes top_;
  FlowGrowth growth_;
  Promotion promotion_;
  std::map<GroupId, double> group_bytes_;  // aged likewise
  std::optional<TimePoint> began_;         // the last look
  bool looking_ = false;
  bool room_short_ = false;
  std::uint64_t flows_ = 0;
  DestinationsStatus status_;
};

}  // namespace hopwise
