#include "core/config/routes_config.hpp"

#include <linux/rtnetlink.h>

#include <algorithm>
#include <array>
#include <charconv>

namespace hopwise::config {
namespace {

using namespace std::chrono_literals;

constexpr int kLeastBuffer = 4096, kMostBuffer = 1 << 30;

struct Protocol {
  const char* name;
  std::uint8_t number;
};

// As in iproute2's rt_protos: those that bring routes with a gateway.
constexpr std::array<Protocol, 13> kProtocols{{
    {"kernel", RTPROT_KERNEL},
    {"boot", RTPROT_BOOT},
    {"static", RTPROT_STATIC},
    {"zebra", RTPROT_ZEBRA},
    {"bird", RTPROT_BIRD},
    {"dhcp", RTPROT_DHCP},
    {"keepalived", 18},
    {"babel", RTPROT_BABEL},
    {"bgp", RTPROT_BGP},
    {"isis", RTPROT_ISIS},
    {"ospf", RTPROT_OSPF},
    {"rip", RTPROT_RIP},
    {"eigrp", RTPROT_EIGRP},
}};

void read_protocols(Object& o, routes::Options& routes) {
  std::vector<std::string> names;
  if (!o.texts("protocols", names)) return;
  routes.protocols.clear();
  for (const std::string& name : names) {
    const auto protocol = parse_protocol(name);
    if (protocol)
      routes.protocols.push_back(*protocol);
    else
      o.fault("protocols", protocol.error().message);
  }
}

}  // namespace

Result<std::uint8_t> parse_protocol(const std::string& text) {
  for (const Protocol& known : kProtocols)
    if (text == known.name) return known.number;
  unsigned number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error == std::errc{} && end == text.data() + text.size() && number <= 255)
    return static_cast<std::uint8_t>(number);
  return Error{'"' + text +
               "\" is no routing protocol (\"bgp\", \"bird\", \"static\", ... or its number as "
               "text, see /etc/iproute2/rt_protos)"};
}

std::string protocol_text(std::uint8_t protocol) {
  const auto* known = std::find_if(kProtocols.begin(), kProtocols.end(),
                                   [protocol](const Protocol& p) { return p.number == protocol; });
  return known != kProtocols.end() ? known->name : std::to_string(protocol);
}

void read_follower(Object& o, routes::Options& routes) {
  const bool by_number = o.integer("table", routes.table, {1, 0xffffffff});
  if (o.text("vrf", routes.vrf)) {
    if (by_number) o.fault("vrf", "has a table of its own (remove \"table\" or \"vrf\")");
    if (routes.vrf.size() > 15) o.fault("vrf", "is no interface name (see `ip link`)");
  }
  read_protocols(o, routes);
  o.duration("debounce", routes.debounce, {1ms, 10s});
  o.integer("receive_buffer", routes.receive_buffer_bytes, {kLeastBuffer, kMostBuffer});
}

}  // namespace hopwise::config
