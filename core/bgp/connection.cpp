#include "core/bgp/connection.hpp"

#include <algorithm>
#include <boost/asio/post.hpp>
#include <boost/asio/write.hpp>
#include <utility>

#include "core/bgp/acceptor.hpp"
#include "core/bgp/sweeper.hpp"

namespace hopwise::bgp {
namespace {

using Failure = boost::system::error_code;

constexpr auto kLeastWait = std::chrono::milliseconds(20);

TimePoint now() {
  return std::chrono::steady_clock::now();
}

}  // namespace

Connection::Connection(boost::asio::ip::tcp::socket socket, const SessionIdentity& identity,
                       const PeerOptions& peer, PathTable& table, PeerCounters& counters)
    : socket_(std::move(socket)),
      timer_(socket_.get_executor()),
      session_(identity, peer, table, counters) {}

void Connection::start(Events events) {
  events_ = std::move(events);
  began_ = now();
  session_.start(began_);
  settle();
  if (!finished_) read();
}

void Connection::end(const Notification& why) {
  session_.end(why);
  settle();
}

bool Connection::refresh() {
  const bool v4 = session_.capabilities().ipv4 && session_.refresh(Family::v4);
  const bool v6 = session_.capabilities().ipv6 && session_.refresh(Family::v6);
  settle();
  return v4 || v6;
}

void Connection::abandon(const Notification& why) {
  events_ = {};
  finished_ = true;
  session_.end(why);
  const auto words = session_.take_output();
  Failure ignored;
  socket_.non_blocking(true, ignored);
  if (sending_.empty()) socket_.write_some(boost::asio::buffer(words), ignored);
  socket_.shutdown(boost::asio::ip::tcp::socket::shutdown_both, ignored);
  socket_.close(ignored);
  timer_.cancel();
}

void Connection::read() {
  socket_.async_read_some(boost::asio::buffer(buffer_),
                          [self = shared_from_this()](Failure error, std::size_t size) {
                            if (!self->finished_) self->on_read(error, size);
                          });
}

void Connection::on_read(Failure error, std::size_t size) {
  session_.receive(Bytes(buffer_).first(size));
  if (!error) return work();
  while (session_.step(now())) {  // its last words; a read's worth of messages at most
  }
  session_.lost(error == boost::asio::error::eof ? "the peer closed the connection"
                                                 : "the connection broke: " + error.message());
  settle();
}

/// A slice of what has come; then the next read, or the rest behind what else waits on the loop.
/// What else a peer said that has gone is not worth the time: its end takes everything back.
void Connection::work() {
  const bool more = work_a_slice([this] {
    const bool stepped = session_.step(now());
    if (session_.state() != told_ || session_.ended()) settle();
    return stepped && !finished_;
  });
  settle();
  if (finished_) return;
  if (is_closed_by_peer(socket_)) {
    session_.lost("the peer closed the connection");
    return settle();
  }
  if (!more) return read();
  boost::asio::post(socket_.get_executor(), [self = shared_from_this()] {
    if (!self->finished_) self->work();
  });
}

/// After whatever the session did: tell, send, arm.
void Connection::settle() {
  if (finished_) return;
  const auto output = session_.take_output();
  unsent_.insert(unsent_.end(), output.begin(), output.end());
  if (session_.ended()) return finish();
  const BgpState state = session_.state();
  if (state != told_) {
    const BgpState from = std::exchange(told_, state);
    if (events_.state) events_.state(from);
    if (finished_) return;
  }
  if (unsent_.size() > kMaxUnsent) {
    session_.lost("the peer does not read");
    return finish();
  }
  write();
  arm();
}

void Connection::write() {
  if (!sending_.empty() || unsent_.empty()) return;
  sending_ = std::exchange(unsent_, {});
  boost::asio::async_write(socket_, boost::asio::buffer(sending_),
                           [self = shared_from_this()](Failure error, std::size_t) {
                             self->sending_.clear();
                             if (self->finished_) return;
                             if (error) self->session_.lost("cannot send: " + error.message());
                             self->settle();
                           });
}

/// A deadline that moved away is looked at when the timer fires.
void Connection::arm() {
  const auto deadline = session_.deadline();
  if (!deadline || (armed_ && *armed_ <= *deadline)) return;
  // One that has passed waits for what came to be handled.
  armed_ = std::max(*deadline, now() + kLeastWait);
  timer_.expires_at(*armed_);
  timer_.async_wait([self = shared_from_this()](Failure error) {
    if (!error && !self->finished_) self->on_timer();
  });
}

void Connection::on_timer() {
  armed_.reset();
  Failure error;
  // Where the loop was held up, what came meanwhile is read before the peer is called silent.
  session_.tick(now(), socket_.available(error) == 0 ? Unread::none : Unread::some);
  settle();
}

void Connection::finish() {
  finished_ = true;
  timer_.cancel();
  if (session_.ended()->cause == SessionEnd::Cause::sent && sending_.empty()) {
    farewell_ = std::make_shared<Farewell>(std::move(socket_), std::exchange(unsent_, {}));
    farewell_->start();
  } else {
    Failure ignored;
    socket_.close(ignored);
  }
  const Events events = std::exchange(events_, {});
  if (events.ended) events.ended();
}

}  // namespace hopwise::bgp
