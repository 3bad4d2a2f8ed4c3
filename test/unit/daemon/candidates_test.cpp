// What BGP adds to the kernel's routes as both change, with a path table of its own and everything
// else made of maps.
#include "core/daemon/candidates.hpp"

#include <map>
#include <set>

#include "test/catch.hpp"

using namespace hopwise;
using routes::Route;
using routes::WeightedNexthop;

namespace {

NexthopKey key(std::uint8_t n) {
  const std::uint8_t bytes[4] = {10, 0, n, 1};
  return {n, IpAddress::from_bytes(Family::v4, bytes)};
}

/// A path by neighbour number n.
BgpPath path(std::uint8_t n, std::uint32_t local_pref = 100) {
  BgpPath p{.nexthop = key(n).gateway};
  p.as_path = {65000U + n, 64999};
  p.as_path_length = 2;
  p.neighbour_as = 65000U + n;
  p.local_pref = local_pref;
  return p;
}

class World {
 public:
  World()
      : table({.changed = [this](const Prefix& p) { candidates.on_changed(p); },
               .lost = [this](bgp::SourceId s,
                              const IpAddress& peer) { candidates.on_lost(s, peer); }}),
        candidates({.table = table,
                    .log = log,
                    .kernel_route = [this](const Prefix& p) -> std::optional<Route> {
                      const auto found = kernel.find(p);
                      return found == kernel.end() ? std::nullopt : std::optional(found->second);
                    },
                    .on_link = [](const IpAddress& a, const auto&) -> std::optional<NexthopKey> {
                      for (std::uint8_t n = 1; n < 9; ++n)
                        if (key(n).gateway == a) return key(n);
                      return std::nullopt;
                    },
                    .steered_by =
                        [this](const Prefix& p) {
                          const auto found = steered.find(p);
                          return found == steered.end() ? earlier[p] : found->second;
                        },
                    .route =
                        [this](const Route& r) {
                          steered[r.prefix] = r.nexthops();
                          ++told;
                        },
                    .withdrawn = [this](const Prefix& p) { steered.erase(p); },
                    .withhold = [this](const std::set<NexthopKey>& keys) { withheld = keys; },
                    .release = [this] { withheld.clear(); }},
                   rules()) {}

  static routes::OfferRules rules() {
    routes::OfferPolicy policy;
    policy.from = routes::OfferPolicy::From::bgp;
    return {policy, 64512, 16};
  }
  /// The kernel has a route by neighbour 1.
  void route(const Prefix& prefix, std::vector<WeightedNexthop> set = {{key(1), 1}}) {
    kernel[prefix] = {prefix, sets.share(std::move(set))};
    candidates.on_route(kernel[prefix]);
  }
  void announce(bgp::SourceId from, const Prefix& prefix, std::uint8_t n, const BgpPath& what) {
    const bgp::Nlri nlri{prefix, n};
    table.announce(from, what, {&nlri, 1});
  }
  void announce(bgp::SourceId from, const Prefix& prefix, std::uint8_t n) {
    announce(from, prefix, n, path(n));
  }
  void withdraw(bgp::SourceId from, const Prefix& prefix, std::uint8_t n) {
    const bgp::Nlri nlri{prefix, n};
    table.withdraw(from, {&nlri, 1});
  }

  Log log;
  std::map<Prefix, Route> kernel;
  std::map<Prefix, std::vector<WeightedNexthop>> steered;
  std::map<Prefix, std::vector<WeightedNexthop>> earlier;  // by an earlier daemon
  std::set<NexthopKey> withheld;
  int told = 0;
  routes::NexthopSets sets;
  bgp::PathTable table;
  Candidates candidates;
};

const Prefix kOne = *Prefix::parse("198.51.100.0/24");
const Prefix kTwo = *Prefix::parse("203.0.113.0/24");
const IpAddress kPeer = *IpAddress::parse("127.0.0.1");
const std::vector<WeightedNexthop> kPlain{{key(1), 1}};
const std::vector<WeightedNexthop> kWith{{key(1), 1}, {key(2), 0}};

}  // namespace

TEST_CASE("a route and the paths that BGP tells of become one set, whichever comes first",
          "[candidates]") {
  World world;
  const auto peer = *world.table.open(kPeer);
  world.route(kOne);
  CHECK(world.steered[kOne] == kPlain);
  world.announce(peer, kOne, 1);
  world.announce(peer, kOne, 2);
  CHECK(world.steered[kOne] == kWith);
  world.announce(peer, kTwo, 1);
  world.announce(peer, kTwo, 2);
  world.route(kTwo);
  CHECK(world.steered[kTwo] == kWith);
  const auto status = world.candidates.status();
  CHECK(status.prefixes == 2);
  CHECK(status.paths.at("taken") == 2);
  CHECK(status.paths.at("in_use") == 2);
}

TEST_CASE("a candidate goes as soon as its path is withdrawn, or is another", "[candidates]") {
  World world;
  const auto peer = *world.table.open(kPeer);
  world.route(kOne);
  world.announce(peer, kOne, 1);
  world.announce(peer, kOne, 2);
  world.withdraw(peer, kOne, 2);
  CHECK(world.steered[kOne] == kPlain);
  world.announce(peer, kOne, 2);
  CHECK(world.steered[kOne] == kWith);
  world.announce(peer, kOne, 2, path(2, 50));
  CHECK(world.steered[kOne] == kPlain);
  CHECK(world.candidates.status().prefixes == 0);
  CHECK(world.candidates.status().paths.at("lower_local_pref") == 1);
}

TEST_CASE("Steering hears nothing of prefixes without candidates", "[candidates]") {
  World world;
  const auto peer = *world.table.open(kPeer);
  world.route(kOne);
  const int before = world.told;
  for (int i = 0; i < 10; ++i) world.announce(peer, kOne, 1, path(1, 100U + i));
  world.announce(peer, kTwo, 2);  // no route
  CHECK(world.told == before);
}

TEST_CASE("a lost session takes its candidates with it before the table is swept", "[candidates]") {
  World world;
  const auto peer = *world.table.open(kPeer);
  for (const Prefix& prefix : {kOne, kTwo}) {
    world.route(prefix);
    world.announce(peer, prefix, 1);
    world.announce(peer, prefix, 2);
  }
  world.table.close(peer);
  CHECK(world.withheld.contains(key(2)));
  CHECK(world.steered[kOne] == kWith);  // in slices, later
  world.candidates.settle();
  CHECK(world.withheld.contains(key(2)));
  while (world.table.sweep(1)) {
  }
  CHECK(world.steered[kOne] == kPlain);
  CHECK(world.steered[kTwo] == kPlain);
  world.candidates.settle();
  CHECK(world.withheld.empty());
  CHECK(world.candidates.status().lost_sessions == 1);
  CHECK(world.candidates.status().prefixes == 0);
}

TEST_CASE("the kernel's own changes keep what BGP adds", "[candidates]") {
  World world;
  const auto peer = *world.table.open(kPeer);
  world.route(kOne);
  for (std::uint8_t n = 1; n <= 3; ++n) world.announce(peer, kOne, n);
  world.route(kOne, {{key(1), 1}, {key(2), 1}});
  CHECK(world.steered[kOne] == std::vector<WeightedNexthop>{{key(1), 1}, {key(2), 1}, {key(3), 0}});
  world.route(kOne, {});
  CHECK(world.steered[kOne].empty());
  world.route(kOne, {{key(7), 1}});  // of which BGP does not tell
  CHECK(world.steered[kOne] == std::vector<WeightedNexthop>{{key(7), 1}});
  world.candidates.on_withdrawn(kOne);
  CHECK_FALSE(world.steered.contains(kOne));
  CHECK(world.candidates.status().paths.at("no_reference") == 0);
}

TEST_CASE("the operator takes his word back", "[candidates]") {
  World world;
  const auto peer = *world.table.open(kPeer);
  world.route(kOne);
  world.announce(peer, kOne, 1);
  world.announce(peer, kOne, 2);
  world.candidates.reconfigure({});
  world.candidates.on_route(world.kernel[kOne]);
  CHECK(world.steered[kOne] == kPlain);
  CHECK(world.candidates.status().prefixes == 0);
}

TEST_CASE("after a restart a route keeps its candidates until BGP tells, or routing changes it",
          "[candidates]") {
  World world;
  const Prefix other = *Prefix::parse("192.0.2.0/24");
  for (const Prefix& prefix : {kOne, kTwo}) world.earlier[prefix] = kWith;
  world.earlier[other] = {{key(3), 1}, {key(2), 0}};
  world.candidates.await_bgp();
  for (const Prefix& prefix : {kOne, kTwo, other}) world.route(prefix);
  world.candidates.started();
  CHECK(world.steered[kOne] == kWith);
  CHECK(world.steered[kTwo] == kWith);
  CHECK(world.steered[other] == kPlain);  // routing has changed it meanwhile

  world.route(kTwo, {{key(4), 1}});
  CHECK(world.steered[kTwo] == std::vector<WeightedNexthop>{{key(4), 1}});
  world.route(kTwo);  // once gone it does not come back by itself
  CHECK(world.steered[kTwo] == kPlain);

  const auto peer = *world.table.open(kPeer);
  world.announce(peer, kOne, 1);  // half of it
  CHECK(world.steered[kOne] == kWith);
  world.announce(peer, kOne, 2);
  CHECK(world.steered[kOne] == kWith);
  world.withdraw(peer, kOne, 2);
  CHECK(world.steered[kOne] == kPlain);
  CHECK(world.candidates.awaits_bgp());
}

TEST_CASE("after a restart BGP's word against a candidate counts before it has told all",
          "[candidates]") {
  World world;
  world.earlier[kOne] = kWith;
  world.candidates.await_bgp();
  world.route(kOne);
  world.candidates.started();
  const auto peer = *world.table.open(kPeer);
  world.announce(peer, kOne, 1);
  world.announce(peer, kOne, 2, path(2, 50));
  CHECK(world.steered[kOne] == kPlain);
}

TEST_CASE("what BGP has not told again after a restart goes when the wait is over",
          "[candidates]") {
  World world;
  world.earlier[kOne] = kWith;
  world.candidates.await_bgp();
  world.route(kOne);
  world.candidates.started();
  SECTION("by the clock") {
    world.candidates.end_wait();
  }
  SECTION("with the end of a session") {
    world.table.close(*world.table.open(kPeer));
  }
  SECTION("by the operator's word") {
    auto rules = World::rules();
    rules.policy.except = {kOne};
    world.candidates.reconfigure(rules);
    world.candidates.on_route(world.kernel[kOne]);
    CHECK(world.steered[kOne] == kPlain);
    world.candidates.end_wait();
  }
  CHECK_FALSE(world.candidates.awaits_bgp());
  while (world.candidates.work()) {
  }
  CHECK(world.steered[kOne] == kPlain);
}
