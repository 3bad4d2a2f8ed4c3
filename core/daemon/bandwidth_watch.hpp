// Learns what the nexthops can carry: from the interfaces, from what they carried, and where the
// configuration wants it from packet trains to STAMP anchors.
#pragma once

#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "core/config/config.hpp"
#include "core/daemon/bandwidth.hpp"
#include "core/daemon/interface_readings.hpp"
#include "core/daemon/log.hpp"
#include "core/daemon/probe_thread.hpp"
#include "core/daemon/steering.hpp"
#include "core/daemon/train_journal.hpp"

namespace hopwise {

class BandwidthWatch {
 public:
  struct Parts {
    ProbeThread& probes;
    const engine::Engine& engine;
    Log& log;
  };
  using Clock = std::function<TimePoint()>;

  BandwidthWatch(const Parts& parts, Clock clock);

  /// Interfaces' and data plane's counters; told every second. Without the former nothing is known
  /// but what the operator says and trains tell.
  void measure(const Steering& steering, const std::map<PathId, PathTraffic>& traffic);
  /// A train, where one is due: through nexthops that are up, calm and have a STAMP anchor; told
  /// every second.
  void send_train(const Steering& steering, const config::Trains& trains);
  void forget(NexthopId nexthop) { trains_.forget(nexthop); }

  /// All that is known, exact figures first. `capacity` is the operator's word.
  [[nodiscard]] std::vector<Bandwidth> of(const Nexthop& nexthop,
                                          std::optional<std::uint64_t> capacity_bit_s) const;
  /// Bandwidths::load().
  [[nodiscard]] std::optional<Load> load(const Nexthop& nexthop,
                                         std::optional<std::uint64_t> capacity_bit_s) const {
    return known_.load(nexthop, capacity_bit_s);
  }
  /// TrainJournal::results().
  [[nodiscard]] std::map<std::string, std::uint64_t> trains_of(NexthopId nexthop) const {
    return trains_.results(nexthop);
  }

 private:
  [[nodiscard]] std::vector<TrainJournal::Candidate> candidates(const Steering& steering) const;

  Parts parts_;
  Clock clock_;
  std::optional<InterfaceReadings> interfaces_;
  Bandwidths known_;
  TrainJournal trains_;
  int seconds_ = 0;
};

}  // namespace hopwise
