#include "test/fuzz/frames.hpp"

#include <algorithm>
#include <array>

namespace hopwise::fuzz {
namespace {

constexpr std::size_t kEthernet = 14;
constexpr std::size_t kLongest = 3400;  // a test run takes a page, less the skb's own
constexpr std::uint8_t kIcmp4 = 1, kTcp = 6, kUdp = 17, kFragment = 44, kIcmp6 = 58;

}  // namespace

std::uint64_t Random::word() {
  std::uint64_t z = state_ += 0x9e3779b97f4a7c15U;
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9U;
  z = (z ^ (z >> 27)) * 0x94d049bb133111ebU;
  return z ^ (z >> 31);
}

std::uint32_t Random::below(std::uint32_t limit) {
  return static_cast<std::uint32_t>((word() >> 32) * limit >> 32);
}

std::uint32_t Random::any_of(std::initializer_list<std::uint32_t> values) {
  return values.begin()[below(static_cast<std::uint32_t>(values.size()))];
}

void Frames::number(std::uint32_t value, int bytes) {
  for (int shift = (bytes - 1) * 8; shift >= 0; shift -= 8)
    frame_.push_back(static_cast<std::uint8_t>(value >> shift));
}

void Frames::noise(std::size_t bytes) {
  for (std::size_t i = 0; i < bytes; ++i)
    frame_.push_back(static_cast<std::uint8_t>(random_.word()));
}

// Hosts inside are few; those outside lie in every route of the world (test/fuzz/world.cpp), and a
// few in none. One in forty is an address that no packet should bear.
void Frames::address(std::uint8_t family, bool inside) {
  const std::uint32_t host = random_.below(24);
  const bool odd = random_.one_in(40);
  if (family == 4) {
    std::uint32_t value = random_.any_of({0xcb007100U, 0xcb007180U, 0xc6336400U, 0xc6330100U,
                                          0xc0586300U, 0x08080800U, 0xc0000200U}) +
                          host;
    if (inside) value = 0x0a010000U + host;
    if (odd)
      value = random_.any_of({0, 0x7f000001, 0xe0000005, 0xffffffff, 0xf0000001, 0xa9fe0101,
                              0x0a010001, 0xdfffffff, 0x01000000});
    number(value, 4);
    return;
  }
  std::uint32_t first = 0x20010db8;
  std::uint32_t second =
      random_.any_of({0x00ff0000, 0x00aa0000, 0x00bb0000, 0x00010000, 0xffff0000});
  if (inside) second = 0x10000;
  if (!inside && random_.one_in(8)) first = 0x2a000000;
  if (odd)
    first =
        random_.any_of({0, 0xfe800000, 0xff020000, 0xfebf0000, 0xfec00000, 0xfc000000, 0x00000001});
  if (odd && random_.one_in(2)) second = 0;
  number(first, 4);
  number(second, 4);
  number(0, 4);
  number(host, 4);
}

void Frames::addresses(std::uint8_t family, bool back) {
  address(family, !back);
  address(family, back);
}

// Timestamps and sequence numbers come from few values, so that they grow, repeat and go back.
void Frames::tcp() {
  number(random_.one_in(4) ? random_.below(65536) : 40000 + random_.below(8), 2);
  number(random_.any_of({443, 80, 22, 40001}), 2);
  number(0xfffffff0U + random_.below(8) * 1000, 4);
  number(0xffffff00U + random_.below(8) * 1000, 4);
  Bytes options;
  std::swap(options, frame_);
  while (random_.below(3) != 0 && frame_.size() < 28) switch (random_.below(6)) {
      case 0:
        number(0x0204, 2), number(1460, 2);
        break;
      case 1:
        number(0x030307, 3);
        break;
      case 2:
        number(0x0402, 2);
        break;
      case 3:
        number(0x080a, 2), number(random_.below(16), 4), number(random_.below(16), 4);
        break;
      case 4:
        number(1, 1);
        break;
      default:
        number(random_.any_of({0, 0x0800, 0x0801, 0x08ff, 0x0800, 0xfd28}), 2);
    }
  frame_.resize((frame_.size() + 3) / 4 * 4, 0);
  std::swap(options, frame_);
  const auto words = static_cast<std::uint32_t>(5 + options.size() / 4);
  const std::uint32_t flags =
      random_.any_of({0x02, 0x12, 0x10, 0x10, 0x18, 0x50, 0x04, 0x11, 0xff, 0});
  number(words << 12 | flags, 2);
  number(1024, 2);
  number(0, 4);
  frame_.insert(frame_.end(), options.begin(), options.end());
}

void Frames::udp() {
  number(50000 + random_.below(8), 2);
  number(random_.any_of({53, 443, 4789, 123}), 2);
  number(random_.below(64), 2);
  number(0, 2);
}

// RFC 9000, 17: long headers (Initial, 0-RTT, Handshake, Retry), and the short one with its spin.
void Frames::quic() {
  udp();
  frame_[frame_.size() - 6] = 1, frame_[frame_.size() - 5] = 0xbb;
  if (random_.one_in(2)) {
    number(0x40 | random_.below(64), 1);
    return;
  }
  number(0xc0 | random_.below(64), 1);
  number(random_.any_of({1, 0, 0x6b3343cf, 0xff00001d}), 4);
  number(random_.any_of({8, 0, 20, 255}), 1);
  noise(8);
  number(random_.any_of({0, 8, 200}), 1);
}

void Frames::echo(std::uint8_t family) {
  number(family == 4 ? random_.any_of({0x0800, 0}) : random_.any_of({0x8000, 0x8100}), 2);
  number(0, 2);
  number(7 + random_.below(8), 2);
  number(random_.below(4), 2);
}

// About a packet that came the other way.
void Frames::error(std::uint8_t family, bool back) {
  if (family == 4)
    number(random_.any_of({0x0304, 0x0301, 0x0b00, 0x0c00, 0x0500, 0x0400, 0x0d00, 0x2b00}), 2);
  else
    number(random_.any_of({0x0200, 0x0100, 0x0300, 0x0400, 0x8700, 0x8900, 0x0000, 0x7f00}), 2);
  number(0, 2);
  number(1400, 4);
  const std::size_t begin = frame_.size();
  const std::uint32_t protocol = random_.any_of({kTcp, kUdp, family == 4 ? kIcmp4 : kIcmp6, 47});
  if (family == 4)
    ip4(static_cast<std::uint8_t>(protocol), !back, !random_.one_in(4));
  else
    ip6(static_cast<std::uint8_t>(protocol), !back, !random_.one_in(4));
  if (random_.one_in(3))  // routers return as little as 8 bytes of it
    frame_.resize(std::min(frame_.size(), begin + (family == 4 ? 28 : 48)));
}

void Frames::transport(std::uint8_t family, std::uint8_t protocol, bool back) {
  if (protocol == kTcp) return tcp();
  if (protocol == kUdp) return random_.one_in(2) ? quic() : udp();
  if (protocol != (family == 4 ? kIcmp4 : kIcmp6)) return noise(16);
  random_.one_in(2) ? echo(family) : error(family, back);
}

void Frames::ip4(std::uint8_t protocol, bool back, bool plain) {
  const std::size_t begin = frame_.size();
  const std::uint32_t options = !plain && random_.one_in(12) ? random_.below(10) + 1 : 0;
  number(0x40 | (5 + options), 1);
  number(random_.any_of({0, 0, 0, 1, 2, 3}), 1);
  number(0, 2);
  number(random_.below(65536), 2);
  number(!plain && random_.one_in(10) ? random_.any_of({0x2000, 0x2010, 0x0010, 0x1fff, 0x8000})
                                      : 0x4000,
         2);
  number(random_.one_in(16) ? random_.below(3) : 2 + random_.below(254), 1);
  number(protocol, 1);
  number(0, 2);
  addresses(4, back);
  noise(options * 4);
  transport(4, protocol, back);
  noise(random_.one_in(24) ? 1300 + random_.below(400) : random_.below(64));
  const std::size_t length = frame_.size() - begin;
  frame_[begin + 2] = static_cast<std::uint8_t>(length >> 8);
  frame_[begin + 3] = static_cast<std::uint8_t>(length);
}

void Frames::ip6(std::uint8_t protocol, bool back, bool plain) {
  Bytes chain;
  while (!plain && chain.size() < 6 && random_.one_in(3))
    chain.push_back(static_cast<std::uint8_t>(
        random_.any_of({60, 60, 43, 43, kFragment, 0, 51, 50, 59, 135, 140})));
  chain.push_back(protocol);
  const std::size_t begin = frame_.size();
  number(0x60000000 | random_.below(1U << 20), 4);
  number(0, 2);
  number(chain.front(), 1);
  number(random_.one_in(16) ? random_.below(3) : 2 + random_.below(254), 1);
  addresses(6, back);
  for (std::size_t i = 0; i + 1 < chain.size(); ++i) {
    const std::uint32_t units =
        chain[i] == kFragment || random_.below(3) != 0 ? 0 : random_.below(4);
    number(chain[i + 1], 1);
    number(units, 1);
    noise(6 + units * std::size_t{8});
  }
  transport(6, protocol, back);
  noise(random_.one_in(24) ? 1300 + random_.below(400) : random_.below(64));
  const std::size_t length = frame_.size() - begin - 40;
  frame_[begin + 4] = static_cast<std::uint8_t>(length >> 8);
  frame_[begin + 5] = static_cast<std::uint8_t>(length);
}

void Frames::packet(std::uint8_t family, bool back) {
  const std::uint32_t icmp = family == 4 ? kIcmp4 : kIcmp6;
  std::uint32_t protocol = random_.any_of({kTcp, kTcp, kTcp, kUdp, kUdp, icmp, icmp});
  if (random_.one_in(24))
    protocol = random_.any_of({47, 50, 132, 2, 4, 41, 59, kIcmp4, kIcmp6, 255});
  if (family == 4)
    ip4(static_cast<std::uint8_t>(protocol), back, false);
  else
    ip6(static_cast<std::uint8_t>(protocol), back, false);
}

void Frames::damage() {
  const auto anywhere = [&] { return random_.below(static_cast<std::uint32_t>(frame_.size())); };
  // Where the lies are most telling: version, lengths, next header, TTL, the first bytes beyond.
  const auto header = [&] {
    const std::uint32_t end = static_cast<std::uint32_t>(std::min<std::size_t>(frame_.size(), 90));
    return 12 + random_.below(end - 12);
  };
  switch (random_.below(9)) {
    case 0:
      frame_[anywhere()] ^= static_cast<std::uint8_t>(1U << random_.below(8));
      break;
    case 1:
      frame_[header()] ^= static_cast<std::uint8_t>(1U << random_.below(8));
      break;
    case 2:
      frame_[header()] = static_cast<std::uint8_t>(random_.word());
      break;
    case 3:
      frame_[header()] =
          static_cast<std::uint8_t>(random_.any_of({0, 1, 5, 8, 0x45, 0x7f, 0x80, 0xff}));
      break;
    case 4:
      frame_.resize(kEthernet + random_.below(static_cast<std::uint32_t>(frame_.size()) - 13));
      break;
    case 5:
      noise(random_.below(64));
      break;
    case 6: {  // the length fields
      const std::size_t field = kEthernet + (frame_[12] == 8 ? 2 : 4);
      const std::uint32_t by = random_.below(17);
      if (frame_.size() > field + 1)
        frame_[field + 1] = static_cast<std::uint8_t>(frame_[field + 1] + by - 8);
      break;
    }
    case 7:  // a VLAN tag, or two
      for (std::uint32_t tags = 1 + random_.below(2); tags > 0; --tags) {
        const std::array<std::uint8_t, 4> tag{0x81, 0, 0,
                                              static_cast<std::uint8_t>(random_.word())};
        frame_.insert(frame_.begin() + 12, tag.begin(), tag.end());
      }
      break;
    default:
      frame_[12] = static_cast<std::uint8_t>(random_.any_of({0x08, 0x86, 0x88, 0x81, 0x00}));
      frame_[13] = static_cast<std::uint8_t>(random_.any_of({0, 0xdd, 6, 0x47, 0x64, 0xa8}));
  }
}

void Frames::mend() {
  if (frame_.size() < kEthernet + 20 || frame_[12] != 8 || frame_[13] != 0) return;
  frame_[kEthernet + 10] = frame_[kEthernet + 11] = 0;
  std::uint32_t sum = 0;
  for (std::size_t i = kEthernet; i < kEthernet + 20; i += 2)
    sum += static_cast<std::uint32_t>(frame_[i] << 8 | frame_[i + 1]);
  while (sum > 0xffff) sum = (sum & 0xffff) + (sum >> 16);
  frame_[kEthernet + 10] = static_cast<std::uint8_t>(~sum >> 8);
  frame_[kEthernet + 11] = static_cast<std::uint8_t>(~sum);
}

Bytes Frames::next(bool back) {
  frame_.clear();
  const std::uint8_t family = random_.one_in(2) ? 4 : 6;
  frame_.insert(frame_.end(), 6, 0);  // loopback's own
  noise(6);
  number(family == 4 ? 0x0800 : 0x86dd, 2);
  packet(family, back);
  if (random_.one_in(64)) frame_[random_.below(6)] = static_cast<std::uint8_t>(random_.word());
  for (std::uint32_t faults = random_.any_of({0, 0, 0, 0, 1, 1, 2, 4}); faults > 0; --faults)
    damage();
  if (!random_.one_in(5)) mend();
  const bool v4 = frame_[12] == 8 && frame_[13] == 0, v6 = frame_[12] == 0x86 && frame_[13] == 0xdd;
  frame_.resize(std::min(frame_.size(), kLongest));
  const std::size_t least = kEthernet + (v4 ? 20 : v6 ? 40 : 1);
  if (frame_.size() < least) noise(least - frame_.size());
  return frame_;
}

}  // namespace hopwise::fuzz
