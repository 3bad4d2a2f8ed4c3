#include "core/bgp/update.hpp"

#include <variant>

#include "test/catch.hpp"
#include "test/unit/bgp/bytes.hpp"

using namespace hopwise;
using namespace hopwise::bgp;
using namespace hopwise::bgp::test;

namespace {

Update good(const Octets& bytes, const Dialect& dialect = {}) {
  const auto parsed = parse_update(bytes, dialect);
  REQUIRE(std::holds_alternative<Update>(parsed));
  return std::get<Update>(parsed);
}

std::string fatal(const Octets& bytes, const Dialect& dialect = {}) {
  const auto parsed = parse_update(bytes, dialect);
  return std::holds_alternative<Update>(parsed) ? "" : text(std::get<Notification>(parsed));
}

/// Of an UPDATE with one prefix: what was told of it.
BgpPath path_of(const Octets& attributes, const Dialect& dialect = {}) {
  const Update update = good(body({}, attributes, prefix("192.0.2.0/24")), dialect);
  CHECK_FALSE(update.error.has_value());
  REQUIRE(update.announced.size() == 1);
  return update.announced[0].path;
}

/// That the prefix is withdrawn for that reason, and nothing is announced.
void check_withdrawn(const Octets& attributes, AttributeError why, std::uint8_t type,
                     const Dialect& dialect = {}) {
  const Update update = good(body({}, attributes, prefix("192.0.2.0/24")), dialect);
  CAPTURE(int{type}, update.withdrawn.size());
  CHECK(update.announced.empty());
  CHECK(update.withdrawn == std::vector<Nlri>{{net("192.0.2.0/24"), 0}});
  REQUIRE(update.error.has_value());
  CHECK(text(*update.error) == text(why));
  CHECK(update.error_attribute == type);
}

const Octets kV6Nexthop = hex("fd000099000200000000000000000002");
const Octets kV6LinkLocal = hex("fe80000000000000000000000000000b");

Octets reach(std::uint8_t afi, const Octets& nexthop, const Octets& nlri) {
  Octets value{0, afi, 1, static_cast<std::uint8_t>(nexthop.size())};
  return attribute(0x80, 14, value + nexthop + Octets{0} + nlri);
}

Octets unreach(std::uint8_t afi, const Octets& nlri) {
  return attribute(0x80, 15, Octets{0, afi, 1} + nlri);
}

const Octets kNoNexthop = kOriginIgp + kPath;

}  // namespace

TEST_CASE("an UPDATE of RFC 4271 is read whole", "[bgp]") {
  const Update update = good(body(prefix("10.0.0.0/8") + prefix("0.0.0.0/0"), kUsual,
                                  prefix("192.0.2.0/24") + prefix("198.51.100.128/25")));
  CHECK(update.withdrawn == std::vector<Nlri>{{net("10.0.0.0/8"), 0}, {net("0.0.0.0/0"), 0}});
  REQUIRE(update.announced.size() == 1);
  const Announcement& said = update.announced[0];
  CHECK(said.nlri == std::vector<Nlri>{{net("192.0.2.0/24"), 0}, {net("198.51.100.128/25"), 0}});
  CHECK(said.path.nexthop == address("10.99.2.2"));
  CHECK(said.path.origin == BgpPath::Origin::igp);
  CHECK(said.path.as_path == std::vector<std::uint32_t>{65001, 65002});
  CHECK(said.path.as_path_length == 2);
  CHECK(said.path.neighbour_as == 65001);
  CHECK_FALSE(said.path.local_pref.has_value());
  CHECK_FALSE(update.end_of_rib.has_value());
}

TEST_CASE("every attribute that a choice may ask for is read", "[bgp]") {
  const BgpPath path =
      path_of(kUsual + hex("80 04 04 0000002a") + hex("40 05 04 000000c8") + hex("40 06 00") +
              hex("c0 07 08 0000fde9 0a000001") + hex("c0 08 08 fde80064 ffffff01") +
              hex("80 09 04 0a000001") + hex("80 0a 04 0a000002") +
              hex("c0 10 10 0002fde800000001 4004fdea49989680") +  // 1.25e6 bytes/s
              hex("c0 20 0c 0000fde8 00000001 00000002") + hex("c0 ee 03 010203"));
  CHECK(path.med == 42U);
  CHECK(path.local_pref == 200U);
  CHECK(path.communities == std::vector<std::uint32_t>{0xfde80064, 0xffffff01});
  CHECK(path.large_communities == std::vector<std::array<std::uint32_t, 3>>{{0xfde8, 1, 2}});
  CHECK(path.link_bandwidth_bit_s == 10'000'000U);
}

TEST_CASE("a link bandwidth that is no number is passed over", "[bgp]") {
  for (const char* bits : {"7fc00000", "7f800000", "bf800000"})  // NaN, infinity, -1
    CHECK_FALSE(path_of(kUsual + hex("c0 10 08 4004fdea" + std::string(bits)))
                    .link_bandwidth_bit_s.has_value());
}

TEST_CASE("path identifiers are read where they were agreed on, family by family", "[bgp]") {
  const Dialect dialect{.add_path = {true, false}};
  const Octets nlri = prefix("192.0.2.0/24", 7) + prefix("192.0.2.0/24", 4294967295U);
  const Update update = good(
      body(prefix("10.0.0.0/8", 3), kUsual + reach(2, kV6Nexthop, prefix("2001:db8::/32")), nlri),
      dialect);
  CHECK(update.withdrawn == std::vector<Nlri>{{net("10.0.0.0/8"), 3}});
  REQUIRE(update.announced.size() == 2);
  CHECK(update.announced[0].nlri ==
        std::vector<Nlri>{{net("192.0.2.0/24"), 7}, {net("192.0.2.0/24"), 4294967295U}});
  CHECK(update.announced[1].nlri == std::vector<Nlri>{{net("2001:db8::/32"), 0}});
  CHECK(update.announced[0].path.nexthop == address("10.99.2.2"));
  CHECK(update.announced[1].path.nexthop == address("fd00:99:2::2"));
}

TEST_CASE("IPv6 next hops come alone or with a link-local one, of IPv4 prefixes too", "[bgp]") {
  const Update v6 = good(
      body({}, kNoNexthop + reach(2, kV6Nexthop + kV6LinkLocal, prefix("2001:db8:100::/48")), {}));
  REQUIRE(v6.announced.size() == 1);
  CHECK(v6.announced[0].path.nexthop == address("fd00:99:2::2"));
  CHECK(v6.announced[0].path.link_local == address("fe80::b"));
  const Update v4 = good(body({}, kNoNexthop + reach(1, kV6Nexthop, prefix("192.0.2.0/24")), {}));
  REQUIRE(v4.announced.size() == 1);
  CHECK(v4.announced[0].nlri == std::vector<Nlri>{{net("192.0.2.0/24"), 0}});
  CHECK(v4.announced[0].path.nexthop == address("fd00:99:2::2"));
  CHECK_FALSE(v4.announced[0].path.link_local.has_value());
}

TEST_CASE("withdrawals of both families are told, and the end of the table", "[bgp]") {
  const Update update = good(body(prefix("192.0.2.0/24"), unreach(2, prefix("2001:db8::/32")), {}));
  CHECK(update.withdrawn == std::vector<Nlri>{{net("192.0.2.0/24"), 0}, {net("2001:db8::/32"), 0}});
  CHECK_FALSE(update.error.has_value());
  CHECK(good(body({}, {}, {})).end_of_rib == Family::v4);
  CHECK(good(body({}, unreach(2, {}), {})).end_of_rib == Family::v6);
  CHECK_FALSE(update.end_of_rib.has_value());
}

TEST_CASE("families that are not ours, or were not agreed on, are passed over", "[bgp]") {
  const Octets vpn = attribute(0x80, 14, hex("0001 80 0c 00000000000000000a630202 00"));
  CHECK(good(body({}, kNoNexthop + vpn, {})).foreign == 1);
  const Dialect v4_only{.family = {true, false}};
  const Update update =
      good(body({}, kNoNexthop + reach(2, kV6Nexthop, prefix("2001:db8::/32")), {}), v4_only);
  CHECK(update.foreign == 1);
  CHECK(update.announced.empty());
}

TEST_CASE("sets count as one AS, confederations as none", "[bgp]") {
  // AS_CONFED_SEQUENCE 64512, AS_SEQUENCE 65001, AS_SET {65003 65004}: a member of our own
  // confederation said it, which may send the packet back.
  const BgpPath path = path_of(kOriginIgp + kNexthop +
                               hex("40 02 16 03 01 0000fc00 02 01 0000fde9"
                                   "01 02 0000fdeb 0000fdec"));
  CHECK(path.as_path == std::vector<std::uint32_t>{64512, 65001, 65003, 65004});
  CHECK(path.as_path_length == 2);
  CHECK(path.neighbour_as == 0);
  const BgpPath external =
      path_of(kOriginIgp + kNexthop + hex("40 02 0c 02 01 0000fde9 01 01 0000fdeb"));
  CHECK(external.neighbour_as == 65001);
  const BgpPath own = path_of(kOriginIgp + kNexthop + hex("40 02 00"));
  CHECK(own.as_path_length == 0);
  CHECK(own.neighbour_as == 0);
}

TEST_CASE("the path of a speaker of two octets is merged with AS4_PATH", "[bgp]") {
  const Dialect old{.asn = AsnWidth::two};
  // 65001 AS_TRANS AS_TRANS, and AS4_PATH 131072 131073: RFC 6793, section 4.2.3.
  const Octets two = kOriginIgp + kNexthop + hex("40 02 08 02 03 fde9 5ba0 5ba0");
  CHECK(path_of(two + hex("c0 11 0a 02 02 00020000 00020001"), old).as_path ==
        std::vector<std::uint32_t>{65001, 131072, 131073});
  // A longer AS4_PATH does not count, nor does one of a speaker of four octets.
  CHECK(path_of(two + hex("c0 11 12 02 04 00020000 00020001 00020002 00020003"), old).as_path ==
        std::vector<std::uint32_t>{65001, 23456, 23456});
  CHECK(path_of(kUsual + hex("c0 11 06 02 01 00020000")).as_path ==
        std::vector<std::uint32_t>{65001, 65002});
}

TEST_CASE("a malformed attribute costs the paths, as RFC 7606 has it", "[bgp]") {
  using E = AttributeError;
  check_withdrawn(hex("40 01 02 0000") + kPath + kNexthop, E::length, 1);
  check_withdrawn(hex("40 01 01 03") + kPath + kNexthop, E::value, 1);
  check_withdrawn(hex("c0 01 01 00") + kPath + kNexthop, E::flags, 1);
  check_withdrawn(kOriginIgp + kNexthop + hex("40 02 06 02 02 0000fde9"), E::as_path, 2);
  check_withdrawn(kOriginIgp + kNexthop + hex("40 02 06 05 01 0000fde9"), E::as_path, 2);
  check_withdrawn(kOriginIgp + kNexthop + hex("40 02 02 02 00"), E::as_path, 2);
  check_withdrawn(kOriginIgp + kNexthop + hex("40 02 01 02"), E::as_path, 2);
  check_withdrawn(kOriginIgp + kNexthop + hex("40 02 06 02 01 00000000"), E::as_path, 2);
  check_withdrawn(kOriginIgp + kPath + hex("40 03 03 0a6302"), E::length, 3);
  check_withdrawn(kUsual + hex("80 04 03 000001"), E::length, 4);
  check_withdrawn(kUsual + hex("40 05 05 0000000001"), E::length, 5);
  check_withdrawn(kUsual + hex("c0 08 03 000001"), E::length, 8);
  check_withdrawn(kUsual + hex("c0 08 00"), E::length, 8);
  check_withdrawn(kUsual + hex("80 09 02 0000"), E::length, 9);
  check_withdrawn(kUsual + hex("80 0a 02 0000"), E::length, 10);
  check_withdrawn(kUsual + hex("c0 10 07 00000000000000"), E::length, 16);
  check_withdrawn(kUsual + hex("c0 20 04 00000000"), E::length, 32);
  check_withdrawn(kPath + kNexthop, E::missing, 1);
  check_withdrawn(kOriginIgp + kNexthop, E::missing, 2);
  check_withdrawn(kOriginIgp + kPath, E::missing, 3);
  check_withdrawn(kUsual + hex("80 04 05 000001"), E::list, 0);  // reaches beyond the list
  check_withdrawn(kUsual + hex("80"), E::list, 0);
}

TEST_CASE("flags that are wrong cost MP prefixes, which are known nevertheless", "[bgp]") {
  Octets wrong = reach(2, kV6Nexthop, prefix("2001:db8::/32"));
  wrong[0] |= 0x40;
  const Update update = good(body({}, kNoNexthop + wrong, {}));
  CHECK(update.announced.empty());
  CHECK(update.withdrawn == std::vector<Nlri>{{net("2001:db8::/32"), 0}});
  CHECK(update.error == AttributeError::flags);
}

TEST_CASE("an attribute that matters little costs itself alone", "[bgp]") {
  for (const char* little : {"40 06 01 00", "c0 07 06 fde90a000001", "c0 12 02 0000",
                             "c0 11 06 02 01 00020000", "40 01 01 02"}) {
    const Update update = good(body({}, kUsual + hex(little), prefix("192.0.2.0/24")));
    CAPTURE(little);
    CHECK(update.discarded == 1);
    REQUIRE(update.announced.size() == 1);
    CHECK(update.announced[0].path.origin == BgpPath::Origin::igp);  // the first one counts
  }
  const Dialect external{.peer = PeerKind::external};
  const Update update =
      good(body({}, kUsual + hex("40 05 04 000000c8"), prefix("192.0.2.0/24")), external);
  REQUIRE(update.announced.size() == 1);
  CHECK_FALSE(update.announced[0].path.local_pref.has_value());
  CHECK(update.discarded == 1);
}

TEST_CASE("the session ends where prefixes are not known any more", "[bgp]") {
  const char* list = "UPDATE Message Error: Malformed Attribute List (3/1)";
  const char* network = "UPDATE Message Error: Invalid Network Field (3/10)";
  const char* optional = "UPDATE Message Error: Optional Attribute Error (3/9)";
  CHECK(fatal(hex("")) == list);
  CHECK(fatal(hex("0001")) == list);
  CHECK(fatal(hex("0000 0005 40")) == list);
  CHECK(fatal(body(hex("21 0a000000 00"), {}, {})) == network);
  CHECK(fatal(body({}, kUsual, hex("18 c000"))) == network);
  CHECK(fatal(body({}, kUsual, hex("00000001 21 c000020100")), {.add_path = {true, true}}) ==
        network);
  CHECK(fatal(body({}, kUsual, hex("0000 18 c00002")), {.add_path = {true, true}}) == network);
  const Octets v6 = reach(2, kV6Nexthop, prefix("2001:db8::/32"));
  CHECK(fatal(body({}, kNoNexthop + v6 + v6, {})) == list);
  CHECK(fatal(body({}, kNoNexthop + reach(2, kV6Nexthop, hex("81 20")), {})) == optional);
  CHECK(fatal(body({}, kNoNexthop + reach(2, hex("0a630202"), prefix("2001:db8::/32")), {})) ==
        optional);
  CHECK(fatal(body({}, kNoNexthop + attribute(0x80, 14, hex("0002 01 20 fd00")), {})) == optional);
  CHECK(fatal(body({}, unreach(2, hex("81")), {})) == optional);
  CHECK(fatal(body({}, attribute(0x80, 15, hex("0002")), {})) == optional);
  // Cut off before it was said which prefixes are meant.
  CHECK(fatal(body({}, kOriginIgp + hex("40 02 0a 02 02"), {})) == list);
  CHECK(fatal(body({}, kUsual + hex("40 63 01 00"), prefix("192.0.2.0/24"))) ==
        "UPDATE Message Error: Unrecognized Well-known Attribute (3/2)");
}

TEST_CASE("bits beyond a prefix's length do not count", "[bgp]") {
  const Update update = good(body({}, kUsual, hex("14 c0 00 ff")));
  REQUIRE(update.announced.size() == 1);
  CHECK(update.announced[0].nlri == std::vector<Nlri>{{net("192.0.240.0/20"), 0}});
}
