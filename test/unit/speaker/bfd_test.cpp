#include "core/speaker/bfd.hpp"

#include <algorithm>

#include "test/catch.hpp"
#include "test/unit/speaker/answers.hpp"

using namespace hopwise;
using namespace hopwise::speaker;
using namespace std::chrono_literals;

namespace {

IpAddress address(const char* text) {
  return *IpAddress::parse(text);
}

std::vector<BfdSession> frr(const std::string& file) {
  const auto sessions = frr_bfd(captured(file));
  REQUIRE(sessions.has_value());
  return *sessions;
}

BfdSession find(const std::vector<BfdSession>& sessions, const char* peer) {
  const auto found = std::find_if(sessions.begin(), sessions.end(),
                                  [&](const BfdSession& s) { return s.peer == address(peer); });
  REQUIRE(found != sessions.end());
  return *found;
}

constexpr EthernetAddress kRouter{2, 0, 0, 0, 0, 1};
constexpr EthernetAddress kOther{2, 0, 0, 0, 0, 2};

BfdSession session(const char* peer, BfdState state, bool failed) {
  return {address(peer), "w1", state, failed, {}};
}

}  // namespace

TEST_CASE("bfdd's peers are read, and those that are up have not failed", "[speaker]") {
  const auto sessions = frr("bfd_up.json");
  CHECK(sessions.size() == 6);
  for (const BfdSession& each : sessions) {
    CHECK(each.state == BfdState::up);
    CHECK_FALSE(each.failed);
  }
  CHECK(find(sessions, "fd00:99:2::2").interface == "w2");
}

TEST_CASE("a session whose peer fell silent has failed", "[speaker]") {
  const auto sessions = frr("bfd_down_u3_output_dropped.json");
  const auto failed = find(sessions, "10.99.3.2");
  CHECK(failed.state == BfdState::down);
  CHECK(failed.failed);
  CHECK(failed.because == "control detection time expired");
  CHECK_FALSE(find(sessions, "10.99.1.2").failed);
}

TEST_CASE("a session whose peer does not hear us has failed", "[speaker]") {
  CHECK(find(frr("bfd_down_u2_input_dropped.json"), "10.99.2.2").failed);
}

TEST_CASE("a session that the peer took down on purpose has not failed", "[speaker]") {
  const auto ended = find(frr("bfd_peer_admin_down.json"), "10.99.1.2");
  CHECK(ended.state == BfdState::down);
  CHECK_FALSE(ended.failed);
}

TEST_CASE("neither has one that never came up, is shut down, or is of several hops", "[speaker]") {
  const auto sessions = frr_bfd(
      R"([{"peer":"10.0.0.1","interface":"w1","status":"down","diagnostic":"ok"},)"
      R"({"peer":"10.0.0.2","status":"shutdown","diagnostic":"control detection time expired"},)"
      R"({"multihop":true,"peer":"10.0.0.3","status":"down",)"
      R"("diagnostic":"control detection time expired"}])");
  REQUIRE(sessions.has_value());
  REQUIRE(sessions->size() == 2);
  CHECK_FALSE(sessions->at(0).failed);
  CHECK(sessions->at(1).state == BfdState::admin_down);
  CHECK_FALSE(sessions->at(1).failed);
}

TEST_CASE("a session of another VRF speaks for its interface alone", "[speaker]") {
  const std::string answer = R"([{"peer":"10.0.0.1","vrf":"red","status":"down",)"
                             R"("diagnostic":"control detection time expired"},)"
                             R"({"peer":"10.0.0.2","vrf":"red","interface":"w1","status":"up"},)"
                             R"({"peer":"10.0.0.3","vrf":"default","status":"up"}])";
  const auto peers = [&](const std::string& vrf) {
    std::string text;
    for (const BfdSession& each : frr_bfd(answer, vrf).value()) text += each.peer.text() + ' ';
    return text;
  };
  CHECK(peers("default") == "10.0.0.2 10.0.0.3 ");
  CHECK(peers("red") == "10.0.0.1 10.0.0.2 ");
  CHECK(peers("") == "10.0.0.2 ");  // a table whose VRF is not known
}

TEST_CASE("what is no list of peers is an error, and no peer is left out of it", "[speaker]") {
  for (const char* text : {"", "{}", "[", "% Unknown command", "[{]"})
    CHECK_FALSE(frr_bfd(text).has_value());
  for (const char* text : {"[]", "[1,null,[],{}]", R"([{"peer":7,"status":"down"}])",
                           R"([{"peer":"10.0.0.1","status":"sideways"}])"}) {
    const auto sessions = frr_bfd(text);
    REQUIRE(sessions.has_value());
    CHECK(sessions->empty());
  }
}

TEST_CASE("BIRD's sessions are read", "[speaker]") {
  const auto sessions = bird_bfd(captured("bird_bfd.txt"));
  REQUIRE(sessions.has_value());
  CHECK(sessions->size() == 6);
  CHECK(find(*sessions, "10.99.2.2").state == BfdState::up);
  CHECK(find(*sessions, "10.99.1.2").state == BfdState::down);
  CHECK(bird_bfd("0000 \n").has_value());
  CHECK_FALSE(bird_bfd("").has_value());
  CHECK_FALSE(bird_bfd(captured("bird_syntax_error.txt")).has_value());
}

TEST_CASE("of BIRD's sessions one that was up has failed, for a while", "[speaker]") {
  BirdBfd memory;
  const auto judged = [&](BfdState state, Duration when) {
    return memory.judge({session("10.0.0.1", state, false)}, TimePoint(1h) + when).at(0).failed;
  };
  CHECK_FALSE(judged(BfdState::down, 0s));  // it never came up
  CHECK_FALSE(judged(BfdState::up, 1s));
  CHECK(judged(BfdState::down, 2s));
  CHECK(judged(BfdState::down, 31s));
  CHECK_FALSE(judged(BfdState::down, 32s));  // BIRD has kept its gateway: it knows better
  CHECK_FALSE(judged(BfdState::up, 33s));
  CHECK(judged(BfdState::down, 34s));
  CHECK_FALSE(judged(BfdState::admin_down, 35s));
  CHECK_FALSE(judged(BfdState::down, 36s));
}

TEST_CASE("a failed session takes out its own gateway", "[speaker]") {
  const std::vector sessions{session("10.0.0.1", BfdState::down, true),
                             session("10.0.0.2", BfdState::up, false)};
  CHECK(veto(sessions, {"w1", address("10.0.0.1")}, {}) != nullptr);
  CHECK(veto(sessions, {"w1", address("10.0.0.2")}, {}) == nullptr);
  CHECK(veto(sessions, {"w2", address("10.0.0.1")}, {}) == nullptr);
  CHECK(veto(sessions, {"w1", address("10.0.0.3")}, {}) == nullptr);

  // Without an interface: on any, but for a link-local address, which each has.
  const std::vector<BfdSession> anywhere{{address("10.0.0.1"), "", BfdState::down, true},
                                         {address("fe80::1"), "", BfdState::down, true}};
  CHECK(veto(anywhere, {"w1", address("10.0.0.1")}, {}) != nullptr);
  CHECK(veto(anywhere, {"w1", address("fe80::1")}, {}) == nullptr);
}

TEST_CASE("a session speaks for the router's other addresses, its own family first", "[speaker]") {
  const Routers routers{{{"w1", address("fd00::2")}, kRouter},
                        {{"w1", address("10.0.0.2")}, kRouter},
                        {{"w1", address("fd00::3")}, kOther}};
  const Gateway link_local{"w1", address("fe80::2"), kRouter};
  const auto six = session("fd00::2", BfdState::down, true);
  const auto four = session("10.0.0.2", BfdState::up, false);
  CHECK(veto({six}, link_local, routers) != nullptr);
  CHECK(veto({six, four}, link_local, routers) != nullptr);
  CHECK(veto({session("10.0.0.2", BfdState::down, true)}, link_local, routers) != nullptr);
  CHECK(veto({session("10.0.0.2", BfdState::down, true), session("fd00::2", BfdState::up, false)},
             link_local, routers) == nullptr);
  CHECK(veto({session("fd00::3", BfdState::down, true)}, link_local, routers) == nullptr);
  CHECK(veto({six}, {"w1", address("fe80::2"), std::nullopt}, routers) == nullptr);
}
