// What is known of the nexthops' bandwidth: what the operator and the interface say, and what the
// traffic has shown. Pure: fed once a second with counters.
//
// The passive peak is the most that the paths of a nexthop carried in one window of a second,
// halved every ten minutes since. What was steered to it need not have left: a full queue drops.
// So no more is counted than the interface sent in that window, and the peak is a lower bound, of
// the first hop.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <vector>

#include "core/model/bandwidth.hpp"
#include "core/model/path.hpp"
#include "core/model/status.hpp"

namespace hopwise {

/// Of an interface since it was made, with the link's headers.
struct InterfaceCounters {
  std::uint64_t sent_bytes = 0;
  std::uint64_t received_bytes = 0;
};

struct BandwidthReading {
  TimePoint at;
  std::vector<Nexthop> nexthops;
  std::vector<Path> paths;
  std::map<PathId, PathTraffic> traffic{};
  std::map<std::uint32_t, InterfaceCounters> interfaces{};  // by ifindex
};

class Bandwidths {
 public:
  /// Nexthops and interfaces that are not in the reading are forgotten. One that comes too soon for
  /// a window is left out.
  void count(BandwidthReading reading);
  /// By ifindex; an interface without a speed (tunnels, link down) is not in it.
  void set_link_speeds(std::map<std::uint32_t, std::uint64_t> bit_s) { link_ = std::move(bit_s); }

  /// All that is known, exact figures first. `capacity` is the operator's word.
  [[nodiscard]] std::vector<Bandwidth> of(const Nexthop& nexthop,
                                          std::optional<std::uint64_t> capacity_bit_s,
                                          TimePoint now) const;
  /// Empty in the first second. Where several nexthops share the interface, its load is measured
  /// against the line, not against the capacity of one of them.
  [[nodiscard]] std::optional<Load> load(const Nexthop& nexthop,
                                         std::optional<std::uint64_t> capacity_bit_s) const;

 private:
  struct Peak {
    double bit_s = 0;
    TimePoint at;
  };
  struct Rates {
    double sent_bit_s = 0;
    double received_bit_s = 0;
  };

  void measure_interfaces(const BandwidthReading& reading, double elapsed_s);
  void measure_nexthops(const BandwidthReading& reading, double elapsed_s);
  void raise_peak(NexthopId id, double bit_s, TimePoint at);
  static double decayed(const Peak& peak, TimePoint now);

  std::optional<BandwidthReading> last_;
  std::map<std::uint32_t, std::uint64_t> link_;
  std::map<std::uint32_t, Rates> rates_;
  std::map<std::uint32_t, int> sharing_;  // how many nexthops use the interface
  std::map<NexthopId, Peak> peaks_;
};

}  // namespace hopwise
