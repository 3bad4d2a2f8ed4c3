#include "test/fuzz/oracle.hpp"

#include <algorithm>
#include <vector>

namespace hopwise::fuzz {
namespace {

constexpr std::size_t kEthernet = 14;
constexpr std::uint8_t kHopByHop = 0, kIcmp4 = 1, kTcp = 6, kUdp = 17, kRouting = 43,
                       kFragment = 44, kAuthentication = 51, kIcmp6 = 58, kDestination = 60;

constexpr Faults kMalformed = fault(HW_REASON_MALFORMED), kOptions = fault(HW_REASON_OPTIONS),
                 kProtocol = fault(HW_REASON_PROTOCOL), kNotForUs = fault(HW_REASON_NOT_FOR_US);

std::size_t number(Frame bytes, std::size_t at) {
  return static_cast<std::size_t>(bytes[at] << 8 | bytes[at + 1]);
}

// RFC 1071, over big-endian words.
bool sums_up(Frame header) {
  std::uint32_t sum = 0;
  for (std::size_t i = 0; i + 1 < header.size(); i += 2)
    sum += static_cast<std::uint32_t>(number(header, i));
  while (sum > 0xffff) sum = (sum & 0xffff) + (sum >> 16);
  return sum == 0xffff;
}

// RFC 1122, 3.2.1.3 and RFC 5771: no router forwards from or to these.
bool stays_here4(Frame address) {
  return address[0] == 0 || address[0] == 127 || address[0] >= 224;
}

// RFC 4291: ::/64 has unspecified and loopback; fe80::/10 is link-local, ff00::/8 multicast.
bool stays_here6(Frame address) {
  const bool zeros =
      std::all_of(address.begin(), address.begin() + 8, [](auto b) { return b == 0; });
  const std::size_t first = number(address, 0);
  return zeros || first >= 0xff00 || (first >= 0xfe80 && first <= 0xfebf);
}

bool carries_flows(std::uint8_t protocol, std::uint8_t family) {
  return protocol == kTcp || protocol == kUdp || protocol == (family == 4 ? kIcmp4 : kIcmp6);
}

void read_transport(Frame content, Reading& reading) {
  if (content.size() < 8) {
    reading.faults |= kMalformed;
    return;
  }
  hw_flow_key& key = reading.key;
  std::size_t source = 0, destination = 2;
  if (key.protocol != kTcp && key.protocol != kUdp) {
    const std::uint8_t type = content[0];
    const bool echo = key.family == 4 ? type == 8 || type == 0 : type == 128 || type == 129;
    if (!echo) {
      reading.faults |= kProtocol;
      return;
    }
    source = destination = 4;
  }
  std::copy_n(&content[source], 2, reinterpret_cast<std::uint8_t*>(&key.source_port));
  std::copy_n(&content[destination], 2, reinterpret_cast<std::uint8_t*>(&key.destination_port));
}

void read4(Frame packet, Reading& reading) {
  if (packet.size() < 20 || packet[0] >> 4 != 4 || (packet[0] & 15) < 5) {
    reading.faults |= kMalformed;
    return;
  }
  if ((packet[0] & 15) > 5) reading.faults |= kOptions;
  reading.bytes = number(packet, 2);
  if (reading.bytes < 20 || reading.bytes > packet.size() || !sums_up(packet.first(20)))
    reading.faults |= kMalformed;
  reading.hops = packet[8];
  reading.key.family = 4;
  reading.key.protocol = packet[9];
  std::copy_n(&packet[12], 4, reading.key.source);
  std::copy_n(&packet[16], 4, reading.key.destination);
  std::copy_n(&packet[16], 4, reading.outer.begin());
  if (stays_here4(packet.subspan(12, 4)) || stays_here4(packet.subspan(16, 4)))
    reading.faults |= kNotForUs;
  if (!carries_flows(packet[9], 4)) reading.faults |= kProtocol;
  if (reading.faults != 0) return;
  if ((number(packet, 6) & 0x3fff) != 0) {  // more to come, or not the first
    reading.kind = Kind::fragment;
    return;
  }
  reading.transport = kEthernet + 20;
  read_transport(packet.subspan(20, reading.bytes - 20), reading);
}

// RFC 8200, 4: extension headers name what follows, and their length in 8 bytes beyond the first.
void walk6(Frame packet, Reading& reading) {
  std::uint8_t next = packet[6];
  std::size_t at = 40;
  for (int passed = 0;; ++passed) {
    if (carries_flows(next, 6)) {
      reading.key.protocol = next;
      reading.transport = kEthernet + at;
      read_transport(packet.subspan(at), reading);
      return;
    }
    const bool passable = next == kRouting || next == kDestination || next == kFragment;
    if (!passable || passed == 4) {
      const bool known = passable || next == kHopByHop || next == kAuthentication;
      reading.faults |= known ? kOptions : kProtocol;
      return;
    }
    if (packet.size() - at < 8) {
      reading.faults |= kMalformed;
      return;
    }
    if (next == kFragment) {
      reading.kind = Kind::fragment;
      reading.key.protocol = packet[at];
      if (!carries_flows(packet[at], 6)) reading.faults |= kOptions;
      return;
    }
    const std::size_t length = (packet[at + 1] + std::size_t{1}) * 8;
    if (length > packet.size() - at) {
      reading.faults |= kMalformed;
      return;
    }
    next = packet[at];
    at += length;
  }
}

void read6(Frame packet, Reading& reading) {
  if (packet.size() < 40 || packet[0] >> 4 != 6) {
    reading.faults |= kMalformed;
    return;
  }
  reading.bytes = 40 + number(packet, 4);
  if (reading.bytes > packet.size()) reading.faults |= kMalformed;
  reading.hops = packet[7];
  reading.key.family = 6;
  std::copy_n(&packet[8], 16, reading.key.source);
  std::copy_n(&packet[24], 16, reading.key.destination);
  std::copy_n(&packet[24], 16, reading.outer.begin());
  if (stays_here6(packet.subspan(8, 16)) || stays_here6(packet.subspan(24, 16)))
    reading.faults |= kNotForUs;
  if (reading.faults == 0) walk6(packet.first(reading.bytes), reading);
}

}  // namespace

std::string text(Faults faults) {
  constexpr const char* kNames[] = {
#define NAME(id, name, help) name,
      HW_REASONS(NAME)
#undef NAME
  };
  std::string all;
  for (int reason = 0; reason < HW_REASON_COUNT; ++reason)
    if ((faults >> reason & 1) != 0) all += (all.empty() ? "" : "|") + std::string(kNames[reason]);
  return all.empty() ? "none" : all;
}

Reading read_frame(Frame frame) {
  Reading reading;
  if (frame.size() < kEthernet) {
    reading.faults = kMalformed;
    return reading;
  }
  switch (number(frame, 12)) {
    case 0x0800:
      read4(frame.subspan(kEthernet), reading);
      break;
    case 0x86dd:
      read6(frame.subspan(kEthernet), reading);
      break;
    case 0x8100:
    case 0x88a8:
      reading.faults = fault(HW_REASON_VLAN);
      break;
    default:
      reading.faults = fault(HW_REASON_NOT_IP);
  }
  return reading;
}

bool forwarded(Frame before, Frame after, bool addressed) {
  std::vector<std::uint8_t> expected(before.begin(), before.end());
  if (after.size() != before.size()) return false;
  if (addressed) std::copy_n(after.begin(), 12, expected.begin());
  const bool v4 = number(before, 12) == 0x0800;
  --expected[kEthernet + (v4 ? 8 : 7)];
  if (v4) {
    if (!sums_up(after.subspan(kEthernet, 20))) return false;
    std::copy_n(after.begin() + kEthernet + 10, 2, expected.begin() + kEthernet + 10);
  }
  return std::equal(after.begin(), after.end(), expected.begin());
}

}  // namespace hopwise::fuzz
