#include "core/daemon/interface_readings.hpp"

#include <linux/ethtool.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstddef>
#include <cstring>
#include <set>
#include <string_view>
#include <utility>

namespace hopwise {
namespace {

// Three masks of link modes follow the request; the kernel's are of 4 words now.
constexpr std::size_t kMaskWords = std::size_t{3} * 127;

using LinkSettings =
    std::array<std::uint32_t, sizeof(ethtool_link_settings) / sizeof(std::uint32_t) + kMaskWords>;

// tun says 10 Mbit/s or 10 Gbit/s, whatever carries it.
bool makes_speed_up(int control, ifreq request) {
  ethtool_drvinfo driver{};
  driver.cmd = ETHTOOL_GDRVINFO;
  request.ifr_data = reinterpret_cast<char*>(&driver);
  return ioctl(control, SIOCETHTOOL, &request) == 0 && std::string_view(driver.driver) == "tun";
}

std::optional<InterfaceCounters> counters_of(const nlmsghdr& message) {
  std::optional<InterfaceCounters> counters;
  mnl_attr_parse(
      &message, sizeof(if_stats_msg),
      [](const nlattr* attribute, void* found) {
        rtnl_link_stats64 stats{};
        const std::size_t length =
            std::min<std::size_t>(mnl_attr_get_payload_len(attribute), sizeof stats);
        if (mnl_attr_get_type(attribute) != IFLA_STATS_LINK_64 ||
            length < offsetof(rtnl_link_stats64, rx_errors))
          return MNL_CB_OK;
        std::memcpy(&stats, mnl_attr_get_payload(attribute), length);
        *static_cast<std::optional<InterfaceCounters>*>(found) =
            InterfaceCounters{stats.tx_bytes, stats.rx_bytes};
        return MNL_CB_OK;
      },
      &counters);
  return counters;
}

}  // namespace

Result<InterfaceReadings> InterfaceReadings::open() {
  auto socket = netlink::Socket::open(NETLINK_ROUTE);
  if (!socket) return socket.error();
  const int control = ::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  if (control < 0) return system_error("open a socket for ethtool", errno);
  return InterfaceReadings(std::move(*socket), control);
}

InterfaceReadings::InterfaceReadings(InterfaceReadings&& other) noexcept
    : socket_(std::move(other.socket_)), control_(std::exchange(other.control_, -1)) {}

InterfaceReadings::~InterfaceReadings() {
  if (control_ >= 0) close(control_);
}

Result<std::map<std::uint32_t, InterfaceCounters>> InterfaceReadings::counters() {
  std::array<char, 256> space{};
  nlmsghdr* request = mnl_nlmsg_put_header(space.data());
  request->nlmsg_type = RTM_GETSTATS;
  auto* wanted =
      static_cast<if_stats_msg*>(mnl_nlmsg_put_extra_header(request, sizeof(if_stats_msg)));
  wanted->filter_mask = IFLA_STATS_FILTER_BIT(IFLA_STATS_LINK_64);
  std::map<std::uint32_t, InterfaceCounters> all;
  const auto done =
      socket_.dump(request, "read the interfaces' counters", [&](const nlmsghdr& message) {
        if (message.nlmsg_type != RTM_NEWSTATS) return;
        const auto* header = static_cast<const if_stats_msg*>(mnl_nlmsg_get_payload(&message));
        if (const auto counters = counters_of(message)) all[header->ifindex] = *counters;
      });
  if (!done) return done.error();
  return all;
}

// Asked twice: first how long the kernel's masks are, which it answers as a negative number.
std::optional<std::uint64_t> InterfaceReadings::speed_bit_s(const std::string& interface) const {
  ethtool_link_settings wanted{};
  wanted.cmd = ETHTOOL_GLINKSETTINGS;
  LinkSettings space{};
  ifreq request{};
  if (interface.size() >= sizeof request.ifr_name) return std::nullopt;
  std::memcpy(request.ifr_name, interface.data(), interface.size());
  if (makes_speed_up(control_, request)) return std::nullopt;
  request.ifr_data = reinterpret_cast<char*>(space.data());
  for (int turn = 0; turn < 2; ++turn) {
    std::memcpy(space.data(), &wanted, sizeof wanted);
    if (ioctl(control_, SIOCETHTOOL, &request) != 0) return std::nullopt;
    std::memcpy(&wanted, space.data(), sizeof wanted);
    if (turn == 0)
      wanted.link_mode_masks_nwords = static_cast<std::int8_t>(-wanted.link_mode_masks_nwords);
  }
  if (wanted.speed == 0 || wanted.speed == static_cast<std::uint32_t>(SPEED_UNKNOWN))
    return std::nullopt;
  return std::uint64_t{wanted.speed} * 1'000'000;
}

std::map<std::uint32_t, std::uint64_t> InterfaceReadings::speeds(
    const std::vector<Nexthop>& nexthops) const {
  std::map<std::uint32_t, std::uint64_t> speeds;
  std::set<std::uint32_t> asked;
  for (const Nexthop& nexthop : nexthops)
    if (asked.insert(nexthop.key.ifindex).second)
      if (const auto speed = speed_bit_s(nexthop.interface)) speeds[nexthop.key.ifindex] = *speed;
  return speeds;
}

}  // namespace hopwise
