#include "test/lab/frame.hpp"

#include <vector>

#include "test/catch.hpp"

using namespace hopwise::lab;

namespace {

using Bytes = std::vector<std::uint8_t>;

// From port 40000 to 443 over `protocol`; `fragment` is IPv4's flags and offset.
Bytes ipv4(std::uint8_t protocol, std::uint16_t fragment = 0, std::uint8_t words = 5) {
  Bytes frame(14 + words * 4u + 8);
  frame[12] = 0x08;
  frame[14] = static_cast<std::uint8_t>(0x40 | words);
  frame[20] = static_cast<std::uint8_t>(fragment >> 8);
  frame[21] = static_cast<std::uint8_t>(fragment);
  frame[23] = protocol;
  const Bytes ports{0x9c, 0x40, 0x01, 0xbb};
  std::copy(ports.begin(), ports.end(), frame.begin() + 14 + words * 4);
  return frame;
}

Bytes ipv6(std::uint8_t protocol) {
  Bytes frame(14 + 40 + 8);
  frame[12] = 0x86;
  frame[13] = 0xdd;
  frame[20] = protocol;
  const Bytes ports{0x9c, 0x40, 0x01, 0xbb};
  std::copy(ports.begin(), ports.end(), frame.begin() + 54);
  return frame;
}

std::optional<Service> of(const Bytes& frame, Direction direction = Direction::forward) {
  return service_of(frame.data(), frame.size(), direction);
}

}  // namespace

TEST_CASE("a frame's service is the port on the server's side") {
  for (const auto& frame : {ipv4(6), ipv4(6, 0, 8), ipv6(6)}) {
    CHECK(of(frame) == Service{6, 443});
    CHECK(of(frame, Direction::backward) == Service{6, 40000});
  }
  CHECK(of(ipv6(17)) == Service{17, 443});
}

TEST_CASE("echoes and later fragments have no port") {
  CHECK(of(ipv4(1)) == Service{1, 0});
  CHECK(of(ipv6(58)) == Service{58, 0});
  CHECK(of(ipv4(17, 0x2000)) == Service{17, 443});
  CHECK(of(ipv4(17, 0x20b9)) == Service{17, 0});
}

TEST_CASE("what is not IP, or cut short, has no service or no port") {
  Bytes arp = ipv4(6);
  arp[13] = 0x06;
  CHECK_FALSE(of(arp));
  CHECK_FALSE(of(Bytes(20)));
  Bytes cut = ipv4(6);
  cut.resize(14 + 20 + 3);
  CHECK(of(cut) == Service{6, 0});
  cut = ipv6(6);
  cut.resize(50);
  CHECK_FALSE(of(cut));
}
