// BMP by RFC 7854's bytes, and the station that believes them or not.
#include "core/bgp/bmp.hpp"

#include "core/bgp/bmp_station.hpp"
#include "test/catch.hpp"

using namespace hopwise;
using namespace hopwise::bgp;

namespace {

using Octets = std::vector<std::uint8_t>;

constexpr std::uint32_t kOwnAs = 65000, kPeerAs = 65001;
constexpr std::uint8_t kPostPolicy = 0x40, kPrePolicy = 0, kV6 = 0x80;

void append(Octets& to, const Octets& more) {
  to.insert(to.end(), more.begin(), more.end());
}

Octets message(bmp::MessageType type, const Octets& body) {
  Octets bytes{3};
  put<std::uint32_t>(bytes, static_cast<std::uint32_t>(bmp::kHeaderBytes + body.size()));
  bytes.push_back(static_cast<std::uint8_t>(type));
  append(bytes, body);
  return bytes;
}

void put_address(Octets& bytes, const char* text) {
  const IpAddress address = *IpAddress::parse(text);
  if (address.is_v4()) bytes.insert(bytes.end(), 12, 0);
  bytes.insert(bytes.end(), address.bytes.begin(),
               address.bytes.begin() + static_cast<std::ptrdiff_t>(address.size()));
}

struct PeerHeader {
  std::uint8_t type = 0;
  std::uint8_t flags = kPostPolicy;
  std::uint64_t distinguisher = 0;
  const char* address = "10.99.1.2";

  [[nodiscard]] Octets bytes() const {
    Octets bytes{type, flags};
    put(bytes, distinguisher);
    put_address(bytes, address);
    put<std::uint32_t>(bytes, kPeerAs);
    put<std::uint32_t>(bytes, 0x0a630102);
    put<std::uint64_t>(bytes, 0);
    return bytes;
  }
};

Open open_of(std::uint32_t as, AddPath add_path = {}) {
  Open open{.as = as, .hold_time_s = 9, .router_id = as};
  open.capabilities.multiprotocol = true;
  open.capabilities.unicast = {true, true};
  open.capabilities.as = as;
  open.capabilities.add_path = {add_path, add_path};
  return open;
}

Octets peer_up(const PeerHeader& peer, AddPath sent = {}, AddPath received = {},
               std::uint32_t peer_as = kPeerAs) {
  Octets body = peer.bytes();
  put_address(body, peer.flags & kV6 ? "fd00:99:1::1" : "10.99.1.1");
  put<std::uint16_t>(body, 179);
  put<std::uint16_t>(body, 40000);
  append(body, build_open(open_of(kOwnAs, sent)));
  append(body, build_open(open_of(peer_as, received)));
  return message(bmp::MessageType::peer_up, body);
}

struct Said {
  std::vector<std::uint32_t> as_path{kPeerAs, 65010};
  const char* nexthop = "10.99.1.2";
  Octets announced{24, 198, 51, 100};
  Octets withdrawn{};
};

// A plain IPv4 UPDATE with LOCAL_PREF 300.
Octets update(const Said& said) {
  Octets attributes{0x40, 1, 1, 0};
  attributes.insert(attributes.end(),
                    {0x40, 2, static_cast<std::uint8_t>(2 + 4 * said.as_path.size()), 2,
                     static_cast<std::uint8_t>(said.as_path.size())});
  for (const std::uint32_t as : said.as_path) put(attributes, as);
  const IpAddress nexthop = *IpAddress::parse(said.nexthop);
  attributes.insert(attributes.end(), {0x40, 3, 4});
  attributes.insert(attributes.end(), nexthop.bytes.begin(), nexthop.bytes.begin() + 4);
  attributes.insert(attributes.end(), {0x40, 5, 4, 0, 0, 1, 44});
  Octets bytes = begin(MessageType::update);
  put(bytes, static_cast<std::uint16_t>(said.withdrawn.size()));
  append(bytes, said.withdrawn);
  put(bytes, static_cast<std::uint16_t>(said.announced.empty() ? 0 : attributes.size()));
  if (!said.announced.empty()) append(bytes, attributes);
  append(bytes, said.announced);
  return finish(bytes);
}

Octets monitoring(const PeerHeader& peer, const Octets& bgp_message) {
  Octets body = peer.bytes();
  append(body, bgp_message);
  return message(bmp::MessageType::route_monitoring, body);
}

struct World {
  PathTable table;
  BmpCounters counters;
  std::size_t most = 100;
  std::optional<BmpStation> station{std::in_place, table, counters, most};

  World& hear(const Octets& bytes) {
    station->receive(bytes);
    while (station->step()) {
    }
    return *this;
  }
  [[nodiscard]] KnownPaths paths(const char* prefix = "198.51.100.0/24") const {
    return table.paths(*Prefix::parse(prefix));
  }
};

}  // namespace

TEST_CASE("a router's sessions and their paths become sources of the table", "[bgp][bmp]") {
  World world;
  world.hear(message(bmp::MessageType::initiation, {0, 2, 0, 2, 'r', '1', 0, 1, 0, 1, 0xff}));
  world.hear(peer_up({})).hear(monitoring({}, update({})));
  CHECK(world.station->system_name() == "r1");
  REQUIRE(world.paths().size() == 1);
  const KnownPath known = world.paths()[0];
  CHECK(known.peer == *IpAddress::parse("10.99.1.2"));
  CHECK(known.path->nexthop == *IpAddress::parse("10.99.1.2"));
  CHECK(known.path->as_path == std::vector<std::uint32_t>{kPeerAs, 65010});
  CHECK(known.path->as_path_length == 2);
  CHECK(known.path->neighbour_as == kPeerAs);
  CHECK(known.path->local_pref == 300);  // behind the policy it counts, of external peers too
  CHECK(world.station->counts().prefixes == 1);

  SECTION("which withdrawals take away") {
    world.hear(monitoring({}, update({.announced = {}, .withdrawn = {24, 198, 51, 100}})));
    CHECK(world.paths().empty());
  }
  SECTION("which end with the session") {
    world.hear(message(bmp::MessageType::peer_down, PeerHeader{}.bytes()));
    CHECK(world.paths().empty());
    CHECK(world.station->peers() == 0);
  }
  SECTION("which a new session of that peer has to tell anew") {
    world.hear(peer_up({}));
    CHECK(world.paths().empty());
    CHECK(world.station->peers() == 1);
  }
  SECTION("which end with the connection") {
    world.station.reset();
    CHECK(world.paths().empty());
  }
  SECTION("and a Termination ends that") {
    world.hear(message(bmp::MessageType::termination, {0, 1, 0, 2, 0, 0}));
    CHECK_FALSE(world.station->ended().empty());
  }
}

TEST_CASE("a message may come in any pieces", "[bgp][bmp]") {
  Octets all = peer_up({});
  append(all, monitoring({}, update({})));
  World world;
  for (const std::uint8_t byte : all) {
    CHECK(world.paths().empty());
    world.hear({byte});
  }
  CHECK(world.paths().size() == 1);
}

TEST_CASE("what is not the post-policy Adj-RIB-In of the global instance is passed over",
          "[bgp][bmp]") {
  World world;
  world.hear(peer_up({}));
  SECTION("pre-policy") {
    world.hear(monitoring({.flags = kPrePolicy}, update({})));
    CHECK(world.counters.errors["not_post_policy"] == 1);
  }
  SECTION("Adj-RIB-Out, RFC 8671") {
    world.hear(monitoring({.flags = kPostPolicy | 0x10}, update({})));
    CHECK(world.counters.errors["not_post_policy"] == 1);
  }
  SECTION("Loc-RIB, RFC 9069") {
    world.hear(monitoring({.type = 3}, update({})));
    CHECK(world.counters.errors["not_post_policy"] == 1);
  }
  SECTION("another instance") {
    world.hear(peer_up({.type = 1, .distinguisher = 7}));
    world.hear(monitoring({.type = 1, .distinguisher = 7}, update({})));
    CHECK(world.counters.errors["other_instance"] == 2);
  }
  SECTION("a peer of which no Peer Up was heard") {
    world.hear(monitoring({.address = "10.99.9.2"}, update({})));
    world.hear(message(bmp::MessageType::peer_down, PeerHeader{.address = "10.99.9.2"}.bytes()));
    CHECK(world.counters.errors["unknown_peer"] == 2);
  }
  CHECK(world.paths().empty());
  CHECK(world.station->ended().empty());
}

TEST_CASE("path identifiers stand where that session agreed on them", "[bgp][bmp]") {
  const AddPath sends{.send = true}, receives{.receive = true};
  World world;
  world.hear(peer_up({}, receives, sends));
  world.hear(monitoring({}, update({.announced = {0, 0, 0, 7, 24, 198, 51, 100}})));
  REQUIRE(world.paths().size() == 1);
  CHECK(world.paths()[0].path_id == 7);
}

TEST_CASE("FRR's own AS before an external peer's path is taken off", "[bgp][bmp]") {
  World world;
  world.hear(peer_up({})).hear(monitoring({}, update({.as_path = {kOwnAs, kPeerAs, 65010}})));
  REQUIRE(world.paths().size() == 1);
  CHECK(world.paths()[0].path->as_path == std::vector<std::uint32_t>{kPeerAs, 65010});
  CHECK(world.paths()[0].path->as_path_length == 2);
  CHECK(world.paths()[0].path->neighbour_as == kPeerAs);

  // A loop is still one.
  world.hear(monitoring({}, update({.as_path = {kOwnAs, kPeerAs, kOwnAs}})));
  CHECK(world.paths().empty());
  CHECK(world.counters.errors["refused:own_as"] == 1);
}

TEST_CASE("what a router of our own AS told is passed over", "[bgp][bmp]") {
  World world;
  world.hear(peer_up({}, {}, {}, kOwnAs)).hear(monitoring({}, update({})));
  CHECK(world.paths().empty());
  CHECK(world.counters.errors["internal_peer"] == 1);
}

TEST_CASE("an IPv4 path without a next hop by an IPv6 session means the peer itself",
          "[bgp][bmp]") {
  const PeerHeader peer{.flags = kPostPolicy | kV6, .address = "fd00:99:1::2"};
  World world;
  world.hear(peer_up(peer)).hear(monitoring(peer, update({.nexthop = "0.0.0.0"})));
  REQUIRE(world.paths().size() == 1);
  CHECK(world.paths()[0].path->nexthop == *IpAddress::parse("fd00:99:1::2"));
}

TEST_CASE("a session whose UPDATE cannot be understood is not believed until its next Peer Up",
          "[bgp][bmp]") {
  World world;
  world.hear(peer_up({})).hear(monitoring({}, update({})));
  world.hear(monitoring({}, update({.withdrawn = {99, 1}})));  // a length of 99 bits
  CHECK(world.paths().empty());
  CHECK(world.counters.errors["malformed_update"] == 1);
  world.hear(monitoring({}, update({})));
  CHECK(world.paths().empty());
  world.hear(peer_up({})).hear(monitoring({}, update({})));
  CHECK(world.paths().size() == 1);
}

TEST_CASE("more prefixes than allowed cost a session all of its paths", "[bgp][bmp]") {
  World world;
  world.station.emplace(world.table, world.counters, 2);
  world.hear(peer_up({}));
  world.hear(monitoring({}, update({.announced = {8, 20, 8, 21}})));
  CHECK(world.station->counts().prefixes == 2);
  world.hear(monitoring({}, update({.announced = {8, 22}})));
  CHECK(world.station->counts().prefixes == 0);
  CHECK(world.counters.errors["too_many_prefixes"] == 1);
}

TEST_CASE("what is not BMP ends the connection", "[bgp][bmp]") {
  const Octets bad = GENERATE(Octets{'G', 'E', 'T', ' ', '/', ' '}, Octets{3, 0, 0, 0, 5, 0},
                              Octets{3, 0xff, 0, 0, 0, 0}, Octets{1, 0, 0, 0, 6, 4},
                              Octets{3, 0, 0, 0, 10, 0, 1, 2, 3, 4});
  World world;
  world.hear(bad);
  CHECK_FALSE(world.station->ended().empty());
  CHECK_FALSE(world.station->step());
}
