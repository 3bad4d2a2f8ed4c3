#include "core/bgp/bmp_receiver.hpp"

#include <netinet/tcp.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <boost/asio/buffer.hpp>
#include <utility>

#include "core/bgp/acceptor.hpp"
#include "core/bgp/bmp_station.hpp"
#include "core/bgp/sweeper.hpp"

namespace hopwise::bgp {
namespace {

namespace asio = boost::asio;
using asio::ip::tcp;
using Failure = boost::system::error_code;

TimePoint now() {
  return std::chrono::steady_clock::now();
}

// Three seconds of silence, then three questions, a second each.
void watch_liveness(int fd) {
  const int on = 1, idle_s = 3, interval_s = 1, count = 3;
  setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof(on));
  setsockopt(fd, IPPROTO_TCP, TCP_KEEPIDLE, &idle_s, sizeof(idle_s));
  setsockopt(fd, IPPROTO_TCP, TCP_KEEPINTVL, &interval_s, sizeof(interval_s));
  setsockopt(fd, IPPROTO_TCP, TCP_KEEPCNT, &count, sizeof(count));
}

/// A station on its connection.
class Conversation : public std::enable_shared_from_this<Conversation> {
 public:
  using Ended = std::function<void(const std::string& why)>;

  Conversation(tcp::socket socket, PathTable& table, std::shared_ptr<Sweeper> sweeper,
               BmpCounters& counters, std::size_t max_prefixes)
      : socket_(std::move(socket)),
        sweeper_(std::move(sweeper)),
        station_(std::in_place, table, counters, max_prefixes) {}

  void start(Ended ended) {
    ended_ = std::move(ended);
    watch_liveness(socket_.native_handle());
    read();
  }
  /// The paths are gone when this returns; `ended` is not told.
  void close() {
    ended_ = {};
    finish({});
  }
  [[nodiscard]] const BmpStation& station() const { return *station_; }

 private:
  void read() {
    socket_.async_read_some(asio::buffer(buffer_),
                            [self = shared_from_this()](Failure error, std::size_t size) {
                              if (self->station_) self->on_read(error, size);
                            });
  }

  void on_read(Failure error, std::size_t size) {
    if (error)
      return finish(error == asio::error::eof ? "the router closed the connection"
                                              : "the connection broke: " + error.message());
    station_->receive(Bytes(buffer_).first(size));
    work();
  }

  void work() {
    const bool more = work_a_slice([this] { return station_->step(); });
    sweeper_->wake();
    // What else it said is not worth the time: its end takes everything back.
    if (station_->ended().empty() && is_closed_by_peer(socket_))
      return finish("the router closed the connection");
    if (more)
      return asio::post(socket_.get_executor(), [self = shared_from_this()] {
        if (self->station_) self->work();
      });
    if (const std::string why = station_->ended(); !why.empty()) return finish(why);
    read();
  }

  void finish(const std::string& why) {
    if (!station_) return;
    Failure ignored;
    socket_.close(ignored);
    station_.reset();
    sweeper_->wake();
    if (const Ended ended = std::exchange(ended_, {})) ended(why);
  }

  tcp::socket socket_;
  std::shared_ptr<Sweeper> sweeper_;  // of the sessions that end
  std::optional<BmpStation> station_;
  Ended ended_;
  std::array<std::uint8_t, 16384> buffer_{};
};

struct Router {
  BmpRouterOptions options;
  BmpCounters counters{};
  std::shared_ptr<Conversation> conversation{};
  TimePoint since{};
  std::string last_error{};
};

}  // namespace

class BmpReceiver::Impl {
 public:
  Impl(asio::io_context& io, BmpOptions options, PathTable& table, BmpEvents events)
      : io_(io),
        options_(std::move(options)),
        table_(table),
        events_(std::move(events)),
        sweeper_(std::make_shared<Sweeper>(io, table)) {
    for (const BmpRouterOptions& router : options_.routers)
      routers_.push_back({.options = router, .since = now()});
  }

  Result<> listen() {
    for (const Endpoint& endpoint : options_.listen) {
      auto acceptor =
          Acceptor::open(io_, endpoint, "BMP",
                         {.connected = [this](tcp::socket socket) { take(std::move(socket)); },
                          .trouble = events_.trouble});
      if (!acceptor) return acceptor.error();
      acceptors_.push_back(std::move(*acceptor));
    }
    return {};
  }

  void close() {
    for (const auto& acceptor : acceptors_) acceptor->close();
    for (Router& router : routers_)
      if (auto conversation = std::exchange(router.conversation, nullptr)) conversation->close();
    sweeper_->stop();
  }

  [[nodiscard]] std::uint16_t port(std::size_t n) const {
    return n < acceptors_.size() ? acceptors_[n]->port() : 0;
  }

  [[nodiscard]] BmpStatus status() const {
    BmpStatus status;
    for (const Endpoint& endpoint : options_.listen) status.listen.push_back(text(endpoint));
    for (const Router& router : routers_) status.routers.push_back(status_of(router));
    status.strangers = strangers_;
    return status;
  }

 private:
  void take(tcp::socket socket) {
    Failure error;
    const auto remote = socket.remote_endpoint(error);
    if (error) return;  // gone already
    const IpAddress address = address_of(remote.address());
    const auto router = std::ranges::find(
        routers_, address, [](const Router& known) { return known.options.address; });
    if (router == routers_.end()) {
      ++strangers_;
      return;
    }
    if (router->conversation) end(*router, "the router has connected anew");
    begin(*router, std::move(socket));
  }

  void begin(Router& router, tcp::socket socket) {
    router.since = now();
    router.conversation = std::make_shared<Conversation>(
        std::move(socket), table_, sweeper_, router.counters, router.options.max_prefixes);
    router.conversation->start([this, &router](const std::string& why) { end(router, why); });
    if (events_.connected) events_.connected(router.options.address);
  }

  void end(Router& router, const std::string& why) {
    if (auto conversation = std::exchange(router.conversation, nullptr)) conversation->close();
    router.since = now();
    router.last_error = why;
    ++router.counters.errors["connection_lost"];
    if (events_.ended) events_.ended(router.options.address, why);
  }

  [[nodiscard]] static BmpRouterStatus status_of(const Router& router) {
    BmpRouterStatus status{.address = router.options.address,
                           .connected = router.conversation != nullptr,
                           .since = router.since};
    if (router.conversation) {
      const BmpStation& station = router.conversation->station();
      const SourceCounts counts = station.counts();
      status.name = station.system_name();
      status.peers = station.peers();
      status.prefixes = counts.prefixes;
      status.paths = counts.paths;
    }
    status.messages = router.counters.messages;
    status.errors = router.counters.errors;
    status.last_error = router.last_error;
    return status;
  }

  asio::io_context& io_;
  const BmpOptions options_;
  PathTable& table_;
  BmpEvents events_;
  std::shared_ptr<Sweeper> sweeper_;
  std::vector<std::shared_ptr<Acceptor>> acceptors_;
  std::vector<Router> routers_;  // never grows: conversations' events know them by address
  std::uint64_t strangers_ = 0;
};

BmpReceiver::BmpReceiver(std::shared_ptr<Impl> impl) : impl_(std::move(impl)) {}
BmpReceiver::~BmpReceiver() {
  impl_->close();
}

Result<std::unique_ptr<BmpReceiver>> BmpReceiver::open(asio::io_context& io, BmpOptions options,
                                                       PathTable& table, BmpEvents events) {
  auto impl = std::make_shared<Impl>(io, std::move(options), table, std::move(events));
  auto receiver = std::unique_ptr<BmpReceiver>(new BmpReceiver(impl));
  if (auto good = impl->listen(); !good) return good.error();
  return {boost::system::in_place_value, std::move(receiver)};
}

std::uint16_t BmpReceiver::port(std::size_t n) const {
  return impl_->port(n);
}
BmpStatus BmpReceiver::status() const {
  return impl_->status();
}

}  // namespace hopwise::bgp
