// A BMP connection's bytes, by libFuzzer under AddressSanitizer.
//
// The input's first byte says what it is: a stream from its first octet on, or, behind a Peer Up,
// UPDATEs that are each wrapped into a Route Monitoring (no mutation would ever guess those
// headers), with or without path identifiers. Whatever comes, a station takes no more than it may,
// and what it took is gone with it.
#include <cstdio>
#include <cstdlib>
#include <vector>

#include "core/bgp/bmp_station.hpp"

using namespace hopwise;
using namespace hopwise::bgp;

namespace {

using Octets = std::vector<std::uint8_t>;

constexpr std::uint8_t kRaw = 1, kAddPath = 2, kIpv6Peer = 4, kTwoOctets = 8, kInternal = 16;
constexpr std::size_t kMostPrefixes = 50;

void require(bool truth, const char* what) {
  if (truth) return;
  std::fprintf(stderr, "%s\n", what);
  std::abort();
}

void append(Octets& to, bgp::Bytes more) {
  to.insert(to.end(), more.begin(), more.end());
}

Octets message(bmp::MessageType type, bgp::Bytes body) {
  Octets bytes{3};
  put<std::uint32_t>(bytes, static_cast<std::uint32_t>(bmp::kHeaderBytes + body.size()));
  bytes.push_back(static_cast<std::uint8_t>(type));
  append(bytes, body);
  return bytes;
}

Octets peer_header(std::uint8_t kind) {
  std::uint8_t flags = 0x40;
  if (kind & kIpv6Peer) flags |= 0x80;
  if (kind & kTwoOctets) flags |= 0x20;
  Octets bytes{0, flags};
  bytes.resize(2 + 8 + 16, 1);
  std::fill(bytes.begin() + 2, bytes.begin() + 10, std::uint8_t{0});
  bytes.resize(42, 0);
  return bytes;
}

Octets peer_up(std::uint8_t kind) {
  Octets body = peer_header(kind);
  body.resize(body.size() + 16 + 4, 2);
  for (const std::uint32_t as : {65000U, kind & kInternal ? 65000U : 65001U}) {
    Open open{.as = as, .hold_time_s = 9, .router_id = as};
    open.capabilities.multiprotocol = true;
    open.capabilities.unicast = {true, true};
    open.capabilities.as = as;
    const AddPath both{kind & kAddPath ? true : false, kind & kAddPath ? true : false};
    open.capabilities.add_path = {both, both};
    append(body, build_open(open));
  }
  return message(bmp::MessageType::peer_up, body);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size < 2) return 0;
  const std::uint8_t kind = data[0];
  const bgp::Bytes rest(data + 1, size - 1);
  PathTable table;
  BmpCounters counters;
  {
    BmpStation station(table, counters, kMostPrefixes);
    const auto hear = [&](bgp::Bytes bytes) {
      station.receive(bytes);
      while (station.step()) {
      }
    };
    if (kind & kRaw) {
      hear(rest.first(rest.size() / 2));
      hear(rest.subspan(rest.size() / 2));
    } else {
      hear(peer_up(kind));
      require(station.peers() == (kind & kInternal ? 0U : 1U), "a Peer Up is not heard");
      Octets update = bgp::begin(MessageType::update);
      append(update, rest);
      Octets body = peer_header(kind);
      append(body, bgp::finish(update));
      hear(message(bmp::MessageType::route_monitoring, body));
    }
    require(station.counts().prefixes <= kMostPrefixes, "more prefixes than a session may have");
  }
  while (table.sweep(64)) {
  }
  require(table.prefixes() == 0 && table.attributes() == 0, "a path outlives its session");
  return 0;
}
