// The listener: passive BGP sessions with the routing daemons of this router, which tell all their
// paths by add-path. Receive only: it announces nothing.
//
//   listening socket -> peer's address known? held off? -> Session (pure) -> PathTable
//
// It lives on the control loop and never holds it: a session handles messages for two milliseconds
// and then goes to the end of the queue, and so does the clearing of what a lost peer left.
//
// A connection from an address that is no peer is closed and counted. One of a peer that is
// established already is answered with Cease/Connection Collision Resolution, for the older one
// works; before that the newer one wins, for the peer has reason to try again.
#pragma once

#include <boost/asio/io_context.hpp>
#include <functional>
#include <memory>
#include <string>

#include "core/bgp/options.hpp"
#include "core/bgp/path_table.hpp"
#include "core/model/bgp.hpp"
#include "core/model/result.hpp"

namespace hopwise::bgp {

/// A step of a peer's session, for the log.
struct Transition {
  IpAddress peer;
  BgpState from = BgpState::active;
  BgpState to = BgpState::active;
  std::string why;  // of an end; else what was agreed on, once established
};

struct ListenerEvents {
  std::function<void(const Transition&)> state{};
  std::function<void(const Error&)> trouble{};  // of the listener itself: it goes on
};

class Listener {
 public:
  /// Binds, listens, and sets the peers' passwords. `table` outlives it, and tells of what changes.
  static Result<std::unique_ptr<Listener>> open(boost::asio::io_context& io, Options options,
                                                PathTable& table, ListenerEvents events);
  /// Says Cease/Administrative Shutdown to the peers; not while the io_context runs elsewhere.
  ~Listener();

  /// The port of the n-th address: the chosen one where Options has 0.
  [[nodiscard]] std::uint16_t port(std::size_t n = 0) const;
  [[nodiscard]] BgpStatus status() const;
  /// Asks a peer for everything anew (RFC 2918). False where it is not established, or cannot.
  bool refresh(const IpAddress& peer);

 private:
  class Impl;
  explicit Listener(std::shared_ptr<Impl> impl);
  std::shared_ptr<Impl> impl_;
};

}  // namespace hopwise::bgp
