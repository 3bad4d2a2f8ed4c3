// Follows the kernel's routes, nexthop objects, links, addresses and neighbours by rtnetlink.
//
// It subscribes, then dumps; applies events as they come; and dumps anew (marking and sweeping)
// where the kernel is silent or events were lost. It reports differences only. Not thread-safe.
#pragma once

#include <boost/asio/io_context.hpp>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "core/model/path.hpp"
#include "core/model/result.hpp"
#include "core/routes/groups.hpp"

namespace hopwise::routes {

struct Options {
  std::uint32_t table = 254;  // RT_TABLE_MAIN; the local table is always followed too
  Duration debounce = std::chrono::milliseconds(100);  // from an ambiguous event to the new dump
};

struct Interface {
  std::uint32_t ifindex = 0;
  std::string name;
  bool up = false;        // administratively up, with carrier
  bool ethernet = false;  // ARPHRD_ETHER: has link-layer addresses to redirect to
  bool loopback = false;
  std::uint32_t mtu = 0;

  bool enslaved = false;  // a port of a bridge, bond or team

  bool operator==(const Interface&) const = default;

  /// Whether clients may stand behind it: not for the ports of a bridge, whose bridge counts.
  [[nodiscard]] bool can_be_lan() const { return ethernet && !loopback && !enslaved; }
};

/// The best route to a prefix. `nexthops` holds those the kernel would use now (not dead, not
/// link-down), sorted by key; it is empty for local, broadcast, blackhole, on-link and the like.
struct Route {
  Prefix prefix;
  std::vector<WeightedNexthop> nexthops;

  bool operator==(const Route&) const = default;
};

/// What is reported. Everything runs on the io_context that the follower was made with.
struct Events {
  std::function<void(const Route&)> route;          // new or changed
  std::function<void(const Prefix&)> withdrawn;     // no route to this prefix any more
  std::function<void(const Interface&)> interface;  // new or changed
  std::function<void(std::uint32_t ifindex)> interface_gone;
  /// NUD_VALID or not, for gateways that were named by watch().
  std::function<void(const NexthopKey&, bool resolved)> neighbour;
  std::function<void(const Error&)> trouble;  // lost events, failed dumps: already being repaired
};

class Follower {
 public:
  Follower(boost::asio::io_context& io, const Options& options, Events events);
  ~Follower();

  /// Subscribes and dumps. When it returns, everything has been reported once.
  Result<> start();

  /// Reports this gateway's neighbour state now and whenever it changes, until unwatch().
  void watch(const NexthopKey& key);
  void unwatch(const NexthopKey& key);

  /// The longest match among the routes followed.
  [[nodiscard]] std::optional<Route> lookup(const IpAddress& destination) const;
  /// Every route, as it was reported last.
  void each(const std::function<void(const Route&)>& visit) const;
  [[nodiscard]] const std::map<std::uint32_t, Interface>& interfaces() const;

 private:
  struct Impl;
  std::shared_ptr<Impl> impl_;
};

}  // namespace hopwise::routes
