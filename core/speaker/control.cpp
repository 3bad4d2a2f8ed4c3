#include "core/speaker/control.hpp"

#include <sys/socket.h>
#include <sys/un.h>

#include <array>
#include <boost/asio/local/stream_protocol.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/write.hpp>
#include <deque>
#include <stdexcept>

#include "core/model/format.hpp"
#include "core/model/result.hpp"
#include "core/speaker/sockets.hpp"

namespace hopwise::speaker {

namespace asio = boost::asio;
using boost::system::error_code;

namespace {

// Asio's own would wait where the queue is full, and then take a socket for connected that is not.
error_code connected(int socket, const std::string& path) {
  if (path.size() >= sizeof sockaddr_un{}.sun_path)
    return {ENAMETOOLONG, boost::system::system_category()};
  const asio::local::stream_protocol::endpoint endpoint(path);
  if (::connect(socket, endpoint.data(), static_cast<socklen_t>(endpoint.size())) == 0) return {};
  return {errno, boost::system::system_category()};
}

}  // namespace

// Every handler holds it; what comes after its end, or for an earlier socket, finds another epoch.
class Control::Connection : public std::enable_shared_from_this<Connection> {
 public:
  Connection(asio::io_context& io, Options options, std::function<void()> lost)
      : options_(std::move(options)),
        lost_(std::move(lost)),
        io_(io),
        socket_(io),
        timer_(io),
        reader_(options_.protocol) {}

  void ask(const std::string& command, OnAnswer on_answer);
  void end();
  [[nodiscard]] bool busy() const { return on_answer_ != nullptr; }

 private:
  void open();
  void send_next();
  void read();
  void take(std::size_t size);
  void close();
  void finish(Fate fate, std::string text);
  void fail(Fate fate, const std::string& text);

  Options options_;
  std::function<void()> lost_;
  asio::io_context& io_;
  asio::local::stream_protocol::socket socket_;
  asio::steady_timer timer_;
  ReplyReader reader_;
  std::array<char, 16384> chunk_{};
  std::string bytes_;  // come, and not yet taken
  std::string sending_;
  std::deque<std::string>
      to_ask_;  // of the opening, and the question; "": only an answer is awaited
  OnAnswer on_answer_;
  Peer peer_;
  std::uint64_t epoch_ = 0;
  std::uint64_t question_ = 0;  // the newest: a timer may run out as its answer comes
};

void Control::Connection::ask(const std::string& command, OnAnswer on_answer) {
  if (busy()) throw std::logic_error("two questions at once on " + options_.path);
  on_answer_ = std::move(on_answer);
  const bool is_open = socket_.is_open();
  if (!is_open) open();
  if (!socket_.is_open()) return;
  to_ask_.push_back(command);
  timer_.expires_after(options_.timeout);
  timer_.async_wait([self = shared_from_this(), question = ++question_](error_code error) {
    if (!error && question == self->question_ && self->busy())
      self->fail(Fate::silent, self->options_.path + ": no answer within " +
                                   format("%.3g s", seconds(self->options_.timeout)));
  });
  send_next();
}

// A unix socket connects at once or not at all: EAGAIN says that its queue is full, for nobody
// accepts.
void Control::Connection::open() {
  error_code error;
  socket_.open(asio::local::stream_protocol(), error);
  if (!error) socket_.non_blocking(true, error);
  if (!error) error = connected(socket_.native_handle(), options_.path);
  if (error) {
    fail(error == asio::error::try_again || error == asio::error::would_block ? Fate::silent
                                                                              : Fate::unreachable,
         system_error("connect to " + options_.path, error.value(),
                      error == asio::error::access_denied ? "hopwise must be in its group" : "")
             .message);
    return;
  }
  peer_ = peer_of(socket_.native_handle());
  reader_ = ReplyReader(options_.protocol);
  bytes_.clear();
  if (options_.protocol == Protocol::vty)
    to_ask_ = {"enable"};
  else
    to_ask_ = {"", "restrict"};
  read();
}

void Control::Connection::send_next() {
  if (to_ask_.front().empty()) return;
  sending_ = framed(options_.protocol, to_ask_.front());
  asio::async_write(socket_, asio::buffer(sending_),
                    [self = shared_from_this(), epoch = epoch_](error_code error, std::size_t) {
                      if (error && epoch == self->epoch_)
                        self->fail(Fate::closed, self->options_.path + ": " + error.message());
                    });
}

void Control::Connection::read() {
  socket_.async_read_some(asio::buffer(chunk_), [self = shared_from_this(), epoch = epoch_](
                                                    error_code error, std::size_t size) {
    if (epoch != self->epoch_) return;
    if (error) return self->fail(Fate::closed, self->options_.path + ": closed by its end");
    self->take(size);
    if (epoch == self->epoch_) self->read();
  });
}

void Control::Connection::take(std::size_t size) {
  if (!busy()) return;  // nobody asked
  bytes_.append(chunk_.data(), size);
  while (busy()) {
    auto reply = reader_.take(bytes_);
    if (!reply) break;
    to_ask_.pop_front();
    if (!to_ask_.empty()) {
      send_next();
      continue;
    }
    bytes_.clear();  // it answers more than it was asked
    return finish(reply->accepted ? Fate::answered : Fate::rejected, std::move(reply->text));
  }
  if (bytes_.size() > options_.most_bytes)
    fail(Fate::garbled, options_.path + ": an answer of more than " +
                            std::to_string(options_.most_bytes) + " bytes");
}

void Control::Connection::close() {
  ++epoch_;
  error_code ignored;
  socket_.close(ignored);
  to_ask_.clear();
  bytes_.clear();
}

void Control::Connection::fail(Fate fate, const std::string& text) {
  close();
  if (busy()) return finish(fate, text);
  if (lost_)
    asio::post(io_, [self = shared_from_this()] {
      if (self->lost_) self->lost_();
    });
}

void Control::Connection::finish(Fate fate, std::string text) {
  timer_.cancel();
  asio::post(io_, [self = shared_from_this(), on_answer = std::exchange(on_answer_, nullptr),
                   answer = Answer{fate, std::move(text), peer_}] {
    if (self->lost_) on_answer(answer);
  });
}

void Control::Connection::end() {
  lost_ = nullptr;
  on_answer_ = nullptr;
  close();
  timer_.cancel();
}

Control::Control(asio::io_context& io, Options options, std::function<void()> lost)
    : connection_(std::make_shared<Connection>(io, std::move(options), std::move(lost))) {}

Control::~Control() {
  connection_->end();
}

void Control::ask(const std::string& command, OnAnswer on_answer) {
  connection_->ask(command, std::move(on_answer));
}

bool Control::busy() const {
  return connection_->busy();
}

}  // namespace hopwise::speaker
