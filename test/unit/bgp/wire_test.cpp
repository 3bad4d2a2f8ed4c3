#include <variant>

#include "core/bgp/notification.hpp"
#include "core/bgp/open.hpp"
#include "test/catch.hpp"
#include "test/unit/bgp/bytes.hpp"

using namespace hopwise;
using namespace hopwise::bgp;
using namespace hopwise::bgp::test;

namespace {

Notification refusal(const std::variant<Open, Notification>& parsed) {
  REQUIRE(std::holds_alternative<Notification>(parsed));
  return std::get<Notification>(parsed);
}

Octets header(std::uint16_t length, std::uint8_t type) {
  Octets out(16, 0xff);
  put(out, length);
  out.push_back(type);
  return out;
}

std::string fault_of(const Octets& bytes) {
  const auto parsed = parse_header(bytes);
  return std::holds_alternative<Header>(parsed) ? "" : text(std::get<Notification>(parsed));
}

}  // namespace

TEST_CASE("a header is refused as section 6.1 of RFC 4271 has it", "[bgp]") {
  CHECK(fault_of(header(19, 4)).empty());
  CHECK(fault_of(header(4096, 2)).empty());
  Octets marker = header(19, 4);
  marker[15] = 0xfe;
  CHECK(fault_of(marker) == "Message Header Error: Connection Not Synchronized (1/1)");
  for (const auto& [length, type] : {std::pair<std::uint16_t, std::uint8_t>{18, 4},
                                     {20, 4},
                                     {28, 1},
                                     {22, 2},
                                     {20, 3},
                                     {4097, 2},
                                     {65535, 2}})
    CHECK(fault_of(header(length, type)) == "Message Header Error: Bad Message Length (1/2)");
  for (const std::uint8_t type : std::initializer_list<std::uint8_t>{0, 6, 255})
    CHECK(fault_of(header(23, type)) == "Message Header Error: Bad Message Type (1/3)");
}

TEST_CASE("an OPEN that is built is parsed as what it was", "[bgp]") {
  for (const std::uint32_t as : {1U, 65000U, 65536U, 4200000000U}) {
    const Octets message = build_open(daemon_open(as));
    const auto parsed = parse_open(Bytes(message).subspan(kHeaderBytes));
    REQUIRE(std::holds_alternative<Open>(parsed));
    CHECK(std::get<Open>(parsed) == daemon_open(as));
  }
}

TEST_CASE("the OPEN of a daemon that tells of much more is understood", "[bgp]") {
  // FRR 8.4: as it says when it connects: MP of both, RR old and new, ENHE, AS4, add-path, enhanced
  // RR, LLGR, extended message, hostname, GR.
  const auto parsed = parse_open(
      hex("04 fde8 0009 0a63ff01 4d"
          "02 06 01 04 00 01 00 01  02 06 01 04 00 02 00 01  02 02 80 00  02 02 02 00"
          "02 08 05 06 0001 0001 0002  02 06 41 04 0000fde8  02 02 06 00"
          "02 0a 45 08 0001 01 03 0002 01 02  02 07 49 05 03 647574 00  02 04 40 02 c0 78"
          "02 02 47 00"));
  REQUIRE(std::holds_alternative<Open>(parsed));
  const Open& open = std::get<Open>(parsed);
  CHECK(open.as == 65000);
  CHECK(open.hold_time_s == 9);
  CHECK(open.capabilities.speaks(Family::v4));
  CHECK(open.capabilities.speaks(Family::v6));
  CHECK(open.capabilities.add_path.v4 == AddPath{true, true});
  CHECK(open.capabilities.add_path.v6 == AddPath{false, true});
  CHECK(open.capabilities.extended_nexthop);
  CHECK(open.capabilities.graceful_restart);
  CHECK(open.capabilities.route_refresh);
}

TEST_CASE("optional parameters of RFC 9072's length are read", "[bgp]") {
  const auto parsed = parse_open(hex("04 fde8 0009 0a63ff01 ff ff 0009 02 0006 41 04 00010001"));
  REQUIRE(std::holds_alternative<Open>(parsed));
  CHECK(std::get<Open>(parsed).as == 65537);
}

TEST_CASE("a speaker that tells of no family means IPv4", "[bgp]") {
  const auto parsed = parse_open(hex("04 fde8 0009 0a63ff01 00"));
  REQUIRE(std::holds_alternative<Open>(parsed));
  CHECK(std::get<Open>(parsed).capabilities.speaks(Family::v4));
  CHECK_FALSE(std::get<Open>(parsed).capabilities.speaks(Family::v6));
}

TEST_CASE("an OPEN is refused as section 6.2 of RFC 4271 has it", "[bgp]") {
  CHECK(refusal(parse_open(hex("03 fde8 0009 0a63ff01 00"))) ==
        Notification{ErrorCode::open, open_error::kVersion, {0, 4}});
  CHECK(refusal(parse_open(hex("04 0000 0009 0a63ff01 00"))).subcode == open_error::kBadPeerAs);
  for (const char* hold : {"0001", "0002"})
    CHECK(refusal(parse_open(hex("04 fde8" + std::string(hold) + "0a63ff01 00"))).subcode ==
          open_error::kHoldTime);
  CHECK(refusal(parse_open(hex("04 fde8 0009 00000000 00"))).subcode == open_error::kBadIdentifier);
  CHECK(refusal(parse_open(hex("04 fde8 0009 0a63ff01 03 01 01 00"))).subcode ==
        open_error::kBadParameter);
  for (const char* cut : {"04 fde8", "04 fde8 0009 0a63ff01", "04 fde8 0009 0a63ff01 05 02 02",
                          "04 fde8 0009 0a63ff01 02 02 05", "04 fde8 0009 0a63ff01 04 02 02 41 04",
                          "04 fde8 0009 0a63ff01 00 00", "04 fde8 0009 0a63ff01 ff ff 00"})
    CHECK(text(refusal(parse_open(hex(cut)))) == "OPEN Message Error (2/0)");
}

TEST_CASE("a notification is named by the RFCs' words", "[bgp]") {
  const Notification most{ErrorCode::cease, cease::kMaxPrefixes, {}};
  CHECK(text(most) == "Cease: Maximum Number of Prefixes Reached (6/1)");
  const Octets built = build(most);
  CHECK(parse_notification(Bytes(built).subspan(kHeaderBytes)) == most);
  CHECK(text(parse_notification(hex("06 02 05 68 65 6c 6c 6f"))) ==
        "Cease: Administrative Shutdown (6/2): \"hello\"");
  CHECK(text(parse_notification(hex("06 02 ff 68"))) == "Cease: Administrative Shutdown (6/2)");
  CHECK(text(parse_notification(hex("06 02 03 1b 5b 41"))) ==
        "Cease: Administrative Shutdown (6/2): \"?[A\"");
  CHECK(text(parse_notification(hex("2a 07"))) == "error (42/7)");
}
