#include "test/bpf/packet.hpp"

#include <linux/if_ether.h>

#include <algorithm>
#include <utility>

#include "core/model/address.hpp"

namespace hopwise::test {
namespace {

void put16(Bytes& bytes, std::size_t value) {
  bytes.push_back(static_cast<std::uint8_t>(value >> 8));
  bytes.push_back(static_cast<std::uint8_t>(value));
}

void put(Bytes& bytes, const IpAddress& address) {
  bytes.insert(bytes.end(), address.bytes.begin(), address.bytes.begin() + address.size());
}

std::uint32_t header_sum(const Bytes& frame) {
  std::uint32_t sum = 0;
  const std::size_t end = kEthernetBytes + (frame.at(kEthernetBytes) & 0x0fU) * 4;
  for (std::size_t i = kEthernetBytes; i < end; i += 2)
    sum += static_cast<std::uint32_t>(frame.at(i) << 8 | frame.at(i + 1));
  while (sum >> 16 != 0) sum = (sum & 0xffff) + (sum >> 16);
  return sum;
}

// The transport header's first 8 bytes are what matters; the rest are recognisable bytes.
Bytes transport(const PacketSpec& spec) {
  Bytes bytes;
  if (spec.protocol == IPPROTO_ICMP || spec.protocol == IPPROTO_ICMPV6) {
    bytes = {spec.icmp_type, 0, 0, 0};
    put16(bytes, spec.source_port);
    put16(bytes, 1);
  } else {
    put16(bytes, spec.source_port);
    put16(bytes, spec.destination_port);
    put16(bytes, 8 + spec.payload);
    put16(bytes, 0);
  }
  bytes.insert(bytes.end(), spec.content.begin(), spec.content.end());
  if (!spec.content.empty()) return bytes;
  for (std::size_t i = 0; i < spec.payload; ++i) bytes.push_back(static_cast<std::uint8_t>(i));
  return bytes;
}

void put_v4(Bytes& frame, const PacketSpec& spec, const Bytes& content) {
  const std::size_t header = 20 + spec.option_bytes;
  frame.push_back(static_cast<std::uint8_t>(0x40 | header / 4));
  frame.push_back(static_cast<std::uint8_t>(spec.dscp << 2));
  put16(frame, header + content.size());
  put16(frame, 0x1234);
  const Fragment fragment = spec.fragment.value_or(Fragment{});
  put16(frame, fragment.offset | (fragment.more ? 0x2000U : 0U));
  frame.push_back(spec.hops);
  frame.push_back(spec.protocol);
  put16(frame, 0);
  put(frame, *IpAddress::parse(spec.source));
  put(frame, *IpAddress::parse(spec.destination));
  frame.insert(frame.end(), spec.option_bytes, 1);  // no-operation
  const std::uint32_t checksum = ~header_sum(frame);
  frame[kEthernetBytes + 10] = static_cast<std::uint8_t>(checksum >> 8);
  frame[kEthernetBytes + 11] = static_cast<std::uint8_t>(checksum);
}

void put_v6(Bytes& frame, const PacketSpec& spec, const Bytes& content) {
  std::vector<std::uint8_t> chain = spec.extensions;
  if (spec.fragment) chain.push_back(IPPROTO_FRAGMENT);
  chain.push_back(spec.protocol);
  frame.push_back(static_cast<std::uint8_t>(0x60 | spec.dscp >> 2));
  frame.push_back(static_cast<std::uint8_t>(spec.dscp << 6));
  put16(frame, 0);
  put16(frame, (chain.size() - 1) * 8 + content.size());
  frame.push_back(chain.front());
  frame.push_back(spec.hops);
  put(frame, *IpAddress::parse(spec.source));
  put(frame, *IpAddress::parse(spec.destination));
  for (std::size_t i = 0; i + 1 < chain.size(); ++i) {
    frame.insert(frame.end(), {chain[i + 1], 0});
    const Fragment fragment = spec.fragment.value_or(Fragment{});
    put16(frame, chain[i] == IPPROTO_FRAGMENT ? fragment.offset * 8U + fragment.more : 0U);
    frame.insert(frame.end(), 4, 0);
  }
}

}  // namespace

Bytes build(const PacketSpec& spec) {
  Bytes frame(spec.mac.begin(), spec.mac.end());
  frame.insert(frame.end(), {2, 0, 0, 0, 0, 1});
  const bool v4 = IpAddress::parse(spec.source)->is_v4();
  put16(frame, v4 ? ETH_P_IP : ETH_P_IPV6);
  const Bytes content = transport(spec);
  v4 ? put_v4(frame, spec, content) : put_v6(frame, spec, content);
  frame.insert(frame.end(), content.begin(), content.end());
  return frame;
}

PacketSpec to_v6(PacketSpec spec) {
  spec.source = "2001:db8:1::2";
  spec.destination = "2001:db8:ff::9";
  if (spec.protocol == IPPROTO_ICMP) {
    spec.protocol = IPPROTO_ICMPV6;
    spec.icmp_type = spec.icmp_type == 8 ? 128 : 129;
  }
  return spec;
}

PacketSpec error_about(const PacketSpec& reported, const ErrorSpec& error) {
  const Bytes frame = build(reported);
  const bool v4 = IpAddress::parse(reported.source)->is_v4();
  PacketSpec spec;
  spec.source = error.from;
  spec.destination = reported.source;
  spec.protocol = IPPROTO_ICMP;
  if (!v4) spec.protocol = IPPROTO_ICMPV6;
  spec.icmp_type = error.type != 0 ? error.type : v4 ? 3 : 1;
  const std::size_t end = std::min(frame.size(), kEthernetBytes + error.bytes);
  spec.content.assign(frame.begin() + kEthernetBytes,
                      frame.begin() + static_cast<std::ptrdiff_t>(end));
  return spec;
}

PacketSpec reversed(PacketSpec spec) {
  std::swap(spec.source, spec.destination);
  const bool icmp = spec.protocol == IPPROTO_ICMP || spec.protocol == IPPROTO_ICMPV6;
  if (!icmp) std::swap(spec.source_port, spec.destination_port);
  if (icmp) spec.icmp_type = spec.icmp_type == 8 ? 0 : 129;
  return spec;
}

bool checksum_holds(const Bytes& frame) {
  return header_sum(frame) == 0xffff;
}

}  // namespace hopwise::test
