// TCP and unix connections are the same thing here: streams of Asio's generic protocol, so that
// Beast is instantiated once. A session reads a request, answers it, and reads the next; every way
// out of it passes through end(), which makes room for the next connection.
#include "core/api/server.hpp"

#include <arpa/inet.h>
#include <sys/stat.h>
#include <unistd.h>

#include <boost/asio/basic_socket_acceptor.hpp>
#include <boost/asio/generic/stream_protocol.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/beast/core/basic_stream.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http.hpp>
#include <optional>
#include <set>

#include "core/api/answer.hpp"
#include "core/api/listen.hpp"

namespace hopwise::api {
namespace {

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace http = beast::http;
using Protocol = asio::generic::stream_protocol;
using ErrorCode = boost::system::error_code;

constexpr std::size_t kMaxConnections = 64;  // a listener
constexpr std::uint32_t kHeaderLimit = 8192;
constexpr std::uint64_t kBodyLimit = 65536;
constexpr auto kAcceptPause = std::chrono::milliseconds(100);  // when descriptors run out

class Session;

/// A listening socket and its sessions.
class Listener : public std::enable_shared_from_this<Listener> {
 public:
  Listener(asio::io_context& io, const Protocol& protocol, int fd, Handlers handlers,
           Duration patience)
      : acceptor_(io, protocol, fd),
        pause_(io),
        handlers_(std::move(handlers)),
        patience_(patience),
        local_(protocol.family() == AF_UNIX) {}

  void accept();
  void close();

  void joined(Session* session) { sessions_.insert(session); }
  void left(Session* session);
  [[nodiscard]] bool full() const { return sessions_.size() >= kMaxConnections; }
  [[nodiscard]] Answer answer(std::string_view method, std::string_view target) const {
    return api::answer({method, target, local_}, handlers_);
  }
  [[nodiscard]] Duration patience() const { return patience_; }
  [[nodiscard]] Protocol::endpoint endpoint() const { return acceptor_.local_endpoint(); }

 private:
  asio::basic_socket_acceptor<Protocol> acceptor_;
  asio::steady_timer pause_;
  Handlers handlers_;
  Duration patience_;
  bool local_;
  bool accepting_ = false;
  bool closed_ = false;
  std::set<Session*> sessions_;
};

class Session : public std::enable_shared_from_this<Session> {
 public:
  Session(Protocol::socket socket, std::shared_ptr<Listener> listener)
      : stream_(std::move(socket)), listener_(std::move(listener)) {}

  void start() {
    listener_->joined(this);
    read();
  }

  /// Ends what is under way: its handler then comes with an error, and leaves.
  void abort() { stream_.close(); }

 private:
  void read() {
    parser_.emplace();
    parser_->header_limit(kHeaderLimit);
    parser_->body_limit(kBodyLimit);
    stream_.expires_after(listener_->patience());
    http::async_read(
        stream_, buffer_, *parser_,
        [self = shared_from_this()](ErrorCode error, std::size_t) { self->on_read(error); });
  }

  void on_read(ErrorCode error) {
    if (!error) {
      const auto& request = parser_->get();
      const auto method = request.method_string(), target = request.target();
      return respond(
          listener_->answer({method.data(), method.size()}, {target.data(), target.size()}),
          request.keep_alive() && !listener_->full(), request.method() == http::verb::head);
    }
    if (error == http::error::header_limit) return respond(refusal(431, "headers are too long"));
    if (error == http::error::body_limit) return respond(refusal(413, "body is too long"));
    const bool garbage =
        error.category() == http::make_error_code(http::error::bad_method).category();
    if (garbage && error != http::error::end_of_stream && error != http::error::partial_message)
      return respond(refusal(400, "not HTTP: " + error.message()));
    end();
  }

  void respond(Answer answer, bool keep_alive = false, bool head = false) {
    response_ = {};
    response_.version(11);
    response_.result(answer.status);
    response_.set(http::field::content_type, answer.type);
    response_.set(http::field::cache_control, "no-store");
    if (!answer.allow.empty()) response_.set(http::field::allow, answer.allow);
    response_.keep_alive(keep_alive);
    response_.content_length(answer.body.size());
    if (!head) response_.body() = std::move(answer.body);
    stream_.expires_after(listener_->patience());
    http::async_write(stream_, response_,
                      [self = shared_from_this(), keep_alive](ErrorCode error, std::size_t) {
                        error || !keep_alive ? self->end() : self->read();
                      });
  }

  void end() {
    ErrorCode ignored;
    stream_.socket().shutdown(Protocol::socket::shutdown_send, ignored);
    stream_.close();
    listener_->left(this);
  }

  beast::basic_stream<Protocol> stream_;
  std::shared_ptr<Listener> listener_;
  beast::flat_buffer buffer_;
  std::optional<http::request_parser<http::string_body>> parser_;
  http::response<http::string_body> response_;
};

void Listener::accept() {
  if (closed_ || full() || accepting_) return;
  accepting_ = true;
  acceptor_.async_accept([self = shared_from_this()](ErrorCode error, Protocol::socket socket) {
    self->accepting_ = false;
    if (self->closed_) return;
    if (!error) {
      std::make_shared<Session>(std::move(socket), self)->start();
      return self->accept();
    }
    self->pause_.expires_after(kAcceptPause);
    self->pause_.async_wait([self](ErrorCode) { self->accept(); });
  });
}

void Listener::left(Session* session) {
  sessions_.erase(session);
  accept();
}

void Listener::close() {
  closed_ = true;
  ErrorCode ignored;
  acceptor_.close(ignored);
  pause_.cancel();
  for (Session* session : sessions_) session->abort();
  handlers_ = {};  // their owner may be gone when the last session ends
}

}  // namespace

struct Server::Impl {
  std::vector<std::shared_ptr<Listener>> listeners;
  std::uint16_t port = 0;
  std::string socket_path;
  struct stat socket_file {};

  ~Impl() {
    for (const auto& listener : listeners) listener->close();
    struct stat now {};
    const bool ours = !socket_path.empty() && ::lstat(socket_path.c_str(), &now) == 0 &&
                      now.st_dev == socket_file.st_dev && now.st_ino == socket_file.st_ino;
    if (ours) ::unlink(socket_path.c_str());
  }
};

Server::Server(std::shared_ptr<Impl> impl) : impl_(std::move(impl)) {}
Server::~Server() = default;

std::uint16_t Server::port() const {
  return impl_->port;
}

Result<std::unique_ptr<Server>> Server::open(asio::io_context& io, const Options& options,
                                             Handlers handlers) {
  auto impl = std::make_shared<Impl>();
  const auto add = [&](int family, int fd) {
    impl->listeners.push_back(
        std::make_shared<Listener>(io, Protocol(family, 0), fd, handlers, options.patience));
  };
  // The unix socket first: it tells best that another hopwise runs.
  if (!options.socket.empty()) {
    const auto fd = listen_unix(options.socket);
    if (!fd) return fd.error();
    impl->socket_path = options.socket;
    ::lstat(options.socket.c_str(), &impl->socket_file);
    add(AF_UNIX, *fd);
  }
  if (!options.listen.empty()) {
    const auto endpoint = Endpoint::parse(options.listen);
    if (!endpoint)
      return Error{"listen on " + options.listen + ": is no address and port (api.listen)"};
    const auto fd = listen_tcp(*endpoint);
    if (!fd) return fd.error();
    add(endpoint->address.is_v4() ? AF_INET : AF_INET6, *fd);
    // sin_port and sin6_port stand at the same place.
    const auto bound = impl->listeners.back()->endpoint();
    impl->port = ntohs(reinterpret_cast<const sockaddr_in*>(bound.data())->sin_port);
  }
  for (const auto& listener : impl->listeners) listener->accept();
  return std::unique_ptr<Server>(new Server(std::move(impl)));
}

}  // namespace hopwise::api
