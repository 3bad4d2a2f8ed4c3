// What the lab's routing daemons are told: the configuration texts of FRR, BIRD and GoBGP. Timers
// are short everywhere: hold 9 s, a session tried again each second.
#include <sstream>

#include "test/lab/plan.hpp"
#include "test/lab/speaker.hpp"

namespace hopwise::lab {
namespace {

bool over_ipv6(const SpeakerOptions& options) {
  return options.ipv4_over == Ipv4Over::ipv6;
}

// The sessions that bear a family, by the peer's address in them.
std::string Peer::*bearer(const SpeakerOptions& options, Family family) {
  return family == Family::v6 || over_ipv6(options) ? &Peer::address6 : &Peer::address4;
}

std::string frr_family(const SpeakerOptions& options, Family family) {
  const bool v4 = family == Family::v4;
  std::ostringstream text;
  text << " address-family " << (v4 ? "ipv4" : "ipv6") << " unicast\n";
  if (options.role == Role::router)
    text << "  maximum-paths 8\n";
  else
    text << "  network " << (v4 ? kServicePrefix4 : kServicePrefix6) << "\n";
  for (const auto& peer : options.peers)
    text << "  neighbor " << peer.*bearer(options, family) << " activate\n";
  text << " exit-address-family\n";
  return text.str();
}

// One family of a BIRD session, "ipv4 { ... };"
std::string bird_channel(const SpeakerOptions& options, Family family, const char* more) {
  const bool router = options.role == Role::router;
  return std::string("  ") + (family == Family::v4 ? "ipv4" : "ipv6") + " { " +
         (router ? "import all; export none; "
                 : "import none; export where source = RTS_STATIC; next hop self; ") +
         more + "};\n";
}

std::string bird_session(const SpeakerOptions& options, const Peer& peer, std::size_t number,
                         Family family) {
  const bool v4 = family == Family::v4;
  std::ostringstream text;
  text << "protocol bgp p" << number << (v4 ? "ipv4" : "ipv6") << " {\n"
       << "  local as " << options.as << "; neighbor " << (v4 ? peer.address4 : peer.address6)
       << " as " << peer.as << ";\n"
       << "  direct; hold time 9; keepalive time 3;\n"
       << "  connect delay time 1; connect retry time 1; error wait time 1,5;\n";
  if (options.graceful == Graceful::on) text << "  graceful restart on;\n";
  text << bird_channel(options, family, "");
  if (!v4 && over_ipv6(options)) text << bird_channel(options, Family::v4, "extended next hop; ");
  text << "}\n";
  return text.str();
}

// 100.64.0.0/10 and 2001:db8:1000::/36, by halves of a family: the count is of both together.
std::string bird_more(int count) {
  std::ostringstream v4, v6;
  for (int i = 0; i < count / 2; ++i) {
    v4 << " route 100." << 64 + i / 65536 << "." << i / 256 % 256 << "." << i % 256
       << "/32 blackhole;";
    v6 << " route 2001:db8:1000:" << std::hex << i << std::dec << "::/64 blackhole;";
  }
  return "protocol static more4 { disabled; ipv4;" + v4.str() +
         " }\nprotocol static more6 { disabled; ipv6;" + v6.str() + " }\n";
}

}  // namespace

std::string frr_zebra_config(const SpeakerOptions& options) {
  std::string text = "log stdout\nzebra nexthop-group keep " +
                     std::to_string(options.frr_keeps_groups.count()) + "\n";
  if (options.frr_form == FrrForm::flat) text += "no zebra nexthop kernel enable\n";
  return text;
}

std::string frr_bgpd_config(const SpeakerOptions& options) {
  std::ostringstream text;
  text << "log stdout\nrouter bgp " << options.as << "\n bgp router-id " << options.router_id
       << "\n no bgp ebgp-requires-policy\n no bgp network import-check\n"
       << " no bgp default ipv4-unicast\n bgp bestpath as-path multipath-relax\n timers bgp 3 9\n";
  // A router that restarts has its routes in the kernel all the while.
  if (options.graceful == Graceful::on)
    text << " bgp graceful-restart\n bgp graceful-restart preserve-fw-state\n"
         << " bgp graceful-restart select-defer-time 5\n";
  for (const auto& peer : options.peers)
    for (const Family family : {Family::v4, Family::v6}) {
      if (family == Family::v4 && over_ipv6(options)) continue;
      const auto& address = family == Family::v4 ? peer.address4 : peer.address6;
      text << " neighbor " << address << " remote-as " << peer.as << "\n neighbor " << address
           << " advertisement-interval 0\n neighbor " << address << " timers connect 1\n";
      if (over_ipv6(options)) text << " neighbor " << address << " capability extended-nexthop\n";
    }
  text << frr_family(options, Family::v4) << frr_family(options, Family::v6) << options.extra;
  return text.str();
}

std::string bird_config(const SpeakerOptions& options) {
  std::ostringstream text;
  text << "log stderr all;\nrouter id " << options.router_id
       << ";\nprotocol device { scan time 1; }\n";
  if (options.role == Role::router) {
    text << "protocol direct { ipv4; ipv6; }\n";
    for (const char* family : {"ipv4", "ipv6"})
      text << "protocol kernel { merge paths on limit 8; scan time 10; " << family
           << " { import none; export where source = RTS_BGP; }; }\n";
  } else {
    text << "protocol static service4 { ipv4; route " << kServicePrefix4 << " blackhole; }\n"
         << "protocol static service6 { ipv6; route " << kServicePrefix6 << " blackhole; }\n"
         << bird_more(options.more_prefixes);
  }
  for (std::size_t i = 0; i < options.peers.size(); ++i) {
    if (!over_ipv6(options)) text << bird_session(options, options.peers[i], i, Family::v4);
    text << bird_session(options, options.peers[i], i, Family::v6);
  }
  text << options.extra;
  return text.str();
}

std::string gobgp_config(const SpeakerOptions& options) {
  std::ostringstream text;
  text << "[global.config]\n  as = " << options.as << "\n  router-id = \"" << options.router_id
       << "\"\n  port = 179\n";
  const auto family = [&](const char* name) {
    text << "  [[neighbors.afi-safis]]\n    [neighbors.afi-safis.config]\n      afi-safi-name = \""
         << name << "\"\n";
    if (options.graceful == Graceful::on)
      text << "    [neighbors.afi-safis.mp-graceful-restart.config]\n      enabled = true\n";
  };
  const auto session = [&](const std::string& address, unsigned as) {
    text << "[[neighbors]]\n  [neighbors.config]\n    neighbor-address = \"" << address
         << "\"\n    peer-as = " << as
         << "\n  [neighbors.timers.config]\n    hold-time = 9\n    keepalive-interval = 3\n"
         << "    connect-retry = 1\n    idle-hold-time-after-reset = 1\n";
    if (options.graceful == Graceful::on)
      text << "  [neighbors.graceful-restart.config]\n    enabled = true\n    restart-time = 20\n";
  };
  for (const auto& peer : options.peers) {
    if (!over_ipv6(options)) {
      session(peer.address4, peer.as);
      family("ipv4-unicast");
    }
    session(peer.address6, peer.as);
    family("ipv6-unicast");
    if (over_ipv6(options)) family("ipv4-unicast");
  }
  text << options.extra;
  return text.str();
}

}  // namespace hopwise::lab
