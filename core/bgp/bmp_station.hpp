// The monitoring station's end of one BMP connection (RFC 7854): the sessions that a router tells
// of become sources of the path table. Pure: bytes go in, a reason to end comes out; nothing is
// ever sent.
//
// What is taken: the post-policy Adj-RIB-In of external sessions in the router's global instance.
// What stands there the router itself would use; what its import policy refuses does not. Other
// views and instances are counted and passed over, and so is what routers of our own AS said: a
// packet that is sent to them may come back.
//
// A router's word ends with its connection, a session's with Peer Down: their paths are gone at
// once. So are those of a session of which an UPDATE cannot be understood; until the next Peer Up
// nothing is believed of it, for what that UPDATE withdrew nobody knows.
//
// FRR 8.4 writes some of it in its own way, which is understood: its own AS before the paths of
// external peers (taken off), next hop 0.0.0.0 for IPv4 by an IPv6 session (the peer's own address
// is meant), Peer Down before the first Peer Up (counted).
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "core/bgp/bmp.hpp"
#include "core/bgp/intake.hpp"
#include "core/bgp/path_table.hpp"

namespace hopwise::bgp {

/// What is counted of a router, over its connections; see BmpRouterStatus for the names.
struct BmpCounters {
  std::map<std::string, std::uint64_t> messages{}, errors{};
};

class BmpStation {
 public:
  /// Sessions that a router may tell of at a time.
  static constexpr std::size_t kMaxPeers = 256;

  /// `table` and `counters` outlive it. `max_prefixes`: of one session; beyond, all of its paths
  /// go.
  BmpStation(PathTable& table, BmpCounters& counters, std::size_t max_prefixes);
  BmpStation(const BmpStation&) = delete;
  BmpStation& operator=(const BmpStation&) = delete;
  ~BmpStation();  // the paths of all its sessions are gone

  /// Keeps what came for step().
  void receive(Bytes bytes);
  /// Handles a message. False where none is whole, or the connection has to end.
  bool step();
  /// Why the connection has to end, in words: it is not BMP, or the router says so.
  [[nodiscard]] const std::string& ended() const { return ended_; }

  /// Bytes that wait for step().
  [[nodiscard]] std::size_t backlog() const { return input_.size() - consumed_; }
  [[nodiscard]] const std::string& system_name() const { return system_name_; }
  [[nodiscard]] std::size_t peers() const { return peers_.size(); }
  [[nodiscard]] SourceCounts counts() const;

 private:
  struct Session {
    SourceId source{};
    PerFamily<bool> add_path{};
    Terms terms;
  };

  void handle(std::uint8_t type, Bytes body);
  void peer_up(const bmp::Peer& peer, Cursor cursor);
  void peer_down(const bmp::Peer& peer);
  void route_monitoring(const bmp::Peer& peer, Cursor cursor);
  void drop(const bmp::PeerId& id, const std::string& why);
  [[nodiscard]] bool concerns_us(const bmp::Peer& peer);
  void count(const std::string& error, std::uint64_t times = 1);

  PathTable& table_;
  BmpCounters& counters_;
  const std::size_t max_prefixes_;
  std::map<bmp::PeerId, Session> peers_;
  std::string system_name_, ended_;
  std::vector<std::uint8_t> input_;
  std::size_t consumed_ = 0;
};

}  // namespace hopwise::bgp
