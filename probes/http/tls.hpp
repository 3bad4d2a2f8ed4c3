// TLS of the HTTPS probes: one OpenSSL context for all, which trusts the system's authorities
// (OpenSSL's default paths, or SSL_CERT_FILE and SSL_CERT_DIR).
#pragma once

#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/ssl/context.hpp>
#include <boost/asio/ssl/stream.hpp>
#include <memory>
#include <string>

namespace hopwise::probes {

class Tls {
 public:
  using Stream = boost::asio::ssl::stream<boost::asio::ip::tcp::socket&>;

  Tls();

  enum class Certificate : std::uint8_t { any, valid };
  /// A client's stream over a connected socket, which must outlive it. Names `host` to the server,
  /// where it is no address; a valid certificate is also one for `host`.
  [[nodiscard]] std::unique_ptr<Stream> wrap(boost::asio::ip::tcp::socket& socket,
                                             const std::string& host, Certificate certificate);

 private:
  boost::asio::ssl::context context_;
};

/// Why a handshake failed, for the operator.
std::string handshake_failure(Tls::Stream& stream, const boost::system::error_code& error);

}  // namespace hopwise::probes
