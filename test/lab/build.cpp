// Builds the topology bottom up: namespaces and links, addresses, fixed routes, the answering
// program, then routing. A step that fails throws (Result::value()); Lab::open() is the edge.
#include "test/lab/build.hpp"

#include <stdlib.h>
#include <unistd.h>

#include <cerrno>
#include <stdexcept>

#include "test/lab/return_path.hpp"

namespace hopwise::lab {
namespace {

std::filesystem::path make_folder() {
  std::string path = "/tmp/hopwise-lab-XXXXXX";
  if (::mkdtemp(path.data()) == nullptr)
    throw std::runtime_error(system_error("make " + path, errno).message);
  // FRR reads its files as user frr.
  std::filesystem::permissions(path, std::filesystem::perms(0755));
  return path;
}

Namespace make_node(const std::string& label) {
  auto node = Namespace::create(label).value();
  for (const char* family : {"ipv4", "ipv6"})
    for (const char* which : {"all", "default"}) {
      const std::string base = std::string("net/") + family + "/conf/" + which + "/";
      if (family == std::string("ipv4")) {
        node.sysctl(base + "rp_filter", "0").value();
      } else {
        node.sysctl(base + "accept_dad", "0").value();
        node.sysctl(base + "accept_ra", "0").value();
        // Else a WAN link that goes down and up comes back without its addresses.
        node.sysctl(base + "keep_addr_on_down", "1").value();
      }
    }
  return node;
}

Namespace make_router(const std::string& label) {
  auto node = make_node(label);
  node.sysctl("net/ipv4/ip_forward", "1").value();
  node.sysctl("net/ipv6/conf/all/forwarding", "1").value();
  // By ports too: flows between two hosts spread over the nexthops.
  node.sysctl("net/ipv4/fib_multipath_hash_policy", "1").value();
  node.sysctl("net/ipv6/fib_multipath_hash_policy", "1").value();
  return node;
}

// FRR leaves its socket folders behind; they go with the lab's own.
std::string removal(const std::filesystem::path& folder, std::size_t upstreams) {
  const std::string space = "hw" + std::to_string(::getpid()) + "-";
  std::string command = "rm -rf " + folder.string() + " " + frr_sockets(space + "router");
  for (std::size_t i = 0; i < upstreams; ++i)
    command += " " + frr_sockets(space + "up" + std::to_string(i));
  return command;
}

// "nexthop via A dev X nexthop via B dev Y", or "via A dev X" for one.
std::string nexthops(const std::vector<std::pair<std::string, std::string>>& gateways) {
  std::string text;
  for (const auto& [gateway, device] : gateways)
    text += (gateways.size() > 1 ? " nexthop via " : " via ") + gateway + " dev " + device;
  return text;
}

// `net4` and `net6`: the LAN's addresses without the host, "10.10.0." and "fd00:10::".
void link_client(const Namespace& router, const Namespace& client, const std::string& net4,
                 const std::string& net6) {
  veth({router, "lan0"}, {client, "eth0"}).value();
  router
      .ip("addr add " + net4 + "1/24 dev lan0\naddr add " + net6 + "1/64 dev lan0 nodad\n" +
          "link set lan0 up")
      .value();
  client
      .ip("addr add " + net4 + "2/24 dev eth0\naddr add " + net6 + "2/64 dev eth0 nodad\n" +
          "link set eth0 up\nroute add default via " + net4 + "1\nroute add default via " + net6 +
          "1")
      .value();
}

struct Addresses {
  std::string v4, v6;
};

// The end of an emulated link. Fixed neighbours: resolution on a lossy line would add its own
// seconds to every test.
Result<> address(const Namespace& where, const std::string& device, const Addresses& mine,
                 const Addresses& theirs, const std::string& their_mac) {
  std::string lines = "addr add " + mine.v4 + "/30 dev " + device + "\naddr add " + mine.v6 +
                      "/64 dev " + device + " nodad";
  for (const auto& neighbour : {theirs.v4, theirs.v6})
    lines += "\nneigh replace " + neighbour + " lladdr " + their_mac + " dev " + device;
  return where.ip(lines);
}

}  // namespace

Lab::Impl::Impl(const Topology& t)
    : topology(t),
      folder(make_folder()),
      folder_removal(LastWill::write(removal(folder, t.upstreams.size())).value()),
      client(make_node("client")),
      router(make_router("router")),
      server(make_node("server")),
      relay(Relay::open().value()) {
  if (topology.wan == Wan::shared) {
    exchange = make_node("exchange");
    exchange->ip("link add lan type bridge forward_delay 0 mcast_snooping 0\nlink set lan up")
        .value();
    veth({router, "wan0"}, {*exchange, "router"}).value();
    exchange->ip("link set router master lan\nlink set router up").value();
  }
  link_client(router, client, "10.10.0.", "fd00:10::");
  for (std::size_t i = 0; i < topology.upstreams.size(); ++i) {
    upstreams.push_back(make_router("up" + std::to_string(i)));
    link_wan(i);
    link_core(i);
    announced.insert(i);
  }
  set_up_server();
  if (topology.sites == 2) add_second_site();
  start_routing();
}

Lab::Impl::~Impl() {
  // All at once, so that none spends time on the others' disappearance.
  if (router_speaker) router_speaker->kill();
  for (auto& speaker : speakers) speaker.kill();
}

void Lab::Impl::link_wan(std::size_t i) {
  const Plan p = plan(i);
  const std::string device = p.router_device();
  if (p.shared()) {
    const std::string port = "port" + p.number();
    veth({upstreams[i], "eth0"}, {*exchange, port}).value();
    exchange->ip("link set " + port + " master lan\nlink set " + port + " up").value();
  } else {
    veth({router, device}, {upstreams[i], "eth0"}).value();
  }
  set_up_wan(i).value();
}

// Both ends of a fresh link; the router's end of a shared one once.
Result<> Lab::Impl::set_up_wan(std::size_t i) const {
  const Plan p = plan(i);
  const std::string device = p.router_device();
  if (!p.shared() || i == 0)
    if (auto near = router.ip("link set " + device + " addrgenmode none\naddr add " + p.router4() +
                              p.bits4() + " dev " + device + "\naddr add " + p.router6() +
                              "/64 dev " + device + " nodad\naddr add fe80::1/64 dev " + device +
                              " nodad\nlink set " + device + " up");
        !near)
      return near;
  if (auto far = upstreams[i].ip("link set eth0 addrgenmode none"); !far) return far;
  return set_wan_addresses(i);
}

// All that an interface loses by going down, too.
Result<> Lab::Impl::set_wan_addresses(std::size_t i) const {
  const Plan p = plan(i);
  return upstreams[i].ip("link set eth0 up\naddr replace " + p.gateway4() + p.bits4() +
                         " dev eth0\naddr replace " + p.gateway6() +
                         "/64 dev eth0 nodad\naddr replace " + p.gateway_link_local() +
                         "/64 dev eth0 nodad\nroute replace " + kClientPrefix4 + " via " +
                         p.router4() + "\nroute replace " + kClientPrefix6 + " via " + p.router6());
}

// Nothing of it is BGP's: its routes never change.
void Lab::Impl::add_second_site() {
  second.emplace(SecondSite{make_node("client2"), make_router("router2")});
  link_client(second->router, second->client, "10.11.0.", "fd00:11::");
  std::vector<std::pair<std::string, std::string>> to4, to6;
  for (std::size_t i = 0; i < upstreams.size(); ++i) {
    const Plan p = plan(i);
    const std::string device = p.second_device();
    veth({second->router, device}, {upstreams[i], "eth1"}).value();
    const auto end = [&](const Namespace& where, const std::string& name, const char* host) {
      where
          .ip("addr add " + p.second4(host) + "/30 dev " + name + "\naddr add " + p.second6(host) +
              "/64 dev " + name + " nodad\nlink set " + name + " up")
          .value();
    };
    end(second->router, device, "1");
    end(upstreams[i], "eth1", "2");
    upstreams[i]
        .ip(std::string("route add ") + kSecondClientPrefix4 + " via " + p.second4("1") +
            "\nroute add " + kSecondClientPrefix6 + " via " + p.second6("1"))
        .value();
    to4.emplace_back(p.second4("2"), device);
    to6.emplace_back(p.second6("2"), device);
  }
  second->router
      .ip(std::string("route add ") + kServicePrefix4 + nexthops(to4) + "\nroute add " +
          kServicePrefix6 + nexthops(to6))
      .value();
}

void Lab::Impl::link_core(std::size_t i) {
  const Plan p = plan(i);
  core.push_back(relay->connect({upstreams[i], "core"}, {server, p.core_device()}).value());
  address(upstreams[i], "core", {p.core4("1"), p.core6("1")}, {p.core4("2"), p.core6("2")},
          mac_address(core[i], Side::b))
      .value();
  address(server, p.core_device(), {p.core4("2"), p.core6("2")}, {p.core4("1"), p.core6("1")},
          mac_address(core[i], Side::a))
      .value();
  upstreams[i]
      .ip(std::string("route add ") + kServicePrefix4 + " via " + p.core4("2") + "\nroute add " +
          kServicePrefix6 + " via " + p.core6("2"))
      .value();
  relay->set(core[i], topology.upstreams[i].impairment);
}

Result<LinkId> Lab::Impl::add_line(std::size_t i, const Prefix& prefix) {
  const Plan p = plan(i);
  const auto line = relay->connect({upstreams[i], "own"}, {server, p.own_device()});
  if (!line) return line;
  const Addresses near{p.own4("1"), p.own6("1")}, far{p.own4("2"), p.own6("2")};
  if (auto set = address(upstreams[i], "own", near, far, mac_address(*line, Side::b)); !set)
    return set.error();
  if (auto set = address(server, p.own_device(), far, near, mac_address(*line, Side::a)); !set)
    return set.error();
  const std::string& via = prefix.address.family == Family::v4 ? far.v4 : far.v6;
  if (auto set = upstreams[i].ip("route replace " + prefix.text() + " via " + via); !set)
    return set.error();
  return line;
}

void Lab::Impl::set_up_server() {
  std::string addresses;
  for (const char* host : {"1", "9", "10"})
    addresses += std::string("addr add 203.0.113.") + host +
                 "/32 dev lo\naddr add 2001:db8:113::" + host + "/128 dev lo nodad\n";
  std::vector<std::pair<std::string, std::string>> back4, back6;
  std::vector<std::string> devices;
  for (std::size_t i = 0; i < upstreams.size(); ++i) {
    const Plan p = plan(i);
    devices.push_back(p.core_device());
    back4.emplace_back(p.core4("1"), p.core_device());
    back6.emplace_back(p.core6("1"), p.core_device());
  }
  server
      .ip(addresses + "route add default" + nexthops(back4) + "\nroute add ::/0" + nexthops(back6))
      .value();
  answer_by_origin(server, devices).value();
}

void Lab::Impl::start_routing() {
  if (topology.router == Daemon::none) {
    // Without a daemon nobody but the kernel takes a nexthop away when its carrier goes.
    router.sysctl("net/ipv4/conf/all/ignore_routes_with_linkdown", "1").value();
    router.sysctl("net/ipv6/conf/all/ignore_routes_with_linkdown", "1").value();
    fix_routes().value();
    return;
  }
  if (topology.frr_form == FrrForm::groups_only)
    router.sysctl("net/ipv4/nexthop_compat_mode", "0").value();
  SpeakerOptions own{.daemon = topology.router,
                     .role = Role::router,
                     .as = kRouterAs,
                     .router_id = "10.99.255.1",
                     .peers = {},
                     .extra = topology.router_extra,
                     .frr_form = topology.frr_form,
                     .frr_keeps_groups = topology.frr_keeps_groups,
                     .ipv4_over = topology.ipv4_over,
                     .graceful = topology.graceful};
  for (std::size_t i = 0; i < upstreams.size(); ++i) {
    const Plan p = plan(i);
    own.peers.push_back({p.gateway4(), p.gateway6(), p.as()});
    speakers.push_back(Speaker::start(upstreams[i], folder,
                                      {.daemon = topology.upstreams[i].daemon,
                                       .role = Role::upstream,
                                       .as = p.as(),
                                       .router_id = "10.99.255." + std::to_string(11 + i),
                                       .peers = {{p.router4(), p.router6(), kRouterAs}},
                                       .ipv4_over = topology.ipv4_over,
                                       .graceful = topology.graceful,
                                       .own4 = p.gateway4(),
                                       .own6 = p.gateway6(),
                                       .more_prefixes = topology.more_prefixes})
                           .value());
  }
  if (topology.frr_form == FrrForm::flat && topology.ipv4_over == Ipv4Over::ipv6)
    for (std::size_t i = 0; i < upstreams.size(); ++i) know_onlink_neighbour(i);
  router_speaker = Speaker::start(router, folder, own).value();
}

// FRR's flat form writes IPv6 gateways of IPv4 routes as 169.254.0.1, and a fixed neighbour of that
// name once it hears the gateway's router advertisement: the MAC address that its link-local
// address was made of (RFC 4291, appendix A). So the upstreams have those, and the neighbours of
// upstreams that advertise nothing are written here.
void Lab::Impl::know_onlink_neighbour(std::size_t i) const {
  const Plan p = plan(i);
  upstreams[i].ip("link set eth0 address " + p.link_local_mac()).value();
  router
      .ip("neigh replace 169.254.0.1 lladdr " + p.link_local_mac() + " dev " + p.router_device() +
          " nud permanent")
      .value();
}

Result<> Lab::Impl::fix_routes() const {
  std::vector<std::pair<std::string, std::string>> to4, to6;
  for (const auto i : announced) {
    to4.emplace_back(plan(i).gateway4(), plan(i).router_device());
    to6.emplace_back(plan(i).gateway6(), plan(i).router_device());
  }
  const std::string head = announced.empty() ? "route flush " : "route replace ";
  return router.ip(head + kServicePrefix4 + nexthops(to4) + "\n" + head + kServicePrefix6 +
                   nexthops(to6));
}

}  // namespace hopwise::lab
