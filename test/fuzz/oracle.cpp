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

bool is_echo(std::uint8_t type, std::uint8_t family) {
  return family == 4 ? type == 8 || type == 0 : type == 128 || type == 129;
}

// RFC 792: unreachable, time exceeded, parameter problem. RFC 4443: 1 to 4.
bool is_error(std::uint8_t type, std::uint8_t family) {
  return family == 4 ? type == 3 || type == 11 || type == 12 : type >= 1 && type <= 4;
}

void set_ports(hw_flow_key& key, Frame source, Frame destination) {
  std::copy_n(source.begin(), 2, reinterpret_cast<std::uint8_t*>(&key.source_port));
  std::copy_n(destination.begin(), 2, reinterpret_cast<std::uint8_t*>(&key.destination_port));
}

// RFC 8200, 4: extension headers name what follows, and their length in 8 bytes beyond the first.
struct Walk {
  Faults faults = 0;
  std::size_t at = 40;
  std::uint8_t next = 0;
  bool fragment = false;
};

Walk walk6(Frame packet, int most, Merged merged) {
  Walk walk;
  walk.next = packet[6];
  for (int passed = 0; !carries_flows(walk.next, 6); ++passed) {
    const std::uint8_t header = walk.next;
    const std::size_t left = packet.size() - walk.at;
    // RFC 2675: put there by the kernel, when the aggregate has no length that 16 bits could tell.
    const bool jumbo = header == kHopByHop && passed == 0 && merged == Merged::aggregate &&
                       number(packet, 4) == 0 && left >= 8 && packet[41] == 0 && packet[42] == 0xc2;
    const bool passable = header == kRouting || header == kDestination || header == kFragment;
    if (!jumbo && (!passable || passed == most)) {
      const bool known = passable || header == kHopByHop || header == kAuthentication;
      walk.faults = known ? kOptions : kProtocol;
      if (header == kHopByHop && left < 8) walk.faults |= kMalformed;
      return walk;
    }
    if (left < 8 || (header != kFragment && (packet[walk.at + 1] + std::size_t{1}) * 8 > left)) {
      walk.faults = kMalformed;
      return walk;
    }
    walk.next = packet[walk.at];
    if (header == kFragment) {
      walk.fragment = true;
      walk.faults = carries_flows(walk.next, 6) ? 0 : kOptions;
      return walk;
    }
    walk.at += (packet[walk.at + 1] + std::size_t{1}) * 8;
  }
  return walk;
}

// RFC 791 and 8200, 3: eight bits, the second of them in IPv4, from the fifth on in IPv6; RFC 2474:
// the first six.
std::uint8_t dscp_of(Frame packet) {
  const unsigned traffic =
      packet[0] >> 4 == 4 ? packet[1] : (packet[0] & 15U) << 4 | packet[1] >> 4;
  return static_cast<std::uint8_t>(traffic / 4);
}

// What an error quotes: the beginning of a packet that the error's receiver sent. The error belongs
// to the flow that answers it.
void read_quoted(Frame quoted, Reading& reading) {
  hw_flow_key& key = reading.key;
  const bool v4 = key.family == 4;
  const std::size_t address = v4 ? 4 : 16, source = v4 ? 12 : 8;
  reading.kind = Kind::error;
  reading.transport = 0;
  if (quoted.size() < (v4 ? 20 : 40) || quoted[0] >> 4 != key.family ||
      (v4 && (quoted[0] & 15) < 5) ||
      !std::equal(key.destination, key.destination + address, &quoted[source])) {
    reading.faults |= kMalformed;
    return;
  }
  std::copy_n(&quoted[source + address], address, key.source);
  reading.dscp = dscp_of(quoted);
  Walk walk;
  if (v4) {
    walk.at = (quoted[0] & 15) * std::size_t{4};
    walk.next = quoted[9];
    walk.fragment = (number(quoted, 6) & 0x3fff) != 0;
    walk.faults = carries_flows(walk.next, 4) ? 0 : kProtocol;
  } else {
    walk = walk6(quoted, 1, Merged::no);
  }
  reading.faults |= walk.faults;
  key.protocol = walk.next;
  if (walk.faults != 0 || walk.fragment) return;
  if (walk.at + 8 > quoted.size()) {
    reading.faults |= kMalformed;
    return;
  }
  const Frame content = quoted.subspan(walk.at);
  if (key.protocol == kTcp || key.protocol == kUdp)
    set_ports(key, content.subspan(2), content);
  else if (is_echo(content[0], key.family))
    set_ports(key, content.subspan(4), content.subspan(4));
  else
    reading.faults |= kProtocol;
}

void read_transport(Frame content, Reading& reading) {
  hw_flow_key& key = reading.key;
  if (content.size() < 8)
    reading.faults |= kMalformed;
  else if (key.protocol == kTcp || key.protocol == kUdp)
    set_ports(key, content, content.subspan(2));
  else if (is_echo(content[0], key.family))
    set_ports(key, content.subspan(4), content.subspan(4));
  else if (is_error(content[0], key.family))
    read_quoted(content.subspan(8), reading);
  else
    reading.faults |= kProtocol;
}

// A datagram's first fragment tells its flow where all of it is there before it is routed.
void read_fragment(Frame content, bool first, Fragments fragments, Reading& reading) {
  if (fragments == Fragments::apart) {
    reading.kind = Kind::fragment;
  } else if (!first) {
    reading.faults |= fault(HW_REASON_FRAGMENT);
  } else {
    read_transport(content, reading);
    reading.transport = 0;
  }
}

void read4(Frame packet, Handling handling, Reading& reading) {
  if (packet.size() < 20 || packet[0] >> 4 != 4 || (packet[0] & 15) < 5) {
    reading.faults |= kMalformed;
    return;
  }
  if ((packet[0] & 15) > 5) reading.faults |= kOptions;
  reading.bytes = number(packet, 2);
  if (reading.bytes == 0 && handling.merged == Merged::aggregate) reading.bytes = packet.size();
  if (reading.bytes < 20 || reading.bytes > packet.size() || !sums_up(packet.first(20)))
    reading.faults |= kMalformed;
  reading.hops = packet[8];
  reading.dscp = dscp_of(packet);
  reading.key.family = 4;
  reading.key.protocol = packet[9];
  std::copy_n(&packet[12], 4, reading.key.source);
  std::copy_n(&packet[16], 4, reading.key.destination);
  if (stays_here4(packet.subspan(12, 4)) || stays_here4(packet.subspan(16, 4)))
    reading.faults |= kNotForUs;
  if (!carries_flows(packet[9], 4)) reading.faults |= kProtocol;
  if (reading.faults != 0) return;
  const Frame content = packet.subspan(20, reading.bytes - 20);
  if (const std::size_t place = number(packet, 6); (place & 0x3fff) != 0)  // more, or behind
    return read_fragment(content, (place & 0x1fff) == 0, handling.fragments, reading);
  reading.transport = kEthernet + 20;
  read_transport(content, reading);
}

void read6(Frame packet, Handling handling, Reading& reading) {
  if (packet.size() < 40 || packet[0] >> 4 != 6) {
    reading.faults |= kMalformed;
    return;
  }
  reading.bytes = 40 + number(packet, 4);
  if (reading.bytes == 40 && handling.merged == Merged::aggregate) reading.bytes = packet.size();
  if (reading.bytes > packet.size()) reading.faults |= kMalformed;
  reading.hops = packet[7];
  reading.dscp = dscp_of(packet);
  reading.key.family = 6;
  std::copy_n(&packet[8], 16, reading.key.source);
  std::copy_n(&packet[24], 16, reading.key.destination);
  if (stays_here6(packet.subspan(8, 16)) || stays_here6(packet.subspan(24, 16)))
    reading.faults |= kNotForUs;
  if (reading.faults != 0) return;
  packet = packet.first(reading.bytes);
  const Walk walk = walk6(packet, 4, handling.merged);
  reading.faults = walk.faults;
  reading.key.protocol = walk.next;
  if (walk.faults != 0) return;
  if (walk.fragment)
    return read_fragment(packet.subspan(walk.at + 8), number(packet, walk.at + 2) < 8,
                         handling.fragments, reading);
  reading.transport = kEthernet + walk.at;
  read_transport(packet.subspan(walk.at), reading);
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

Reading read_frame(Frame frame, Handling handling) {
  Reading reading;
  if (frame.size() < kEthernet) {
    reading.faults = kMalformed;
    return reading;
  }
  switch (number(frame, 12)) {
    case 0x0800:
      read4(frame.subspan(kEthernet), handling, reading);
      break;
    case 0x86dd:
      read6(frame.subspan(kEthernet), handling, reading);
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

bool forwarded(Frame before, Frame after) {
  std::vector<std::uint8_t> expected(before.begin(), before.end());
  if (after.size() != before.size()) return false;
  std::copy_n(after.begin(), 12, expected.begin());
  const bool v4 = number(before, 12) == 0x0800;
  --expected[kEthernet + (v4 ? 8 : 7)];
  if (v4) {
    if (!sums_up(after.subspan(kEthernet, 20))) return false;
    std::copy_n(after.begin() + kEthernet + 10, 2, expected.begin() + kEthernet + 10);
  }
  return std::equal(after.begin(), after.end(), expected.begin());
}

}  // namespace hopwise::fuzz
