#include "probes/http/tls.hpp"

#include <openssl/ssl.h>
#include <openssl/x509_vfy.h>

#include <boost/asio/ssl/host_name_verification.hpp>

#include "core/model/address.hpp"

namespace hopwise::probes {

namespace asio = boost::asio;

Tls::Tls() : context_(asio::ssl::context::tls_client) {
  // Where no authorities are installed no certificate is valid: the handshake says so.
  boost::system::error_code none_installed;
  context_.set_default_verify_paths(none_installed);
  SSL_CTX_set_min_proto_version(context_.native_handle(), TLS1_2_VERSION);
}

std::unique_ptr<Tls::Stream> Tls::wrap(asio::ip::tcp::socket& socket, const std::string& host,
                                       Certificate certificate) {
  auto stream = std::make_unique<Stream>(socket, context_);
  // RFC 6066, 3: an address is no server name.
  if (!IpAddress::parse(host)) SSL_set_tlsext_host_name(stream->native_handle(), host.c_str());
  if (certificate == Certificate::valid) {
    stream->set_verify_mode(asio::ssl::verify_peer);
    stream->set_verify_callback(asio::ssl::host_name_verification(host));
  } else {
    stream->set_verify_mode(asio::ssl::verify_none);
  }
  return stream;
}

std::string handshake_failure(Tls::Stream& stream, const boost::system::error_code& error) {
  const long verdict = SSL_get_verify_result(stream.native_handle());
  if (verdict != X509_V_OK)
    return std::string("TLS: certificate refused: ") + X509_verify_cert_error_string(verdict) +
           " (trust its authority in the system's, or set the anchor's verify to false)";
  return "TLS: " + error.message();
}

}  // namespace hopwise::probes
