#include "core/api/client.hpp"

#include <boost/asio/io_context.hpp>
#include <boost/asio/local/stream_protocol.hpp>
#include <boost/beast/core/basic_stream.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http.hpp>

#include "core/model/format.hpp"

namespace hopwise::api {
namespace {

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace http = beast::http;
using ErrorCode = boost::system::error_code;

constexpr std::uint64_t kBodyLimit = 64 << 20;  // a status of the largest router is far below

/// What may not stand in a request's first line, percent-encoded.
std::string encoded(const std::string& target) {
  constexpr const char* kDigits = "0123456789ABCDEF";
  std::string text;
  for (const char c : target) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte > 0x20 && byte < 0x7f && c != '#') {
      text += c;
      continue;
    }
    text += {'%', kDigits[byte >> 4], kDigits[byte & 15]};
  }
  return text;
}

/// One exchange: connect, write, read; `error` is the first that went wrong.
struct Exchange {
  Exchange(asio::io_context& io, Duration patience_) : stream(io), patience(patience_) {
    parser.body_limit(kBodyLimit);
  }

  void start(const std::string& socket_path) {
    stream.expires_after(patience);
    stream.async_connect(asio::local::stream_protocol::endpoint(socket_path),
                         [this](ErrorCode e) { (error = e) ? void() : write(); });
  }
  void write() {
    connected = true;
    http::async_write(stream, request,
                      [this](ErrorCode e, std::size_t) { (error = e) ? void() : read(); });
  }
  void read() {
    http::async_read(stream, buffer, parser, [this](ErrorCode e, std::size_t) {
      error = e;
      stream.close();
    });
  }

  beast::basic_stream<asio::local::stream_protocol> stream;
  const Duration patience;
  http::request<http::empty_body> request;
  http::response_parser<http::string_body> parser;
  beast::flat_buffer buffer;
  ErrorCode error;
  bool connected = false;
};

Error failure(const Exchange& exchange, const std::string& socket_path, const std::string& what) {
  const ErrorCode error = exchange.error;
  if (error == beast::error::timeout)
    return Error{what + " at " + socket_path + ": no answer within " +
                 format("%g", seconds(exchange.patience)) +
                 " s (the daemon is there, but hangs: see its log)"};
  if (exchange.connected) return Error{what + " at " + socket_path + ": " + error.message()};
  const bool denied = error == boost::system::errc::permission_denied;
  return Error{"no daemon answers at " + socket_path + ": " + error.message() +
               (denied ? " (run as root, or as a member of the socket's group)"
                       : " (is `hopwise run` running?)")};
}

}  // namespace

std::string encoded_value(const std::string& text) {
  constexpr const char* kDigits = "0123456789ABCDEF";
  constexpr std::string_view kPlain =
      "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789/.:_-";
  std::string safe;
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (kPlain.find(c) != std::string_view::npos)
      safe += c;
    else
      safe += {'%', kDigits[byte >> 4], kDigits[byte & 15]};
  }
  return safe;
}

Result<Reply> request(const std::string& socket_path, const std::string& method,
                      const std::string& target, Duration patience) {
  if (socket_path.empty())
    return Error{"there is no socket to ask the daemon by (api.socket is empty)"};
  try {
    asio::io_context io(1);
    Exchange exchange(io, patience);
    exchange.request.method_string(method);
    exchange.request.target(encoded(target));
    exchange.request.version(11);
    exchange.request.set(http::field::host, "hopwise");
    exchange.request.keep_alive(false);
    exchange.request.prepare_payload();
    if (method == "HEAD") exchange.parser.skip(true);
    exchange.start(socket_path);
    io.run();
    if (exchange.error) return failure(exchange, socket_path, method + ' ' + target);
    auto& response = exchange.parser.get();
    return Reply{static_cast<int>(response.result_int()), std::move(response.body())};
  } catch (const std::exception& error) {  // a path too long for a socket address, and the like
    return Error{"ask the daemon at " + socket_path + ": " + error.what()};
  }
}

}  // namespace hopwise::api
