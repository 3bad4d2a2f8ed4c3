// A STAMP and TWAMP-Light reflector (RFC 8762, 8972): its sockets and its loop.
//
//   kernel stamp T2 -> recvmmsg -> Responder::judge -> clock T3 -> Responder::seal -> sendmsg
//
// It answers from the address that was asked, never more bytes than came, each source at its rate.
#pragma once

#include <boost/asio/io_context.hpp>
#include <memory>
#include <string>
#include <vector>

#include "core/model/result.hpp"
#include "probes/reflect/options.hpp"

namespace hopwise::probes {

class Reflector {
 public:
  /// Binds all sockets and answers from then on, in `io`. Without `listen` a host without IPv6
  /// listens on IPv4 alone. The error names the socket or the key, and what to do.
  static Result<std::unique_ptr<Reflector>> open(boost::asio::io_context& io,
                                                 const ReflectorOptions& options);
  ~Reflector();

  /// "0.0.0.0:862", "[::]:862".
  [[nodiscard]] std::vector<std::string> listens() const;
  [[nodiscard]] ReflectorCounters counters() const;

 private:
  struct Impl;
  explicit Reflector(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace hopwise::probes
