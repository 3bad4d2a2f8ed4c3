// The listener beside the real daemons.
#include <map>
#include <set>

#include "core/bgp/listener.hpp"
#include "test/catch.hpp"
#include "test/lab/io_thread.hpp"
#include "test/unit/bgp/bytes.hpp"
#include "test/unit/bgp/daemons.hpp"

using namespace hopwise;
using namespace hopwise::bgp;
using namespace hopwise::bgp::test;
using namespace std::chrono_literals;

namespace {

constexpr auto kPatience = 90s;  // FRR on a loaded machine

/// The listener on a loop of its own inside the router.
class Ears {
 public:
  explicit Ears(const Router& router) : io_(router.dut()) {
    io_.ask([&] {
      ListenerEvents events;
      events.state = [this](const Transition& t) {
        story_ += t.peer.text() + ' ' + std::string(text(t.to)) + ' ' + t.why + '\n';
      };
      listener_ = Listener::open(io_.io(), router.options(), table_, std::move(events)).value();
    });
  }
  Ears(const Ears&) = delete;
  Ears& operator=(const Ears&) = delete;
  ~Ears() {
    io_.ask([&] { listener_.reset(); });
    io_.end();
  }

  std::set<std::string> nexthops(const std::string& prefix) {
    return io_.ask([&] {
      std::set<std::string> all;
      for (const KnownPath& path : table_.paths(net(prefix))) all.insert(path.path->nexthop.text());
      return all;
    });
  }
  BgpStatus status() {
    return io_.ask([&] { return listener_->status(); });
  }
  std::string story() {
    return io_.ask([&] { return story_; });
  }
  std::size_t lost() {
    return io_.ask([&] { return lost_; });
  }

 private:
  std::string story_;
  std::size_t lost_ = 0;
  PathTable table_{{.changed = {}, .lost = [this](SourceId, const IpAddress&) { lost_++; }}};
  std::unique_ptr<Listener> listener_;
  lab::IoThread io_;
};

using Texts = std::set<std::string>;

void check_daemon(Kind kind) {
  Router router(kind);
  Ears ears(router);
  const auto becomes = [&](const std::string& prefix, const Texts& nexthops) {
    const bool so = lab::eventually(kPatience, [&] { return ears.nexthops(prefix) == nexthops; });
    INFO(prefix << '\n' << ears.story() << router.logs());
    REQUIRE(so);
  };
  // Those of u3 are never the best, and are told with their real next hops nevertheless.
  const Texts v4{"10.99.2.2", "10.99.3.2"}, v6{"fd00:99:2::2", "fd00:99:3::2"};
  becomes("198.51.100.0/24", v4);
  becomes("2001:db8:100::/48", v6);
  becomes("192.0.2.0/24", v6);  // RFC 8950
  for (const BgpPeerStatus& peer : ears.status().peers) {
    CAPTURE(peer.address.text());
    CHECK(text(peer.state) == "established");
    CHECK(peer.capabilities.add_path_ipv4);
    CHECK(peer.capabilities.add_path_ipv6);
    CHECK(peer.capabilities.four_octet_as);
    CHECK(peer.paths > 0);
  }

  router.withdraw();
  becomes("198.51.100.0/24", {"10.99.2.2"});
  CHECK(ears.nexthops("2001:db8:100::/48") == v6);

  const std::size_t sessions = ears.status().peers.size();
  router.kill_daemon();
  REQUIRE(lab::eventually(kPatience, [&] { return ears.lost() == sessions; }));
  for (const char* prefix : {"198.51.100.0/24", "2001:db8:100::/48", "192.0.2.0/24"})
    CHECK(ears.nexthops(prefix).empty());
}

}  // namespace

TEST_CASE("FRR tells all paths with their real next hops, over two sessions, one of them signed",
          "[bgp][netns][interop]") {
  check_daemon(Kind::frr);
}

TEST_CASE("BIRD tells all paths with their real next hops, over one session",
          "[bgp][netns][interop]") {
  check_daemon(Kind::bird);
}

TEST_CASE("GoBGP tells all paths with their real next hops, over one session",
          "[bgp][netns][interop]") {
  check_daemon(Kind::gobgp);
}
