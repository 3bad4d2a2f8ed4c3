// `hopwise reflect` as an operator runs it: its lines, its signals, its errors, without rights.
#include <csignal>
#include <nlohmann/json.hpp>

#include "test/catch.hpp"
#include "test/lab/namespace.hpp"
#include "test/lab/process.hpp"

using namespace hopwise;
using namespace std::chrono_literals;

namespace {

std::string log_of(const std::string& name) {
  return "/tmp/hopwise-reflect-" + std::to_string(getpid()) + "-" + name + ".log";
}

// The last line that is JSON.
nlohmann::json counters(const std::string& log) {
  const std::size_t end = log.rfind('}'), begin = log.rfind('{');
  REQUIRE(begin != std::string::npos);
  return nlohmann::json::parse(log.substr(begin, end + 1 - begin));
}

}  // namespace

TEST_CASE("hopwise reflect answers, tells its counters, and ends when asked", "[e2e][stamp]") {
  const auto host = lab::Namespace::create("reflect").value();
  auto reflector = lab::Process::start(host, {HOPWISE_BINARY, "reflect", "-j"}, log_of("run"));
  REQUIRE(reflector.has_value());
  REQUIRE(lab::eventually(
      10s, [&] { return reflector->log().find("reflecting listen=") != std::string::npos; }));
  CHECK(reflector->log().find("0.0.0.0:862,[::]:862 mode=stateful authenticated=no") !=
        std::string::npos);
  const auto peer = host.run({"/usr/bin/python3", HOPWISE_SOURCE_DIR "/test/interop/stamp_peer.py",
                              "send", "127.0.0.1", "862"});
  if (!peer) FAIL(peer.error().message);

  const auto second = host.run({HOPWISE_BINARY, "reflect"});
  REQUIRE(second.has_error());
  CHECK(second.error().message.find("ss -ulpn") != std::string::npos);

  reflector->kill(SIGUSR1);
  REQUIRE(lab::eventually(10s, [&] { return reflector->log().find('{') != std::string::npos; }));
  CHECK(counters(reflector->log()).at("answered") == 6);
  CHECK(reflector->running());
  CHECK(reflector->stop(10s) == 0);
  CHECK(counters(reflector->log()).at("sessions") == 2);
}

TEST_CASE("hopwise reflect needs no rights for a port of users", "[e2e][stamp]") {
  const auto host = lab::Namespace::create("reflect").value();
  const auto refused = host.run({"setpriv", "--reuid", "65534", "--clear-groups", "--inh-caps=-all",
                                 HOPWISE_BINARY, "reflect"});
  REQUIRE(refused.has_error());
  CHECK(refused.error().message.find("CAP_NET_BIND_SERVICE") != std::string::npos);

  auto reflector =
      lab::Process::start(host,
                          {"setpriv", "--reuid", "65534", "--clear-groups", "--inh-caps=-all",
                           HOPWISE_BINARY, "reflect", "--port", "18620", "--stateless"},
                          log_of("user"));
  REQUIRE(reflector.has_value());
  REQUIRE(lab::eventually(
      10s, [&] { return reflector->log().find("mode=stateless") != std::string::npos; }));
  const auto peer = host.run({"/usr/bin/python3", HOPWISE_SOURCE_DIR "/test/interop/stamp_peer.py",
                              "light", "127.0.0.1", "18620"});
  if (!peer) FAIL(peer.error().message);
  CHECK(reflector->stop(10s) == 0);
  CHECK(reflector->log().find("answered=3 too_short=1 ") != std::string::npos);
  CHECK(reflector->log().find(" reflected=1") != std::string::npos);
}
