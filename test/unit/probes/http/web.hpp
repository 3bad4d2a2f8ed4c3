// Servers behind a gateway, for probes: a real nginx, and one that does whatever a test says.
#pragma once

#include <functional>
#include <string>
#include <thread>

#include "test/unit/probes/lan.hpp"

namespace hopwise::probes {

/// A directory that is removed at the end.
class Scratch {
 public:
  Scratch();
  Scratch(const Scratch&) = delete;
  Scratch& operator=(const Scratch&) = delete;
  ~Scratch();
  [[nodiscard]] std::string file(const std::string& name) const { return path_ + '/' + name; }

 private:
  std::string path_;
};

/// nginx in a gateway's namespace: port 80, TLS on 443 for "probe.example", and 8000 to 8499. It
/// answers /missing by 404 and /broken by 503.
class Nginx {
 public:
  explicit Nginx(const NetNamespace& where);
  Nginx(const Nginx&) = delete;
  Nginx& operator=(const Nginx&) = delete;
  ~Nginx();

  /// Requests that it has answered.
  [[nodiscard]] std::size_t answered() const;
  /// The authority that signed for it: itself.
  [[nodiscard]] std::string certificate() const { return scratch_.file("cert.pem"); }

 private:
  Scratch scratch_;
  const NetNamespace& where_;
};

/// Listens on a port of both families and gives each connection, one after the other, to `serve`,
/// with the request in it unread. `serve` ends when writing fails.
class Server {
 public:
  using Serve = std::function<void(int connection)>;
  Server(const NetNamespace& where, std::uint16_t port, Serve serve);
  Server(const Server&) = delete;
  Server& operator=(const Server&) = delete;
  ~Server();

 private:
  Serve serve_;
  int listener_ = -1;
  std::thread thread_;
};

/// Reads the request, as far as it came in one piece.
void read_request(int connection);
/// False: the peer is gone.
bool write_text(int connection, const std::string& text);

}  // namespace hopwise::probes
