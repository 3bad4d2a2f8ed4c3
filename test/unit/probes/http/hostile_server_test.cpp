// Servers that answer the SYN and then misbehave: the path is fine, and the prober goes on.
#include <sys/socket.h>

#include <atomic>

#include "test/catch.hpp"
#include "test/unit/probes/http/http_bench.hpp"
#include "test/unit/probes/http/web.hpp"

using namespace hopwise;
using namespace hopwise::probes;
using namespace std::chrono_literals;

namespace {

struct Hostility {
  const char* name;
  ProbeKind kind;
  Server::Serve serve;
  const char* trouble;  // what last_error must have in it
};

std::vector<Hostility> hostilities() {
  const auto http = ProbeKind::http;
  const auto https = ProbeKind::https;
  const auto endless_fields = [](int connection) {
    if (!write_text(connection, "HTTP/1.1 200 OK\r\n")) return;
    while (write_text(connection, "X-Field: " + std::string(1000, 'x') + "\r\n")) {
    }
  };
  const auto endless_line = [](int connection) {
    write_text(connection, "HTTP/1.1 200 ");
    while (write_text(connection, std::string(1000, 'x'))) {
    }
  };
  const auto garbage = [](int connection) {
    read_request(connection);
    write_text(connection, std::string("\x80\0\xff\r\n\r\n\x01", 8) + std::string(3000, '\xa5'));
  };
  const auto reset = [](int connection) {
    read_request(connection);
    write_text(connection, "HTTP/1.1 20");
    std::this_thread::sleep_for(20ms);
    const linger at_once{1, 0};
    setsockopt(connection, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
  };
  const auto drip = [](int connection) {
    const std::string head = "HTTP/1.1 200 OK\r\nX: ";
    for (std::size_t i = 0; i < 300; ++i) {
      if (!write_text(connection, i < head.size() ? head.substr(i, 1) : "x")) return;
      std::this_thread::sleep_for(20ms);
    }
  };
  const auto silent = [](int connection) {
    read_request(connection);
    read_request(connection);
  };
  const auto close_at_once = [](int connection) {
    read_request(connection);
    shutdown(connection, SHUT_RDWR);
  };
  const auto tls_garbage = [](int connection) {
    while (write_text(connection, std::string("\x16\x03\x03\x40\x00", 5) + std::string(16384, 'x')))
      std::this_thread::sleep_for(1ms);
  };
  return {
      {"endless fields", http, endless_fields, "no HTTP"},
      {"an endless status line", http, endless_line, "answer is"},
      {"garbage", http, garbage, "no HTTP"},
      {"a reset amid its head", http, reset, "reset"},
      {"drip-feeding", http, drip, "not complete in time"},
      {"silence", http, silent, "no answer in time"},
      {"a close without an answer", http, close_at_once, "closed without an answer"},
      {"garbage as TLS", https, tls_garbage, "TLS: "},
      {"silence as TLS", https, silent, "no answer in time"},
      {"a close as TLS", https, close_at_once, "TLS: "},
  };
}

}  // namespace

TEST_CASE("a hostile server ends every probe in a reply and a reason", "[probes][http][netns]") {
  NEEDS_ROOT();
  const Lan lan;
  Options options = brisk();
  options.http_timeout = 300ms;
  for (const Hostility& hostility : hostilities()) {
    INFO(hostility.name);
    const Server server(lan.a, 4444, hostility.serve);
    HttpBench bench(lan, options);
    bench.probe(lan.nexthop(1, kV4.a), {web(Family::v4, hostility.kind, 4444)});
    CHECK(bench.wait_for([&] { return bench.count(1, Outcome::reply) >= 2; }));
    CHECK(bench.count(1, Outcome::lost) == 0);
    INFO(bench.trouble(1));
    CHECK(bench.trouble_has(1, hostility.trouble));
  }
}

TEST_CASE("what a server writes does not reach the operator raw", "[probes][http][netns]") {
  NEEDS_ROOT();
  const Lan lan;
  const Server server(lan.a, 80, [](int connection) {
    read_request(connection);
    write_text(connection,
               "HTTP/1.1 500 \x1b]0;owned\x07 \xff" + std::string(300, 'x') + "\r\n\r\n");
  });
  HttpBench bench(lan);
  bench.probe(lan.nexthop(1, kV4.a), {web(Family::v4)});
  REQUIRE(bench.wait_for([&] { return bench.count(1, Outcome::reply) >= 1; }));
  const std::string trouble = bench.trouble(1);
  INFO(trouble);
  CHECK(trouble.size() < 100);
  CHECK(std::all_of(trouble.begin(), trouble.end(), [](char c) { return c >= 0x20 && c < 0x7f; }));
}

TEST_CASE("a prober that ends amid its probes leaves nothing behind", "[probes][http][netns]") {
  NEEDS_ROOT();
  const Lan lan;
  std::atomic<int> met = 0;
  const Server server(lan.a, 4444, [&](int connection) {
    ++met;
    read_request(connection);
    read_request(connection);
  });
  HttpBench bench(lan);
  bench.probe(lan.nexthop(1, kV4.a),
              {web(Family::v4, ProbeKind::http, 4444), web(Family::v4, ProbeKind::https, 4444)});
  REQUIRE(bench.wait_for([&] { return met >= 1; }));
  bench.prober.reset();
  bench.io.run();  // ends: nothing waits any more
  CHECK(bench.samples.empty());
}
