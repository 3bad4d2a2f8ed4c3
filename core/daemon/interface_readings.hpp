// Reads counters and speeds of the interfaces in the network namespace where it was opened.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>

#include "core/daemon/bandwidth.hpp"
#include "core/model/result.hpp"
#include "core/netlink/socket.hpp"

namespace hopwise {

class InterfaceReadings {
 public:
  static Result<InterfaceReadings> open();
  InterfaceReadings(InterfaceReadings&& other) noexcept;
  InterfaceReadings& operator=(InterfaceReadings&&) = delete;
  ~InterfaceReadings();

  /// Of all interfaces, by ifindex (RTM_GETSTATS).
  Result<std::map<std::uint32_t, InterfaceCounters>> counters();
  /// Bits a second by ethtool's link settings. Nothing where the interface has no speed: a tunnel,
  /// a link that is down, a driver that does not say.
  [[nodiscard]] std::optional<std::uint64_t> speed_bit_s(const std::string& interface) const;
  /// Of these nexthops' interfaces, by ifindex.
  [[nodiscard]] std::map<std::uint32_t, std::uint64_t> speeds(
      const std::vector<Nexthop>& nexthops) const;

 private:
  InterfaceReadings(netlink::Socket socket, int control)
      : socket_(std::move(socket)), control_(control) {}

  netlink::Socket socket_;
  int control_;  // any socket: ethtool asks by it
};

}  // namespace hopwise
