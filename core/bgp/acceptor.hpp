// A listening TCP socket on the loop: binds with errors that name the remedy, hands every
// connection over, and goes on when descriptors run out.
#pragma once

#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/steady_timer.hpp>
#include <functional>
#include <memory>
#include <string>

#include "core/bgp/options.hpp"
#include "core/model/result.hpp"

namespace hopwise::bgp {

IpAddress address_of(const boost::asio::ip::address& address);
/// "127.0.0.2:1790", "[fd00::2]:1790".
std::string text(const Endpoint& endpoint);

/// Whether the peer has closed or reset the connection, behind all that waits to be read.
bool is_closed_by_peer(boost::asio::ip::tcp::socket& socket);

class Acceptor : public std::enable_shared_from_this<Acceptor> {
 public:
  struct Events {
    std::function<void(boost::asio::ip::tcp::socket)> connected{};
    std::function<void(const Error&)> trouble{};  // it goes on by itself
  };
  /// What a socket needs between bind() and listen().
  using Prepare = std::function<Result<>(int fd)>;

  /// `what` is named in errors: "BGP".
  static Result<std::shared_ptr<Acceptor>> open(boost::asio::io_context& io,
                                                const Endpoint& endpoint, const std::string& what,
                                                Events events, const Prepare& prepare = {});
  Acceptor(boost::asio::io_context& io, std::string what, Events events)
      : socket_(io), pause_(io), what_(std::move(what)), events_(std::move(events)) {}

  /// No event any more.
  void close();
  [[nodiscard]] std::uint16_t port() const { return socket_.local_endpoint().port(); }

 private:
  Result<> listen(const Endpoint& endpoint, const Prepare& prepare);
  void accept();

  boost::asio::ip::tcp::acceptor socket_;
  boost::asio::steady_timer pause_;
  const std::string what_;
  Events events_;
};

}  // namespace hopwise::bgp
