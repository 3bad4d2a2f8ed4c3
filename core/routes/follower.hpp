// Follows the kernel's routes, nexthop objects, links, addresses and neighbours by rtnetlink.
//
// It subscribes, then dumps; applies events as they come; and dumps all anew where the kernel is
// silent or events were lost. It reports differences only. Not thread-safe. A dump blocks the loop
// while it lasts (some 2 s for a million routes), at most a fifth of the time.
#pragma once

#include <boost/asio/io_context.hpp>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>

#include "core/model/time.hpp"
#include "core/routes/events.hpp"

namespace hopwise::routes {

struct Options {
  std::uint32_t table = 254;  // RT_TABLE_MAIN; the local table is always followed too
  Duration debounce = std::chrono::milliseconds(100);  // from an ambiguous event to the new dump
  int receive_buffer_bytes = 32 << 20;                 // of the event socket; forced where allowed
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

  /// The longest match among the routes followed.
  [[nodiscard]] std::optional<Route> lookup(const IpAddress& destination) const;
  /// The route to exactly this prefix, as it was reported last.
  [[nodiscard]] std::optional<Route> find(const Prefix& prefix) const;
  /// Every route, as it was reported last.
  void each(const std::function<void(const Route&)>& visit) const;
  [[nodiscard]] const std::map<std::uint32_t, Interface>& interfaces() const;

 private:
  struct Impl;
  std::shared_ptr<Impl> impl_;
};

}  // namespace hopwise::routes
