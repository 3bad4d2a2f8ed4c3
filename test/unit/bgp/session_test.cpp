#include "core/bgp/session.hpp"

#include <set>

#include "test/catch.hpp"
#include "test/unit/bgp/bytes.hpp"

using namespace hopwise;
using namespace hopwise::bgp;
using namespace hopwise::bgp::test;
using namespace std::chrono_literals;

namespace {

/// A session, its table, and what was heard of it.
struct Stage {
  explicit Stage(PeerOptions options = {.address = address("127.0.0.1")})
      : peer(std::move(options)), session(identity, peer, table, counters) {
    session.start(now);
  }

  void hear(const Octets& bytes) {
    session.receive(bytes);
    while (session.step(now)) {
    }
  }
  void hear_update(const Octets& body) { hear(message(MessageType::update, body)); }
  void establish(const Open& open = daemon_open()) {
    hear(build_open(open));
    hear(message(MessageType::keepalive));
    REQUIRE(session.state() == BgpState::established);
    session.take_output();
  }
  /// The types of what was said, in order, as digits.
  std::string said() {
    const Octets out = session.take_output();
    std::string types;
    for (std::size_t at = 0; at + kHeaderBytes <= out.size();
         at += static_cast<std::size_t>(out[at + 16] << 8U | out[at + 17]))
      types += static_cast<char>('0' + out[at + 18]);
    return types;
  }
  std::string end() const {
    if (!session.ended()) return "goes on";
    return session.ended()->text;
  }
  std::size_t paths(const std::string& prefix) const { return table.paths(net(prefix)).size(); }

  SessionIdentity identity{65000, 0xc00002fa, address("127.0.0.2"), address("127.0.0.1")};
  PeerOptions peer;
  std::vector<IpAddress> lost;
  PathTable table{{.lost = [this](SourceId, const IpAddress& who) { lost.push_back(who); }}};
  PeerCounters counters;
  TimePoint now{1h};
  Session session;
};

const Octets kAll = body({}, kUsual, prefix("192.0.2.0/24", 1) + prefix("198.51.100.0/24", 1));

}  // namespace

TEST_CASE("a session is established and learns all paths of both families", "[bgp]") {
  Stage s;
  CHECK(s.said() == "1");
  s.hear(build_open(daemon_open()));
  CHECK(s.session.state() == BgpState::open_confirm);
  CHECK(s.said() == "4");
  s.hear(message(MessageType::keepalive));
  CHECK(s.session.state() == BgpState::established);
  s.hear_update(kAll);
  s.hear_update(body({}, kOriginIgp + kPath + hex("40 03 04 0a630302"), prefix("192.0.2.0/24", 2)));
  CHECK(s.paths("192.0.2.0/24") == 2);
  s.hear_update(body(prefix("192.0.2.0/24", 1), {}, {}));
  REQUIRE(s.paths("192.0.2.0/24") == 1);
  CHECK(s.table.paths(net("192.0.2.0/24"))[0].path->nexthop == address("10.99.3.2"));
  CHECK(s.counters.updates == 3);
  CHECK(s.said().empty());
}

TEST_CASE("what we offer is what the header of session.hpp says", "[bgp]") {
  Stage s;
  const Octets out = s.session.take_output();
  const auto parsed = parse_open(Bytes(out).subspan(kHeaderBytes));
  REQUIRE(std::holds_alternative<Open>(parsed));
  const Open& open = std::get<Open>(parsed);
  CHECK(open.as == 65000);
  CHECK(open.hold_time_s == 9);
  CHECK(open.capabilities.add_path.v4 == AddPath{.receive = true});
  CHECK(open.capabilities.add_path.v6 == AddPath{.receive = true});
  CHECK(open.capabilities.extended_nexthop);
  CHECK_FALSE(open.capabilities.graceful_restart);
  CHECK_FALSE(open.capabilities.extended_message);
}

TEST_CASE("bytes may come one at a time", "[bgp]") {
  Stage s;
  const Octets all = build_open(daemon_open()) + message(MessageType::keepalive) +
                     message(MessageType::update, kAll);
  for (const std::uint8_t byte : all) s.hear({byte});
  CHECK(s.paths("192.0.2.0/24") == 1);
}

TEST_CASE("a peer that is not who it should be is refused", "[bgp]") {
  Stage as;
  as.hear(build_open(daemon_open(65001)));
  CHECK(as.end() == "said OPEN Message Error: Bad Peer AS (2/2)");
  CHECK(as.said() == "13");
  Stage id;
  Open open = daemon_open();
  open.router_id = id.identity.router_id;
  id.hear(build_open(open));
  CHECK(id.end() == "said OPEN Message Error: Bad BGP Identifier (2/3)");
  Stage families;
  // Only IPv4 multicast: MP 1/2.
  families.hear(
      message(MessageType::open, hex("04 fde8 0009 0a63ff01 08 02 06 01 04 00 01 00 02")));
  CHECK(families.end() == "said OPEN Message Error: Unsupported Capability (2/7)");
}

TEST_CASE("a message in the wrong state ends the session", "[bgp]") {
  Stage sent;
  sent.hear(message(MessageType::keepalive));
  CHECK(sent.end() ==
        "said Finite State Machine Error: Unexpected Message in OpenSent State (5/1)");
  Stage confirm;
  confirm.hear(build_open(daemon_open()));
  confirm.hear_update(kAll);
  CHECK(confirm.end() ==
        "said Finite State Machine Error: Unexpected Message in OpenConfirm State (5/2)");
  CHECK(confirm.table.prefixes() == 0);
  Stage again;
  again.establish();
  again.hear(build_open(daemon_open()));
  CHECK(again.end() ==
        "said Finite State Machine Error: Unexpected Message in Established State (5/3)");
}

TEST_CASE("whatever ends a session, its paths are gone at once", "[bgp]") {
  const auto ends = [](const std::function<void(Stage&)>& how) {
    Stage s;
    s.establish();
    s.hear_update(kAll);
    REQUIRE(s.paths("192.0.2.0/24") == 1);
    how(s);
    CHECK(s.session.ended().has_value());
    CHECK(s.paths("192.0.2.0/24") == 0);
    CHECK(s.lost == std::vector<IpAddress>{address("127.0.0.1")});
    return s.end();
  };
  CHECK(ends([](Stage& s) { s.session.lost("the peer closed the connection"); }) ==
        "the peer closed the connection");
  CHECK(ends([](Stage& s) {
          s.session.end({ErrorCode::cease, cease::kShutdown, {}});
        }) == "said Cease: Administrative Shutdown (6/2)");
  CHECK(ends([](Stage& s) {
          s.hear(build({ErrorCode::cease, cease::kReset, {}}));
        }) == "the peer said Cease: Administrative Reset (6/4)");
  CHECK(ends([](Stage& s) { s.hear(Octets(19, 0)); }) ==
        "said Message Header Error: Connection Not Synchronized (1/1)");
  CHECK(ends([](Stage& s) { s.hear_update(body({}, kUsual, hex("21"))); }) ==
        "said UPDATE Message Error: Invalid Network Field (3/10)");
  CHECK(ends([](Stage& s) {
          s.now += 9s;
          s.session.tick(s.now);
        }) == "said Hold Timer Expired (4/0)");
}

TEST_CASE("the hold time is the shorter one, and only silence lets it expire", "[bgp]") {
  Stage s;
  Open open = daemon_open();
  open.hold_time_s = 6;
  s.establish(open);
  CHECK(s.session.hold_time() == 6s);
  for (int i = 0; i < 10; i++) {
    s.now += 2s;
    s.session.tick(s.now);
    CHECK(s.said() == "4");
    s.hear(message(MessageType::keepalive));
  }
  s.now += 6s;
  s.session.tick(s.now, Unread::some);  // we were late, not the peer
  CHECK(s.end() == "goes on");
  s.session.receive(message(MessageType::keepalive));
  s.session.tick(s.now);
  CHECK(s.end() == "goes on");
  while (s.session.step(s.now)) {
  }
  s.now += 6s;
  s.session.tick(s.now);
  CHECK(s.end() == "said Hold Timer Expired (4/0)");
}

TEST_CASE("a hold time of zero is none, but an OPEN is not waited for without end", "[bgp]") {
  Stage s;
  Open open = daemon_open();
  open.hold_time_s = 0;
  s.establish(open);
  CHECK_FALSE(s.session.deadline().has_value());
  s.now += 24h;
  s.session.tick(s.now);
  CHECK(s.end() == "goes on");
  Stage silent;
  silent.now += Session::kOpenWait;
  silent.session.tick(silent.now);
  CHECK(silent.end() == "said Hold Timer Expired (4/0)");
}

TEST_CASE("one prefix too many ends the session", "[bgp]") {
  Stage s({.address = address("127.0.0.1"), .max_prefixes = 2});
  s.establish();
  s.hear_update(kAll);
  s.hear_update(body({}, kUsual, prefix("192.0.2.0/24", 2)));  // another path, not another prefix
  CHECK(s.end() == "goes on");
  s.hear_update(body({}, kUsual, prefix("203.0.113.0/24", 1)));
  CHECK(s.end() == "said Cease: Maximum Number of Prefixes Reached (6/1)");
  CHECK(s.paths("192.0.2.0/24") == 0);
}

TEST_CASE("errors that cost paths alone are counted by kind", "[bgp]") {
  Stage s;
  s.establish();
  s.hear_update(kAll);
  s.hear_update(body({}, kOriginIgp + kNexthop, prefix("192.0.2.0/24", 1)));
  s.hear_update(
      body({}, kOriginIgp + kPath + hex("40 03 04 7f000002"), prefix("198.51.100.0/24", 1)));
  CHECK(s.end() == "goes on");
  CHECK(s.paths("192.0.2.0/24") == 0);
  CHECK(s.paths("198.51.100.0/24") == 0);
  CHECK(s.counters.errors == std::map<std::string, std::uint64_t>{{"treat_as_withdraw:missing", 1},
                                                                  {"refused:nexthop_invalid", 1}});
}

TEST_CASE("a daemon without add-path tells its best paths", "[bgp]") {
  Stage s;
  Open open = daemon_open();
  open.capabilities.add_path = {};
  s.establish(open);
  CHECK_FALSE(s.session.capabilities().add_path_ipv4);
  s.hear_update(body({}, kUsual, prefix("192.0.2.0/24")));
  s.hear_update(body({}, kOriginIgp + kPath + hex("40 03 04 0a630302"), prefix("192.0.2.0/24")));
  CHECK(s.paths("192.0.2.0/24") == 1);
}

TEST_CASE("everything is asked for anew where the peer can tell it", "[bgp]") {
  Stage s;
  CHECK_FALSE(s.session.refresh(Family::v4));
  s.establish();
  CHECK(s.session.refresh(Family::v6));
  CHECK(s.session.take_output() == message(MessageType::route_refresh, hex("0002 00 01")));
  s.hear(message(MessageType::route_refresh, hex("0001 00 01")));  // the peer's: we have nothing
  CHECK(s.end() == "goes on");
  Stage old;
  Open open = daemon_open();
  open.capabilities.route_refresh = false;
  old.establish(open);
  CHECK_FALSE(old.session.refresh(Family::v4));
}
