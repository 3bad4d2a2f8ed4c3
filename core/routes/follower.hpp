// Follows the kernel's routes, nexthop objects, links, addresses and neighbours by rtnetlink.
//
// It subscribes, then dumps; applies events as they come; and dumps all anew where the kernel is
// silent or events were lost. It reports differences only. Not thread-safe. After start() it works
// in slices of a few milliseconds, a dump too, and looks for news of links before every handful of
// route events: a link that fails is told at once, whatever else there is to do. Dumps take at most
// a fifth of the thread's time.
#pragma once

#include <boost/asio/io_context.hpp>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "core/model/time.hpp"
#include "core/routes/events.hpp"

namespace hopwise::routes {

struct Options {
  std::uint32_t table = 254;  // RT_TABLE_MAIN; the local table is always followed too
  Duration debounce = std::chrono::milliseconds(100);  // from an ambiguous event to the new dump
  int receive_buffer_bytes = 32 << 20;  // of either event socket; forced where allowed
  std::string vrf{};                    // the name of a VRF device: its table, in place of `table`
  std::vector<std::uint8_t> protocols{};  // RTPROT_* of the routes that may be steered; empty: all
};

class Follower {
 public:
  Follower(boost::asio::io_context& io, const Options& options, Events events);
  ~Follower();

  /// Subscribes and dumps. When it returns, everything has been reported once.
  Result<> start();

  /// Reports this gateway's neighbour now and whenever it changes, until unwatch().
  void watch(const NexthopKey& key);
  void unwatch(const NexthopKey& key);

  /// Reports every route once more, as it is then: the first two milliseconds' worth before this
  /// returns, the rest in slices.
  void retell();

  /// The longest match among the routes followed.
  [[nodiscard]] std::optional<Route> lookup(const IpAddress& destination) const;
  /// The route to exactly this prefix, as it was reported last.
  [[nodiscard]] std::optional<Route> find(const Prefix& prefix) const;
  /// Every route, as it was reported last.
  void each(const std::function<void(const Route&)>& visit) const;
  [[nodiscard]] const std::map<std::uint32_t, Interface>& interfaces() const;
  /// The directly connected gateway that a BGP next hop means (RFC 2545: perhaps a global address
  /// with its router's link-local one), in the form that the kernel's routes use for that router,
  /// where any does: same link, same link-layer address. Nothing where it is not on a link of ours,
  /// or is ourselves.
  [[nodiscard]] std::optional<NexthopKey> on_link(const IpAddress& nexthop,
                                                  const std::optional<IpAddress>& link_local) const;

  struct Counts {
    std::uint64_t events = 0;  // messages read from the event sockets
    std::uint64_t losses = 0;  // times that the kernel dropped events
    std::uint64_t dumps = 0;   // complete ones
    std::uint64_t failed_dumps = 0;
  };
  [[nodiscard]] const Counts& counts() const;

 private:
  struct Impl;
  std::shared_ptr<Impl> impl_;
};

}  // namespace hopwise::routes
