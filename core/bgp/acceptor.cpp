#include "core/bgp/acceptor.hpp"

#include <netinet/tcp.h>
#include <sys/socket.h>

#include <boost/asio/ip/v6_only.hpp>

namespace hopwise::bgp {
namespace {

namespace asio = boost::asio;
using asio::ip::tcp;
using Failure = boost::system::error_code;

constexpr auto kPause = std::chrono::milliseconds(100);  // when descriptors run out
/// What a dead peer's kernel may still deliver is worked through before its end is seen.
constexpr int kReceiveBytes = 256 * 1024;

using FreeBind = asio::detail::socket_option::integer<IPPROTO_IP, IP_FREEBIND>;

const char* remedy(const Failure& error) {
  return error == asio::error::address_in_use ? "another program listens there: choose another port"
                                              : "";
}

}  // namespace

IpAddress address_of(const asio::ip::address& address) {
  if (address.is_v4()) return IpAddress::from_bytes(Family::v4, address.to_v4().to_bytes().data());
  return IpAddress::from_bytes(Family::v6, address.to_v6().to_bytes().data());
}

std::string text(const Endpoint& e) {
  const std::string port = ':' + std::to_string(e.port);
  return e.address.is_v4() ? e.address.text() + port : '[' + e.address.text() + ']' + port;
}

bool is_closed_by_peer(tcp::socket& socket) {
  tcp_info info{};
  socklen_t size = sizeof info;
  return getsockopt(socket.native_handle(), IPPROTO_TCP, TCP_INFO, &info, &size) == 0 &&
         info.tcpi_state != TCP_ESTABLISHED;
}

Result<std::shared_ptr<Acceptor>> Acceptor::open(asio::io_context& io, const Endpoint& endpoint,
                                                 const std::string& what, Events events,
                                                 const Prepare& prepare) {
  auto acceptor = std::make_shared<Acceptor>(io, what, std::move(events));
  if (auto good = acceptor->listen(endpoint, prepare); !good) return good.error();
  acceptor->accept();
  return acceptor;
}

Result<> Acceptor::listen(const Endpoint& endpoint, const Prepare& prepare) {
  const tcp::endpoint at{asio::ip::make_address(endpoint.address.text()), endpoint.port};
  const std::string what = "listen for " + what_ + " on " + text(endpoint);
  Failure error;
  socket_.open(at.protocol(), error);
  if (!error) socket_.set_option(tcp::acceptor::reuse_address(true), error);
  if (!error && at.address().is_v6()) socket_.set_option(asio::ip::v6_only(true), error);
  // An address that a local route alone makes ours (`ip -6 route add local ADDRESS dev lo`).
  if (!error) socket_.set_option(FreeBind(1), error);
  if (!error) socket_.set_option(asio::socket_base::receive_buffer_size(kReceiveBytes), error);
  if (!error) socket_.bind(at, error);
  if (error) return system_error(what, error.value(), remedy(error));
  if (prepare)
    if (auto good = prepare(socket_.native_handle()); !good) return good.error();
  socket_.listen(tcp::acceptor::max_listen_connections, error);
  if (error) return system_error(what, error.value());
  return {};
}

void Acceptor::accept() {
  socket_.async_accept([self = shared_from_this()](Failure error, tcp::socket socket) {
    if (!self->socket_.is_open()) return;
    if (!error) {
      self->events_.connected(std::move(socket));
      if (self->socket_.is_open()) self->accept();
      return;
    }
    if (self->events_.trouble)
      self->events_.trouble(Error{"accept a " + self->what_ + " connection: " + error.message()});
    self->pause_.expires_after(kPause);
    self->pause_.async_wait([self](Failure stopped) {
      if (!stopped && self->socket_.is_open()) self->accept();
    });
  });
}

void Acceptor::close() {
  Failure ignored;
  socket_.close(ignored);
  pause_.cancel();
}

}  // namespace hopwise::bgp
