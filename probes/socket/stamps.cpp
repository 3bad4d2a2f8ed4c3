#include "probes/socket/stamps.hpp"

#include <linux/errqueue.h>
#include <linux/net_tstamp.h>
#include <net/ethernet.h>
#include <netinet/in.h>

#include <algorithm>
#include <cstring>

namespace hopwise::probes {
namespace {

constexpr std::size_t kUdpHeaderBytes = 8;

template <class T>
T payload(const cmsghdr& c) {
  T value{};
  if (c.cmsg_len >= CMSG_LEN(sizeof(value))) std::memcpy(&value, CMSG_DATA(&c), sizeof(value));
  return value;
}

void read_stamp(const cmsghdr& c, Ancillary& into) {
  const auto software = payload<scm_timestamping>(c).ts[0];
  if (software.tv_sec == 0 && software.tv_nsec == 0) return;
  into.stamp =
      WallTime(std::chrono::seconds(software.tv_sec) + std::chrono::nanoseconds(software.tv_nsec));
}

void read_error(const cmsghdr& c, Ancillary& into) {
  const auto error = payload<sock_extended_err>(c);
  if (error.ee_errno != ENOMSG || error.ee_origin != SO_EE_ORIGIN_TIMESTAMPING) return;
  into.key = error.ee_data;
  if (error.ee_info == SCM_TSTAMP_SCHED) into.point = StampPoint::queue;
  if (error.ee_info == SCM_TSTAMP_SND) into.point = StampPoint::driver;
}

std::uint16_t half(std::span<const std::uint8_t> bytes, std::size_t at) {
  return static_cast<std::uint16_t>(bytes[at] << 8U | bytes[at + 1]);
}

// The packet's payload, when `packet` begins with an IP header of ours: without options.
std::span<const std::uint8_t> unwrap(Family family, std::uint8_t protocol,
                                     std::span<const std::uint8_t> packet) {
  const bool v4 = family == Family::v4;
  const std::size_t header = v4 ? 20 : 40;
  if (packet.size() < header) return {};
  if (v4 ? packet[0] != 0x45 : packet[0] >> 4U != 6) return {};
  if (packet[v4 ? 9 : 6] != protocol) return {};
  const std::size_t total = v4 ? half(packet, 2) : header + half(packet, 4);
  const std::size_t skipped = header + (protocol == IPPROTO_UDP ? kUdpHeaderBytes : 0);
  const std::size_t end = std::min(total, packet.size());
  return end < skipped ? std::span<const std::uint8_t>{} : packet.subspan(skipped, end - skipped);
}

}  // namespace

Ancillary read_ancillary(const msghdr& message) {
  Ancillary told;
  msghdr m = message;
  for (cmsghdr* c = CMSG_FIRSTHDR(&m); c != nullptr; c = CMSG_NXTHDR(&m, c)) {
    const auto is = [c](int level, int type) {
      return c->cmsg_level == level && c->cmsg_type == type;
    };
    if (is(SOL_SOCKET, SO_TIMESTAMPING)) read_stamp(*c, told);
    if (is(SOL_IP, IP_RECVERR) || is(SOL_IPV6, IPV6_RECVERR)) read_error(*c, told);
    if (is(SOL_IP, IP_PKTINFO))
      told.ifindex = static_cast<std::uint32_t>(payload<in_pktinfo>(*c).ipi_ifindex);
    if (is(SOL_IPV6, IPV6_PKTINFO)) told.ifindex = payload<in6_pktinfo>(*c).ipi6_ifindex;
    if (is(SOL_IP, IP_TTL) || is(SOL_IPV6, IPV6_HOPLIMIT))
      told.ttl = static_cast<std::uint8_t>(payload<int>(*c));
  }
  return told;
}

Looped read_looped(Family family, std::uint8_t protocol, std::span<const std::uint8_t> frame) {
  Looped looped;
  const std::uint16_t ethertype = family == Family::v4 ? ETHERTYPE_IP : ETHERTYPE_IPV6;
  if (frame.size() > ETHER_HDR_LEN && half(frame, ETHER_HDR_LEN - 2) == ethertype)
    looped.message = unwrap(family, protocol, frame.subspan(ETHER_HDR_LEN));
  if (!looped.message.empty()) {
    looped.to.emplace();
    std::copy_n(frame.begin(), looped.to->size(), looped.to->begin());
  } else {
    looped.message = unwrap(family, protocol, frame);
  }
  return looped;
}

}  // namespace hopwise::probes
