// One session: the passive half of RFC 4271's state machine (section 8), from a TCP connection that
// is there to its end. Pure: bytes and the time go in, bytes and a reason to end come out.
//
// It receives, and says OPEN, KEEPALIVE, ROUTE-REFRESH and NOTIFICATION: no UPDATE. A message is
// handled at a time (step()), so that whoever drives it decides how long a slice is.
//
// Graceful restart (RFC 4724) is not offered, and a peer's offer is not taken up: what a peer told
// is gone with its session, for a candidate must never outlive routing's word. Its own routes in
// the kernel may well stay; there hopwise follows the kernel.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "core/bgp/intake.hpp"
#include "core/bgp/notification.hpp"
#include "core/bgp/open.hpp"
#include "core/bgp/options.hpp"
#include "core/bgp/path_table.hpp"
#include "core/model/bgp.hpp"

namespace hopwise::bgp {

/// What is counted of a peer, over its sessions.
struct PeerCounters {
  std::uint64_t established = 0;
  std::uint64_t updates = 0;
  std::map<std::string, std::uint64_t> errors{};  // by kind: BgpPeerStatus::errors
  std::string last_sent{}, last_received{}, last_error{};
};

/// Why a session ended.
struct SessionEnd {
  enum class Cause : std::uint8_t { sent, received, connection_lost };

  Cause cause = Cause::connection_lost;
  Notification notification{};  // not of a lost connection
  std::string text;             // for people
};

/// Bytes that the connection still holds.
enum class Unread : std::uint8_t { none, some };

struct SessionIdentity {
  std::uint32_t as = 0;
  std::uint32_t router_id = 0;
  IpAddress own{}, peer{};  // the connection's ends
};

class Session {
 public:
  /// How long the peer may take for its OPEN.
  static constexpr Duration kOpenWait = std::chrono::seconds(30);

  /// `table` and `counters` outlive it.
  Session(const SessionIdentity& identity, const PeerOptions& peer, PathTable& table,
          PeerCounters& counters);
  Session(const Session&) = delete;
  Session& operator=(const Session&) = delete;
  ~Session();  // as lost()

  /// The connection is there: OPEN goes out.
  void start(TimePoint now);
  /// Keeps what came for step().
  void receive(Bytes bytes);
  /// Handles a message. False where none is whole, or the session has ended.
  bool step(TimePoint now);
  /// Handles the timers that are due. A hold timer does not expire over what has come and was not
  /// looked at: it is we who are late then.
  void tick(TimePoint now, Unread unread = Unread::none);
  /// When tick() is wanted; nothing where no timer runs.
  [[nodiscard]] std::optional<TimePoint> deadline() const;
  /// All of that family anew, where the peer can (RFC 2918); false where it cannot.
  bool refresh(Family family);
  /// Ends it with that notification.
  void end(Notification why);
  /// The connection is gone.
  void lost(const std::string& why);

  /// What is to be sent, once.
  std::vector<std::uint8_t> take_output();
  [[nodiscard]] const std::optional<SessionEnd>& ended() const { return ended_; }
  [[nodiscard]] BgpState state() const { return state_; }
  /// Since the OPEN came.
  [[nodiscard]] const std::optional<Open>& peer_open() const { return peer_open_; }
  [[nodiscard]] BgpCapabilities capabilities() const;
  [[nodiscard]] Duration hold_time() const { return hold_time_; }
  [[nodiscard]] std::optional<SourceId> source() const { return source_; }
  /// Bytes that wait for step().
  [[nodiscard]] std::size_t backlog() const { return input_.size() - consumed_; }

 private:
  void handle(MessageType type, Bytes body, TimePoint now);
  void handle_open(Bytes body, TimePoint now);
  std::optional<Notification> judge(const Open& open) const;
  void handle_update(Bytes body);
  void establish();
  void send(const std::vector<std::uint8_t>& message);
  void finish(SessionEnd end);
  [[nodiscard]] bool message_waits() const;

  const SessionIdentity identity_;
  const PeerOptions options_;
  const Terms terms_;
  PathTable& table_;
  PeerCounters& counters_;

  BgpState state_ = BgpState::active;
  std::optional<Open> peer_open_;
  Dialect dialect_;
  Duration hold_time_{};
  std::optional<TimePoint> hold_until_, keepalive_at_;
  std::vector<std::uint8_t> input_, output_;
  std::size_t consumed_ = 0;
  std::optional<SourceId> source_;
  std::optional<SessionEnd> ended_;
};

}  // namespace hopwise::bgp
