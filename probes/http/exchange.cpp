#include "probes/http/exchange.hpp"

#include <boost/asio/error.hpp>
#include <boost/asio/write.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http.hpp>
#include <cerrno>
#include <sstream>

namespace hopwise::probes {
namespace {

namespace asio = boost::asio;
namespace http = boost::beast::http;
using std::chrono::steady_clock;

constexpr std::size_t kMaxHeadBytes = 16384;
constexpr std::size_t kReadBytes = 4096;
// The kernel sends a SYN again after a second (RFC 6298, 2.1).
constexpr Duration kFirstLook = std::chrono::milliseconds(1050);
constexpr Duration kNextLook = std::chrono::milliseconds(200);
// A SYN that was out for less is not called lost at the deadline.
constexpr Duration kSynWait = std::chrono::milliseconds(900);

bool is_unreachable(int error) {
  return error == EHOSTUNREACH || error == ENETUNREACH || error == ENOPROTOOPT || error == EACCES ||
         error == EHOSTDOWN || error == EPROTO;
}

bool is_end(const boost::system::error_code& error) {
  return error == asio::error::eof || error == asio::ssl::error::stream_truncated;
}

// What a stranger wrote.
std::string printable(std::string_view reason) {
  std::string text;
  for (const char c : reason.substr(0, 60)) text += c >= 0x20 && c < 0x7f ? c : '?';
  return text;
}

}  // namespace

struct Exchange::Answer {
  boost::beast::flat_buffer buffer{kMaxHeadBytes};
  http::response_parser<http::empty_body> parser;
};

Exchange::Exchange(asio::io_context& io, HttpRequest request, std::shared_ptr<Tls> tls,
                   Events events)
    : request_(std::move(request)),
      tls_(std::move(tls)),
      events_(std::move(events)),
      socket_(io),
      timer_(io) {}

std::string Exchange::host() const {
  return request_.host.empty() ? request_.to.address.text() : request_.host;
}

// --- the handshake of TCP: what the path is judged by --------------------------------------------

Result<> Exchange::begin(const Departure& by) {
  started_ = last_syn_ = steady_clock::now();
  if (auto begun = begin_connect(socket_, request_.to, by); !begun) {
    cancel();
    return begun;
  }
  wait_connected();
  tick_at(started_ + kFirstLook);
  return {};
}

// By RST: the server shall not go on.
void Exchange::cancel() {
  boost::system::error_code ignored;
  socket_.set_option(asio::socket_base::linger(true, 0), ignored);
  close();
}

void Exchange::close() {
  over_ = true;
  timer_.cancel();
  boost::system::error_code ignored;
  socket_.close(ignored);
}

void Exchange::wait_connected() {
  socket_.async_wait(asio::socket_base::wait_write,
                     [self = shared_from_this()](const boost::system::error_code& error) {
                       if (self->over_ || !self->connecting_ || error) return;
                       self->connect_ended(take_error(self->socket_.native_handle()));
                     });
}

void Exchange::tick_at(TimePoint time) {
  timer_.expires_at(std::min(time, deadline()));
  timer_.async_wait([self = shared_from_this()](const boost::system::error_code& error) {
    if (!error && !self->over_) self->tick();
  });
}

void Exchange::tick() {
  const TimePoint now = steady_clock::now();
  if (connecting_) {
    const HandshakeState state = look_at(socket_.native_handle());
    if (state.established) {
      connected();
      if (over_) return;
    } else {
      count_retransmissions(state.retransmissions);
    }
  }
  if (now >= deadline()) return timed_out();
  tick_at(connecting_ ? now + kNextLook : deadline());
}

void Exchange::count_retransmissions(std::uint32_t seen) {
  for (; retransmissions_ < seen; ++retransmissions_) {
    events_.lost(last_syn_);
    last_syn_ = steady_clock::now();
  }
}

void Exchange::connect_ended(int error) {
  if (error == 0) return connected();
  if (error == ECONNREFUSED) return refused();
  count_retransmissions(look_at(socket_.native_handle()).retransmissions);
  events_.lost(last_syn_);
  report_.unreachable = is_unreachable(error);
  finish(system_error("connect to " + request_.to.address.text(), error).message);
}

void Exchange::connected() {
  connected_ = steady_clock::now();
  connecting_ = false;
  const HandshakeState state = look_at(socket_.native_handle());
  count_retransmissions(state.retransmissions);
  report_.answered = true;
  report_.connect = judge({started_, connected_, retransmissions_, state.rtt});
  if (!tls_) return ask();
  secure_ = tls_->wrap(socket_, host(), request_.certificate);
  handshake();
}

// A host with that port closed has answered.
void Exchange::refused() {
  count_retransmissions(look_at(socket_.native_handle()).retransmissions);
  report_.answered = true;
  report_.connect = judge({started_, steady_clock::now(), retransmissions_, {}});
  finish("port " + std::to_string(request_.to.port) + " of " + request_.to.address.text() +
         " is closed: RST (it answers, but nobody serves there)");
}

// --- what the server answers: told, but no loss --------------------------------------------------

template <class Operation>
void Exchange::on_stream(Operation operation) {
  secure_ ? operation(*secure_) : operation(socket_);
}

void Exchange::handshake() {
  secure_->async_handshake(asio::ssl::stream_base::client,
                           [self = shared_from_this()](const boost::system::error_code& error) {
                             if (self->over_) return;
                             if (error)
                               return self->finish(handshake_failure(*self->secure_, error));
                             self->ask();
                           });
}

void Exchange::ask() {
  const bool bracketed = request_.host.empty() && !request_.to.address.is_v4();
  std::string named = bracketed ? '[' + host() + ']' : host();
  if (request_.to.port != (tls_ ? 443 : 80)) named += ':' + std::to_string(request_.to.port);
  http::request<http::empty_body> get{http::verb::get, request_.path, 11};
  get.set(http::field::host, named);
  get.set(http::field::user_agent, "hopwise");
  get.set(http::field::accept, "*/*");
  get.set(http::field::connection, "close");
  std::ostringstream text;
  text << get;
  question_ = text.str();
  answer_ = std::make_shared<Answer>();
  answer_->parser.header_limit(kMaxHeadBytes);
  on_stream([this](auto& stream) {
    asio::async_write(
        stream, asio::buffer(question_),
        [self = shared_from_this()](const boost::system::error_code& error, std::size_t) {
          if (self->over_) return;
          if (error) return self->finish("send the request: " + error.message());
          self->read();
        });
  });
}

void Exchange::read() {
  auto& buffer = answer_->buffer;
  const std::size_t room = std::min(kReadBytes, buffer.max_size() - buffer.size());
  if (room == 0) return finish("the head of the answer is too long");
  on_stream([this, room](auto& stream) {
    stream.async_read_some(
        answer_->buffer.prepare(room),
        [self = shared_from_this()](const boost::system::error_code& error, std::size_t bytes) {
          if (self->over_) return;
          self->answer_->buffer.commit(bytes);
          if (bytes > 0) return self->heard();
          if (!is_end(error)) return self->finish("read the answer: " + error.message());
          self->finish(self->report_.first_byte ? "the server closed amid its answer"
                                                : "the server closed without an answer");
        });
  });
}

void Exchange::heard() {
  if (!report_.first_byte) report_.first_byte = steady_clock::now() - connected_;
  auto& [buffer, parser] = *answer_;
  boost::system::error_code error;
  buffer.consume(parser.put(buffer.data(), error));
  if (error && error != http::error::need_more)
    return finish("the answer is no HTTP: " + error.message());
  if (!parser.is_header_done()) return read();
  const auto& head = parser.get();
  if (head.result_int() < 400) return finish(std::nullopt);
  finish("HTTP status " + std::to_string(head.result_int()) + ' ' +
         printable({head.reason().data(), head.reason().size()}));
}

void Exchange::timed_out() {
  if (!connecting_)
    return finish(report_.first_byte ? "the head of the answer was not complete in time"
                                     : "connected, but no answer in time");
  if (steady_clock::now() - last_syn_ >= kSynWait) events_.lost(last_syn_);
  finish("connect to " + request_.to.address.text() + ": no answer to " +
         std::to_string(retransmissions_ + 1) + " SYN");
}

void Exchange::finish(std::optional<std::string> trouble) {
  answer_ && answer_->parser.is_header_done() ? close() : cancel();
  report_.trouble = std::move(trouble);
  events_.over(report_);
}

}  // namespace hopwise::probes
