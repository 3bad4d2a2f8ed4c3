// An open lab: what routing offers in the router's kernel, and changes to it.
#include "test/lab/lab.hpp"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <numeric>

#include "test/lab/build.hpp"

namespace hopwise::lab {
namespace {

using namespace std::chrono_literals;

constexpr std::size_t kMostUpstreams = 8;
// FRR and BIRD retry a session each second; a machine under load needs a few rounds.
constexpr Duration kRoutingTimeout = 40s;

std::string listed(const std::vector<std::size_t>& numbers) {
  std::string text;
  for (const auto i : numbers) text += (text.empty() ? "" : ",") + std::to_string(i);
  return text.empty() ? "none" : text;
}

Result<> check(const Topology& t) {
  if (t.upstreams.empty() || t.upstreams.size() > kMostUpstreams)
    return Error{"lab: " + std::to_string(t.upstreams.size()) + " upstreams (1 to 8 are possible)"};
  if (t.router == Daemon::gobgp)
    return Error{"lab: a GoBGP router (it does not write the kernel: GoBGP is for upstreams)"};
  if (t.ipv4_over == Ipv4Over::ipv6 && t.router == Daemon::none)
    return Error{"lab: IPv4 over IPv6 gateways without a routing daemon"};
  for (const auto& upstream : t.upstreams)
    if ((upstream.daemon == Daemon::none) != (t.router == Daemon::none))
      return Error{
          "lab: upstream " + upstream.name +
          ": the router and its upstreams must all have a routing daemon, or none of them"};
  if (t.sites < 1 || t.sites > 2)
    return Error{"lab: " + std::to_string(t.sites) + " sites (1 or 2 are possible)"};
  return {};
}

}  // namespace

// Which upstream a hop is, and by which of its addresses. FRR's flat form writes 169.254.0.1 for an
// IPv6 gateway of an IPv4 route, on every interface the same.
std::optional<Lab::Impl::Offer> Lab::Impl::offer(const nlohmann::json& hop) const {
  for (const auto& flag : hop.value("flags", std::vector<std::string>{}))
    if (flag == "dead" || flag == "linkdown") return std::nullopt;
  // By value: "fd00:99:0::2" has other spellings.
  const auto written =
      hop.contains("via") ? hop["via"].value("host", "") : hop.value("gateway", std::string());
  const auto gateway = IpAddress::parse(written);
  for (std::size_t i = 0; gateway && i < upstreams.size(); ++i) {
    const Plan p = plan(i);
    if (hop.value("dev", std::string()) != p.router_device()) continue;
    if (written == "169.254.0.1" && !p.shared()) return Offer{i, *gateway};
    for (const auto& own : {p.gateway4(), p.gateway6(), p.gateway_link_local()})
      if (gateway == IpAddress::parse(own)) return Offer{i, *gateway};
  }
  return std::nullopt;
}

// The hops of the nexthop object `id`, those of its members where it is a group.
std::vector<nlohmann::json> Lab::Impl::object_hops(int id) const {
  const auto text =
      run({"ip", "-n", router.name(), "-j", "nexthop", "show", "id", std::to_string(id)});
  if (!text || text->empty()) return {};
  std::vector<nlohmann::json> hops;
  for (const auto& object : nlohmann::json::parse(*text)) {
    if (!object.contains("group")) hops.push_back(object);
    for (const auto& member : object.value("group", nlohmann::json::array()))
      for (auto& hop : object_hops(member.value("id", 0))) hops.push_back(std::move(hop));
  }
  return hops;
}

std::vector<Lab::Impl::Offer> Lab::Impl::offers(Family family) const {
  const bool v4 = family == Family::v4;
  const auto text = run({"ip", "-n", router.name(), "-j", v4 ? "-4" : "-6", "route", "show",
                         v4 ? kServicePrefix4 : kServicePrefix6});
  if (!text || text->empty()) return {};
  std::vector<Offer> found;
  const auto add = [&](const nlohmann::json& hop) {
    if (const auto made = offer(hop)) found.push_back(*made);
  };
  for (const auto& route : nlohmann::json::parse(*text)) {
    if (route.contains("nexthops"))
      for (const auto& hop : route["nexthops"]) add(hop);
    else if (route.contains("dev"))
      add(route);
    else
      for (const auto& hop : object_hops(route.value("nhid", 0))) add(hop);
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
const Namespace& Lab::client(Site site) const {
  return site == Site::first ? impl_->client : impl_->second.value().client;
}
const Namespace& Lab::router(Site site) const {
  return site == Site::first ? impl_->router : impl_->second.value().router;
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
Result<LinkId> Lab::add_line(std::size_t i, const Prefix& prefix) {
  return impl_->add_line(i, prefix);
}
std::string Lab::wan_device(std::size_t i) const {
  return impl_->plan(i).router_device();
}

Result<IpAddress> Lab::gateway(std::size_t i, Family family, Site site) const {
  if (site == Site::second) {
    const Plan p = impl_->plan(i);
    return *IpAddress::parse(family == Family::v4 ? p.second4("2") : p.second6("2"));
  }
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
  return restore_wan_link(i);
}

Result<> Lab::restore_wan_link(std::size_t i) {
  return impl_->set_wan_addresses(i);
}

Result<> Lab::remake_wan_link(std::size_t i) {
  const auto device = wan_device(i);
  const auto links = run({"ip", "-n", impl_->router.name(), "-j", "link", "show", device});
  if (!links) return links.error();
  const auto index = nlohmann::json::parse(*links).at(0).at("ifindex").get<int>();
  if (auto gone = impl_->router.ip("link del " + device); !gone) return gone;
  if (auto made =
          impl_->router.ip("link add " + device + " index " + std::to_string(index) +
                           " type veth peer name eth0 netns " + impl_->upstreams.at(i).name());
      !made)
    return made;
  if (auto set = impl_->set_up_wan(i); !set) return set;
  return impl_->topology.router == Daemon::none ? impl_->fix_routes() : Result<>{};
}

Speaker& Lab::router_speaker() const {
  return impl_->router_speaker.value();
}
Speaker& Lab::speaker(std::size_t i) const {
  return impl_->speakers.at(i);
}

Result<Process> Lab::start(const Namespace& where, const std::vector<std::string>& argv,
                           const std::string& log) {
  return Process::start(where, argv, impl_->folder / (log + ".log"));
}

}  // namespace hopwise::lab
