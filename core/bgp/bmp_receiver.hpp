// The monitoring station: routers that speak BMP (RFC 7854) connect, and what they tell of their
// sessions fills the path table. For where add-path is not to be had.
//
//   listening socket -> router's address known? -> BmpStation (pure) -> PathTable
//
// Nothing is ever sent. Of two connections of one router the newer counts: BMP has no hold timer,
// and who connects anew has reason to. A router that vanishes without a word is found by TCP
// keepalives within seconds. It lives on the control loop, and works in slices as the listener for
// BGP does.
#pragma once

#include <boost/asio/io_context.hpp>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "core/bgp/options.hpp"
#include "core/bgp/path_table.hpp"
#include "core/model/bmp.hpp"
#include "core/model/result.hpp"

namespace hopwise::bgp {

struct BmpEvents {
  /// A router has connected, or its connection has ended, for this reason.
  std::function<void(const IpAddress& router)> connected{};
  std::function<void(const IpAddress& router, const std::string& why)> ended{};
  std::function<void(const Error&)> trouble{};  // of the receiver itself: it goes on
};

class BmpReceiver {
 public:
  /// `table` outlives it, and tells of what changes.
  static Result<std::unique_ptr<BmpReceiver>> open(boost::asio::io_context& io, BmpOptions options,
                                                   PathTable& table, BmpEvents events);
  ~BmpReceiver();

  /// The port of the n-th address: the chosen one where the options have 0.
  [[nodiscard]] std::uint16_t port(std::size_t n = 0) const;
  [[nodiscard]] BmpStatus status() const;

 private:
  class Impl;
  explicit BmpReceiver(std::shared_ptr<Impl> impl);
  std::shared_ptr<Impl> impl_;
};

}  // namespace hopwise::bgp
