// A Session on its TCP connection: reads and writes, arms the timer, and keeps to its slice.
#pragma once

#include <array>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/steady_timer.hpp>
#include <functional>
#include <memory>

#include "core/bgp/farewell.hpp"
#include "core/bgp/session.hpp"

namespace hopwise::bgp {

class Connection : public std::enable_shared_from_this<Connection> {
 public:
  struct Events {
    std::function<void(BgpState from)> state;  // another one than before
    std::function<void()> ended;               // once, the last; session().ended() says why
  };

  Connection(boost::asio::ip::tcp::socket socket, const SessionIdentity& identity,
             const PeerOptions& peer, PathTable& table, PeerCounters& counters);

  void start(Events events);
  /// Ends the session with that notification; `ended` is told before this returns.
  void end(const Notification& why);
  bool refresh();
  /// The last words at once, as far as the socket takes them; no event any more.
  void abandon(const Notification& why);

  [[nodiscard]] const Session& session() const { return session_; }
  [[nodiscard]] TimePoint began() const { return began_; }
  /// Of an ended one: what still says the last words; may be null.
  [[nodiscard]] const std::shared_ptr<Farewell>& farewell() const { return farewell_; }

 private:
  /// More than keepalives and a notification need: a peer that does not read.
  static constexpr std::size_t kMaxUnsent = 65536;

  void read();
  void on_read(boost::system::error_code error, std::size_t size);
  void work();
  void settle();
  void write();
  void arm();
  void on_timer();
  void finish();

  boost::asio::ip::tcp::socket socket_;
  boost::asio::steady_timer timer_;
  std::optional<TimePoint> armed_;
  Session session_;
  Events events_;
  BgpState told_ = BgpState::active;
  TimePoint began_{};
  std::vector<std::uint8_t> unsent_, sending_;
  std::array<std::uint8_t, 16384> buffer_{};
  std::shared_ptr<Farewell> farewell_;
  bool finished_ = false;
};

}  // namespace hopwise::bgp
