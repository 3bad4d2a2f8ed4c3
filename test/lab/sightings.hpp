// When a packet of the numbered streams reached which upstream: packet sockets on the upstreams'
// own ends of the WAN links, with the kernel's time stamps. And how old a withdrawal was when the
// router still sent a packet there.
#pragma once

#include <memory>
#include <vector>

#include "core/model/result.hpp"
#include "core/model/time.hpp"
#include "test/lab/lab.hpp"
#include "test/lab/offers.hpp"

namespace hopwise::lab {

struct Sighting {
  StampNs at = 0;
  std::size_t upstream = 0;
  Family family = Family::v4;
};

class Sightings {
 public:
  /// Watches UDP from the client LAN to the service addresses.
  static Result<std::unique_ptr<Sightings>> watch(const Lab& lab);
  ~Sightings();

  /// Everything seen so far, unordered among upstreams.
  [[nodiscard]] std::vector<Sighting> all() const;
  /// Packets that the sockets had no room for since the last call: not 0 means that some are not
  /// seen.
  [[nodiscard]] std::uint64_t missed() const;

 private:
  struct Impl;
  explicit Sightings(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

/// What was sent to upstreams that routing had withdrawn at that time.
struct Stale {
  std::size_t withdrawals = 0;  // of one upstream for one family each
  std::uint64_t packets = 0;    // sent there nevertheless
  Duration worst{};             // from the withdrawal to the last such packet
};

/// Counts withdrawals in [from, to], each until its upstream is offered again. `changes` as
/// OfferLog has them. Pure.
Stale stale_packets(const std::vector<Offers>& changes, const std::vector<Sighting>& sightings,
                    StampNs from, StampNs to);

}  // namespace hopwise::lab
