// Builds the topology bottom up: namespaces and links, addresses, fixed routes, the answering
// program, then routing. Inside, a step that fails throws (Result::value()); open() is the edge.
#include "test/lab/lab.hpp"

#include <stdlib.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <map>
#include <nlohmann/json.hpp>
#include <set>
#include <sstream>
#include <stdexcept>

#include "test/lab/plan.hpp"
#include "test/lab/return_path.hpp"
#include "test/lab/speaker.hpp"

namespace hopwise::lab {
namespace {

using namespace std::chrono_literals;

constexpr std::size_t kMostUpstreams = 8;
// FRR and BIRD retry a session each second; a machine under load needs a few rounds.
constexpr Duration kRoutingTimeout = 40s;

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

// "nexthop via A dev X nexthop via B dev Y", or "via A dev X" for one.
std::string nexthops(const std::vector<std::pair<std::string, std::string>>& gateways) {
  std::string text;
  for (const auto& [gateway, device] : gateways)
    text += (gateways.size() > 1 ? " nexthop via " : " via ") + gateway + " dev " + device;
  return text;
}

std::string listed(const std::vector<std::size_t>& numbers) {
  std::string text;
  for (const auto i : numbers) text += (text.empty() ? "" : ",") + std::to_string(i);
  return text.empty() ? "none" : text;
}

Result<> check(const Topology& t) {
  if (t.upstreams.empty() || t.upstreams.size() > kMostUpstreams)
    return Error{"lab: " + std::to_string(t.upstreams.size()) + " upstreams (1 to 8 are possible)"};
  for (const auto& upstream : t.upstreams)
    if ((upstream.daemon == Daemon::none) != (t.router == Daemon::none))
      return Error{
          "lab: upstream " + upstream.name +
          ": the router and its upstreams must all have a routing daemon, or none of them"};
  return {};
}

}  // namespace

struct Lab::Impl {
  explicit Impl(const Topology& t);
  ~Impl();

  void link_client();
  void link_wan(std::size_t i);
  void link_core(std::size_t i);
  void set_up_server();
  void start_routing();
  Result<> fix_routes() const;  // where no daemon does
  Result<> set_wan_addresses(std::size_t i) const;
  [[nodiscard]] std::set<int> groups(const std::string& device) const;
  [[nodiscard]] Plan plan(std::size_t i) const { return {i, topology.wan}; }

  struct Offer {
    std::size_t upstream;
    IpAddress gateway;
  };
  [[nodiscard]] std::vector<Offer> offers(Family family) const;

  Topology topology;
  std::filesystem::path folder = make_folder();
  LastWill folder_removal;
  Namespace client = make_node("client");
  Namespace router = make_router("router");
  Namespace server = make_node("server");
  std::optional<Namespace> exchange;  // the bridge of a shared WAN
  std::vector<Namespace> upstreams;
  std::unique_ptr<Relay> relay = Relay::open().value();
  std::vector<LinkId> core;
  std::optional<Speaker> router_speaker;
  std::vector<Speaker> speakers;
  std::set<std::size_t> announced;                          // without daemons
  std::map<std::size_t, std::set<int>> groups_before_down;  // by upstream
  std::filesystem::path hopwise_socket = "/run/hopwise/hopwise.sock";
};

Lab::Impl::Impl(const Topology& t)
    : topology(t), folder_removal([this] {
        std::string command = "rm -rf " + folder.string();
        const std::string space = "hw" + std::to_string(::getpid()) + "-";
        command += " " + frr_sockets(space + "router");
        for (std::size_t i = 0; i < topology.upstreams.size(); ++i)
          command += " " + frr_sockets(space + "up" + std::to_string(i));
        return LastWill::write(command).value();
      }()) {
  if (topology.wan == Wan::shared) {
    exchange = make_node("exchange");
    exchange->ip("link add lan type bridge forward_delay 0 mcast_snooping 0\nlink set lan up")
        .value();
    veth({router, "wan0"}, {*exchange, "router"}).value();
    exchange->ip("link set router master lan\nlink set router up").value();
  }
  link_client();
  for (std::size_t i = 0; i < topology.upstreams.size(); ++i) {
    upstreams.push_back(make_router("up" + std::to_string(i)));
    link_wan(i);
    link_core(i);
    announced.insert(i);
  }
  set_up_server();
  start_routing();
}

Lab::Impl::~Impl() {
  // All at once, so that none spends time on the others' disappearance.
  if (router_speaker) router_speaker->kill();
  for (auto& speaker : speakers) speaker.kill();
}

void Lab::Impl::link_client() {
  veth({router, "lan0"}, {client, "eth0"}).value();
  router
      .ip("addr add 10.10.0.1/24 dev lan0\naddr add fd00:10::1/64 dev lan0 nodad\n"
          "link set lan0 up")
      .value();
  client
      .ip("addr add 10.10.0.2/24 dev eth0\naddr add fd00:10::2/64 dev eth0 nodad\n"
          "link set eth0 up\nroute add default via 10.10.0.1\n"
          "route add default via fd00:10::1")
      .value();
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
  if (!p.shared() || i == 0)
    router
        .ip("link set " + device + " addrgenmode none\naddr add " + p.router4() + p.bits4() +
            " dev " + device + "\naddr add " + p.router6() + "/64 dev " + device +
            " nodad\naddr add fe80::1/64 dev " + device + " nodad\nlink set " + device + " up")
        .value();
  upstreams[i].ip("link set eth0 addrgenmode none").value();
  set_wan_addresses(i).value();
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

void Lab::Impl::link_core(std::size_t i) {
  const Plan p = plan(i);
  const std::string far = p.core_device();
  core.push_back(relay->connect({upstreams[i], "core"}, {server, far}).value());
  // Fixed neighbours: resolution on a lossy line would add its own seconds to every test.
  const auto end = [&](const Namespace& where, const std::string& device, const char* mine,
                       const char* theirs, const std::string& mac) {
    std::string lines = "addr add " + p.core4(mine) + "/30 dev " + device + "\naddr add " +
                        p.core6(mine) + "/64 dev " + device + " nodad";
    for (const auto& address : {p.core4(theirs), p.core6(theirs)})
      lines += "\nneigh replace " + address + " lladdr " + mac + " dev " + device;
    where.ip(lines).value();
  };
  end(upstreams[i], "core", "1", "2", mac_address(core[i], Side::b));
  end(server, far, "2", "1", mac_address(core[i], Side::a));
  upstreams[i]
      .ip(std::string("route add ") + kServicePrefix4 + " via " + p.core4("2") + "\nroute add " +
          kServicePrefix6 + " via " + p.core6("2"))
      .value();
  relay->set(core[i], topology.upstreams[i].impairment);
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
  SpeakerOptions own{.daemon = topology.router,
                     .role = Role::router,
                     .as = kRouterAs,
                     .router_id = "10.99.255.1",
                     .peers = {}};
  for (std::size_t i = 0; i < upstreams.size(); ++i) {
    const Plan p = plan(i);
    own.peers.push_back({p.gateway4(), p.gateway6(), p.as()});
    speakers.push_back(Speaker::start(upstreams[i], folder,
                                      {.daemon = topology.upstreams[i].daemon,
                                       .role = Role::upstream,
                                       .as = p.as(),
                                       .router_id = "10.99.255." + std::to_string(11 + i),
                                       .peers = {{p.router4(), p.router6(), kRouterAs}}})
                           .value());
  }
  router_speaker = Speaker::start(router, folder, own).value();
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

std::vector<Lab::Impl::Offer> Lab::Impl::offers(Family family) const {
  const bool v4 = family == Family::v4;
  const auto text = run({"ip", "-n", router.name(), "-j", v4 ? "-4" : "-6", "route", "show",
                         v4 ? kServicePrefix4 : kServicePrefix6});
  if (!text || text->empty()) return {};
  std::vector<Offer> found;
  const auto add = [&](const nlohmann::json& hop) {
    const auto flags = hop.value("flags", std::vector<std::string>{});
    if (std::find(flags.begin(), flags.end(), "dead") != flags.end()) return;
    // By value: "fd00:99:0::2" has other spellings.
    const auto gateway = IpAddress::parse(hop.value("gateway", std::string()));
    for (std::size_t i = 0; gateway && i < upstreams.size(); ++i) {
      const Plan p = plan(i);
      for (const auto& own : {p.gateway4(), p.gateway6(), p.gateway_link_local()})
        if (hop.value("dev", std::string()) == p.router_device() &&
            gateway == IpAddress::parse(own))
          found.push_back({i, *gateway});
    }
  };
  for (const auto& route : nlohmann::json::parse(*text)) {
    if (!route.contains("nexthops")) add(route);
    for (const auto& hop : route.value("nexthops", nlohmann::json::array())) add(hop);
  }
  std::sort(found.begin(), found.end(),
            [](const Offer& a, const Offer& b) { return a.upstream < b.upstream; });
  return found;
}

// The router's nexthop groups with a member on `device`; of every device when it is empty.
std::set<int> Lab::Impl::groups(const std::string& device) const {
  const auto objects =
      nlohmann::json::parse(run({"ip", "-n", router.name(), "-j", "nexthop"}).value());
  std::set<int> members, found;
  for (const auto& object : objects)
    if (object.value("dev", std::string()) == device) members.insert(object.value("id", 0));
  for (const auto& object : objects)
    for (const auto& member : object.value("group", nlohmann::json::array()))
      if (device.empty() || members.contains(member.value("id", 0)))
        found.insert(object.value("id", 0));
  return found;
}

Lab::Lab(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Lab::~Lab() = default;

Result<std::unique_ptr<Lab>> Lab::open(const Topology& topology) {
  if (auto fit = check(topology); !fit) return fit.error();
  try {
    std::unique_ptr<Lab> lab(new Lab(std::make_unique<Impl>(topology)));
    std::vector<std::size_t> all(topology.upstreams.size());
    for (std::size_t i = 0; i < all.size(); ++i) all[i] = i;
    if (auto routed = lab->wait_until_offered(all, kRoutingTimeout); !routed) return routed.error();
    return lab;
  } catch (const std::exception& e) {
    return Error{std::string("open the lab: ") + e.what()};
  }
}

const Topology& Lab::topology() const {
  return impl_->topology;
}
const Namespace& Lab::client() const {
  return impl_->client;
}
const Namespace& Lab::router() const {
  return impl_->router;
}
const Namespace& Lab::server() const {
  return impl_->server;
}
const Namespace& Lab::upstream(std::size_t i) const {
  return impl_->upstreams.at(i);
}
const std::filesystem::path& Lab::folder() const {
  return impl_->folder;
}
Relay& Lab::relay() {
  return *impl_->relay;
}
LinkId Lab::core_link(std::size_t i) const {
  return impl_->core.at(i);
}
std::string Lab::wan_device(std::size_t i) const {
  return impl_->plan(i).router_device();
}

Result<IpAddress> Lab::gateway(std::size_t i, Family family) const {
  for (const auto& offer : impl_->offers(family))
    if (offer.upstream == i) return offer.gateway;
  return Error{"the router has no route by upstream " + impl_->topology.upstreams.at(i).name};
}

std::vector<std::size_t> Lab::offered(Family family) const {
  std::vector<std::size_t> found;
  for (const auto& offer : impl_->offers(family))
    if (found.empty() || found.back() != offer.upstream) found.push_back(offer.upstream);
  return found;
}

Result<> Lab::wait_until_offered(const std::vector<std::size_t>& upstreams,
                                 Duration timeout) const {
  const auto all = [&] {
    return offered(Family::v4) == upstreams && offered(Family::v6) == upstreams;
  };
  if (eventually(timeout, all)) return {};
  std::string words = impl_->router_speaker ? impl_->router_speaker->last_words() : "";
  for (const auto& speaker : impl_->speakers) words += speaker.last_words();
  return Error{"the router's routes do not have upstreams " + listed(upstreams) +
               " but, for IPv4, " + listed(offered(Family::v4)) + " and, for IPv6, " +
               listed(offered(Family::v6)) + words};
}

Result<> Lab::withdraw(std::size_t i) {
  if (!impl_->speakers.empty()) return impl_->speakers.at(i).withdraw();
  impl_->announced.erase(i);
  return impl_->fix_routes();
}

Result<> Lab::announce(std::size_t i) {
  if (!impl_->speakers.empty()) return impl_->speakers.at(i).announce();
  impl_->announced.insert(i);
  return impl_->fix_routes();
}

Result<> Lab::set_wan_link(std::size_t i, LinkState state) {
  auto& before = impl_->groups_before_down;
  if (state == LinkState::down) {
    before[i] = impl_->groups(wan_device(i));
    return impl_->upstreams.at(i).ip("link set eth0 down");
  }
  eventually(5s, [&] {
    const auto now = impl_->groups({});
    return std::none_of(before[i].begin(), before[i].end(),
                        [&](int group) { return now.contains(group); });
  });
  return impl_->set_wan_addresses(i);
}

Result<Process> Lab::start(const Namespace& where, const std::vector<std::string>& argv,
                           const std::string& log) {
  return Process::start(where, argv, impl_->folder / (log + ".log"));
}

const std::filesystem::path& Lab::hopwise_socket() const {
  return impl_->hopwise_socket;
}
void Lab::set_hopwise_socket(std::filesystem::path path) {
  impl_->hopwise_socket = std::move(path);
}

}  // namespace hopwise::lab
