// One probe: a connection, one GET, and what comes of it.
//
//   SYN -> answered -> (TLS handshake) -> GET -> first byte -> head of the answer -> closed
//
// A single deadline covers all. The handshake is looked at in the kernel from the time on at which
// a SYN may have been sent again, and before anything is called lost: an answer that is there
// while this host had no time to look is no loss. What the server sends is read as far as the
// answer's head, 16 KiB at most; whatever it is, it ends in a report.
#pragma once

#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/steady_timer.hpp>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "probes/http/connect_verdict.hpp"
#include "probes/http/marked_connect.hpp"
#include "probes/http/tls.hpp"

namespace hopwise::probes {

/// What is asked of whom. `host` may be empty: the address.
struct HttpRequest {
  Destination to;
  std::string host;
  std::string path = "/";
  Tls::Certificate certificate = Tls::Certificate::valid;  // https
  Duration timeout{};
};

struct ExchangeReport {
  bool answered = false;                    // by SYN-ACK or RST
  std::optional<ConnectVerdict> connect{};  // answered, and it is known how fast
  bool unreachable = false;                 // an ICMP error ended it
  std::optional<Duration> first_byte{};     // from connected
  std::optional<std::string> trouble{};     // whatever was not as it should be
};

class Exchange : public std::enable_shared_from_this<Exchange> {
 public:
  struct Events {
    /// A SYN got no answer, and the path is to blame.
    std::function<void(TimePoint sent)> lost;
    /// Called once, last.
    std::function<void(const ExchangeReport&)> over;
  };

  /// `tls`: empty for http.
  Exchange(boost::asio::io_context& io, HttpRequest request, std::shared_ptr<Tls> tls,
           Events events);

  /// An error: nothing has left, and no event comes.
  Result<> begin(const Departure& by);
  /// Closes; no event comes any more.
  void cancel();

 private:
  void close();
  void wait_connected();
  void tick_at(TimePoint time);
  void tick();
  void count_retransmissions(std::uint32_t seen);
  void connect_ended(int error);
  void connected();
  void refused();
  void handshake();
  void ask();
  void read();
  void heard();
  void timed_out();
  void finish(std::optional<std::string> trouble);
  template <class Operation>
  void on_stream(Operation operation);
  [[nodiscard]] std::string host() const;
  [[nodiscard]] TimePoint deadline() const { return started_ + request_.timeout; }

  struct Answer;  // what was read of it, and its parser

  HttpRequest request_;
  std::shared_ptr<Tls> tls_;
  Events events_;
  boost::asio::ip::tcp::socket socket_;
  std::unique_ptr<Tls::Stream> secure_;
  boost::asio::steady_timer timer_;
  std::shared_ptr<Answer> answer_;
  std::string question_;

  TimePoint started_;
  TimePoint last_syn_;
  TimePoint connected_;
  std::uint32_t retransmissions_ = 0;
  bool connecting_ = true;
  bool over_ = false;
  ExchangeReport report_;
};

}  // namespace hopwise::probes
