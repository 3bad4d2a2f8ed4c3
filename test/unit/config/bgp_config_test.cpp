#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "core/config/config.hpp"
#include "test/catch.hpp"

using namespace hopwise;
using namespace std::chrono_literals;

namespace {

Result<config::Config> parse(const std::string& keys) {
  return config::parse("{\"bgp\": {" + keys + "}}", "f");
}

std::string fault_of(const std::string& keys) {
  const auto config = parse(keys);
  return config ? "" : config.error().message;
}

const std::string kLeast =
    R"("as": 65000, "router_id": "192.0.2.250", "peers": [{"address": "127.0.0.1"}])";

}  // namespace

TEST_CASE("there is no BGP listener unless it is configured", "[bgp][config]") {
  const auto config = config::parse("{}", "f");
  REQUIRE(config.has_value());
  CHECK(config->bgp == bgp::Options{});
  CHECK(config->bgp.listen.empty());
}

TEST_CASE("a BGP listener needs an AS, an identifier and peers, and has defaults",
          "[bgp][config]") {
  const auto config = parse(kLeast);
  REQUIRE(config.has_value());
  const bgp::Options& bgp = config->bgp;
  CHECK(bgp.listen == std::vector<bgp::Endpoint>{{IpAddress::parse("127.0.0.2").value(), 1790}});
  CHECK(bgp.as == 65000);
  CHECK(bgp.router_id == 0xc00002fa);
  REQUIRE(bgp.peers.size() == 1);
  CHECK(bgp.peers[0].address == IpAddress::parse("127.0.0.1"));
  CHECK(bgp.peers[0].hold_time == 9s);
  CHECK(bgp.peers[0].max_prefixes == 2'000'000);
  CHECK(bgp.peers[0].password.empty());
}

TEST_CASE("BGP peers are configured one by one, in both families", "[bgp][config]") {
  const std::string key = "/tmp/hopwise-bgp-" + std::to_string(::getpid());
  std::ofstream(key) << "secret\n";
  std::filesystem::permissions(key, std::filesystem::perms(0600));
  const auto config =
      parse(R"("listen": ["127.0.0.2:1790", "[fd00::2]:179"], "as": 4200000000,
               "router_id": "10.0.0.250", "peers": [
                 {"address": "127.0.0.1", "password_file": ")" +
            key + R"("}, {"address": "fd00::1", "hold_time": "30s", "max_prefixes": 1000}])");
  std::filesystem::remove(key);
  REQUIRE(config.has_value());
  REQUIRE(config->bgp.peers.size() == 2);
  CHECK(config->bgp.peers[0].password == "secret");
  CHECK(config->bgp.peers[1].hold_time == 30s);
  CHECK(config->bgp.peers[1].max_prefixes == 1000);
  CHECK(config->bgp.listen.size() == 2);
  CHECK(config->bgp.as == 4'200'000'000);
}

TEST_CASE("a BGP listener that cannot be is a fault with its place", "[bgp][config]") {
  const auto has = [](const std::string& keys, const std::string& words) {
    CAPTURE(keys);
    CHECK_THAT(fault_of(keys), Catch::Contains(words));
  };
  has("\"as\": 65000", "router_id");
  has(R"("as": 0, "router_id": "1.2.3.4", "peers": [{"address": "127.0.0.1"}])", "bgp.as");
  has(R"("as": 1, "router_id": "::1", "peers": [{"address": "127.0.0.1"}])", "is no router id");
  has(R"("as": 1, "router_id": "1.2.3.4", "peers": [])", "names nobody");
  has(R"("as": 1, "router_id": "1.2.3.4", "peers": [{}])", "address");
  has(R"("as": 1, "router_id": "1.2.3.4",
         "peers": [{"address": "127.0.0.1"}, {"address": "127.0.0.1"}])",
      "stands here twice");
  has(R"("as": 1, "router_id": "1.2.3.4", "peers": [{"address": "fd00::1"}])", "add an IPv6 one");
  has(kLeast + R"(, "listen": "127.0.0.2")", "is no address and port");
  has(kLeast + R"(, "listen": "0.0.0.0:1790")", "every address of this router");
  has(kLeast + R"(, "listen": [])", "names no address");
  has(R"("as": 1, "router_id": "1.2.3.4", "peers": [{"address": "127.0.0.1", "hold_time": "2s"}])",
      "is no hold time");
  has(R"("as": 1, "router_id": "1.2.3.4",
         "peers": [{"address": "127.0.0.1", "password_file": "/nowhere/key"}])",
      "read key /nowhere/key");
}

TEST_CASE("another BGP listener needs a restart, and no password is shown", "[bgp][config]") {
  const auto one = parse(kLeast);
  REQUIRE(one.has_value());
  auto other = *one;
  CHECK_FALSE(config::needs_restart(*one, other).has_value());
  other.bgp.peers[0].password = "secret";
  const auto why = config::needs_restart(*one, other);
  REQUIRE(why.has_value());
  CHECK(why->find("secret") == std::string::npos);
  CHECK(why->find("bgp") == 0);
}
