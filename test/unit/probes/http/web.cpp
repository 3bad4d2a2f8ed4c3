#include "test/unit/probes/http/web.hpp"

#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>

#include "test/catch.hpp"

namespace hopwise::probes {
namespace {

std::string configuration(const Scratch& scratch) {
  return "worker_processes 1; pid " + scratch.file("pid") + "; error_log " + scratch.file("error") +
         " error;\n"
         "events { worker_connections 4096; }\n"
         "http { access_log " +
         scratch.file("access") +
         ";\n"
         "client_body_temp_path " +
         scratch.file("body") + "; proxy_temp_path " + scratch.file("proxy") +
         "; fastcgi_temp_path " + scratch.file("fastcgi") + "; uwsgi_temp_path " +
         scratch.file("uwsgi") + "; scgi_temp_path " + scratch.file("scgi") +
         ";\n"
         "ssl_certificate " +
         scratch.file("cert.pem") + "; ssl_certificate_key " + scratch.file("key.pem") +
         ";\n"
         "server {\n"
         "listen 80; listen [::]:80 ipv6only=on; listen 8000-8499;\n"
         "listen 443 ssl; listen [::]:443 ssl ipv6only=on;\n"
         "location / { return 200 hello; }\n"
         "location /missing { return 404; }\n"
         "location /broken { return 503; } } }\n";
}

}  // namespace

Scratch::Scratch() {
  std::string name = "/tmp/hopwise-web-XXXXXX";
  REQUIRE(mkdtemp(name.data()) != nullptr);
  path_ = name;
}

Scratch::~Scratch() {
  std::error_code ignored;
  std::filesystem::remove_all(path_, ignored);
}

Nginx::Nginx(const NetNamespace& where) : where_(where) {
  std::ofstream(scratch_.file("nginx.conf")) << configuration(scratch_);
  where.sh("openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -keyout " +
           scratch_.file("key.pem") + " -out " + certificate() +
           " -subj /CN=probe.example -addext subjectAltName=DNS:probe.example 2> /dev/null");
  where.sh("nginx -e " + scratch_.file("error") + " -c " + scratch_.file("nginx.conf"));
}

Nginx::~Nginx() {
  const NetNamespace::Visit visit(where_);
  const std::string stop = "pid=$(cat " + scratch_.file("pid") +
                           ") && kill $pid && while kill -0 $pid 2> /dev/null; do sleep 0.02; done";
  (void)std::system(stop.c_str());  // NOLINT(bugprone-unused-return-value)
}

std::size_t Nginx::answered() const {
  std::ifstream log(scratch_.file("access"));
  std::size_t lines = 0;
  for (std::string line; std::getline(log, line);) ++lines;
  return lines;
}

Server::Server(const NetNamespace& where, std::uint16_t port, Serve serve)
    : serve_(std::move(serve)) {
  const NetNamespace::Visit visit(where);
  listener_ = socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0);
  REQUIRE(listener_ >= 0);
  const int on = 1;
  setsockopt(listener_, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  sockaddr_in6 any{};
  any.sin6_family = AF_INET6;
  any.sin6_port = htons(port);
  REQUIRE(bind(listener_, reinterpret_cast<const sockaddr*>(&any), sizeof any) == 0);
  REQUIRE(listen(listener_, 1024) == 0);
  thread_ = std::thread([this] {
    for (;;) {
      const int connection = accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC);
      if (connection < 0) return;
      // A prober that reads no more must not hold the test.
      const timeval patience{5, 0};
      setsockopt(connection, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience);
      setsockopt(connection, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
      serve_(connection);
      close(connection);
    }
  });
}

Server::~Server() {
  shutdown(listener_, SHUT_RDWR);  // wakes accept
  thread_.join();
  close(listener_);
}

void read_request(int connection) {
  std::array<char, 4096> request{};
  (void)!recv(connection, request.data(), request.size(), 0);
}

bool write_text(int connection, const std::string& text) {
  return send(connection, text.data(), text.size(), MSG_NOSIGNAL) ==
         static_cast<ssize_t>(text.size());
}

}  // namespace hopwise::probes
