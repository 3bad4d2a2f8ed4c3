// The last words on a connection: they are sent, and what still comes is read and dropped until the
// peer closes, for a socket that is closed over unread bytes resets the connection and the words
// with it. Two seconds at most.
#pragma once

#include <array>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/write.hpp>
#include <memory>
#include <utility>
#include <vector>

namespace hopwise::bgp {

class Farewell : public std::enable_shared_from_this<Farewell> {
 public:
  Farewell(boost::asio::ip::tcp::socket socket, std::vector<std::uint8_t> words)
      : socket_(std::move(socket)), patience_(socket_.get_executor()), words_(std::move(words)) {}

  void start() {
    patience_.expires_after(std::chrono::seconds(2));
    patience_.async_wait([weak = weak_from_this()](boost::system::error_code error) {
      const auto self = weak.lock();
      if (!error && self) self->close();
    });
    boost::asio::async_write(
        socket_, boost::asio::buffer(words_),
        [self = shared_from_this()](boost::system::error_code error, std::size_t) {
          boost::system::error_code ignored;
          self->socket_.shutdown(boost::asio::ip::tcp::socket::shutdown_send, ignored);
          error ? self->close() : self->drain();
        });
  }

  void close() {
    boost::system::error_code ignored;
    socket_.close(ignored);
    patience_.cancel();
  }

 private:
  void drain() {
    socket_.async_read_some(
        boost::asio::buffer(dropped_),
        [self = shared_from_this()](boost::system::error_code error, std::size_t) {
          error ? self->close() : self->drain();
        });
  }

  boost::asio::ip::tcp::socket socket_;
  boost::asio::steady_timer patience_;
  std::vector<std::uint8_t> words_;
  std::array<std::uint8_t, 16384> dropped_{};
};

}  // namespace hopwise::bgp
