// The lab: a router with several upstreams to one service, out of namespaces and real daemons.
//
//   client --veth-- router --veth-- upstream 0 ==emulated link== server
//          lan0/eth0      \  wan0/eth0        core/core0        /
//                          \--veth-- upstream 1 ==emulated====/
//                            wan1/eth0          core/core1
//
// The emulated links lie beyond the first hop: the kernel and BGP of the router see nothing of
// their delay and loss. The server answers every flow by the link on which it last came, so that
// a path is measured and used both ways. Everything is IPv4 and IPv6.
//
//   client LAN         10.10.0.0/24   fd00:10::/64      router .1 ::1, client .2 ::2
//   WAN i              10.99.i.0/30   fd00:99:i::/64    router .1 ::1, upstream .2 ::2
//   shared WAN         10.99.0.0/24   fd00:99::/64      router .1 ::1, upstream i .(i+2) ::(i+2)
//   link-local on both                fe80::/64         router ::1, upstream i ::(i+2)
//   core i             10.98.i.0/30   fd00:98:i::/64    upstream .1 ::1, server .2 ::2
//   service prefixes   203.0.113.0/24 2001:db8:113::/48 on the server's lo: .1 (anchor) .9 .10,
//                                                       ::1 (anchor) ::9 ::10
//   line of its own i  10.96.i.0/30   fd00:96:i::/64    as core i, for one prefix: add_line()
//   AS numbers         router 65000, upstream i 65100 + i
//
// With `sites` 2 there is another client and another router, "the second site", with links of its
// own to the same upstreams: two routers that know nothing of each other share the emulated links.
//
//   second LAN         10.11.0.0/24   fd00:11::/64      as the first
//   second WAN i       10.97.i.0/30   fd00:97:i::/64    as the first, separate always
//
// Whatever ends the process that holds the lab, SIGKILL too, ends everything in it: see
// last_will.hpp.
#pragma once

#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "core/model/address.hpp"
#include "core/model/result.hpp"
#include "core/model/time.hpp"
#include "test/lab/link.hpp"
#include "test/lab/namespace.hpp"
#include "test/lab/process.hpp"

namespace hopwise::lab {

enum class Daemon : std::uint8_t {
  none,  // fixed routes by `ip route`
  frr,
  bird,
  gobgp,  // of an upstream alone: it does not write the kernel
};

/// How an FRR router writes its routes into the kernel.
enum class FrrForm : std::uint8_t {
  groups,       // FRR's default: nexthop objects, and the kernel tells the legs with every route
  groups_only,  // with net.ipv4.nexthop_compat_mode=0: routes name their nexthop object alone
  flat,         // `no zebra nexthop kernel enable`: no nexthop objects
};

/// Whose gateways the IPv4 service prefix has.
enum class Ipv4Over : std::uint8_t {
  ipv4,
  ipv6,  // RFC 8950: said in the IPv6 session, and no IPv4 session is there
};

/// What a BGP session that breaks leaves behind (RFC 4724), on both sides of every session.
enum class Graceful : std::uint8_t { off, on };

/// Where the upstreams' gateways are, seen from the router.
enum class Wan : std::uint8_t {
  separate,  // one interface each: wan0, wan1, ...
  shared,    // all on wan0, behind a bridge: an exchange's LAN
};

struct UpstreamSpec {
  std::string name;
  Daemon daemon = Daemon::frr;
  Impairment impairment;         // of its emulated link, both directions
  std::uint64_t told_bit_s = 0;  // its capacity, as hopwise is told by the demo; 0: it is not
};

struct Topology {
  std::vector<UpstreamSpec> upstreams;  // 1 to 8
  Daemon router = Daemon::frr;
  Wan wan = Wan::separate;
  int sites = 1;  // 2: a second router, with fixed routes
  FrrForm frr_form = FrrForm::groups;
  Ipv4Over ipv4_over = Ipv4Over::ipv4;  // not with fixed routes
  Graceful graceful = Graceful::off;
  /// How long an FRR router keeps a nexthop group that nothing uses. FRR's default is 180 s, and
  /// then a link that flaps finds its old group, which the kernel has taken a member from.
  std::chrono::seconds frr_keeps_groups{1};
  /// So many prefixes more can every BIRD upstream say: see Speaker::announce_more().
  int more_prefixes = 0;
  /// More text at the end of the router's bgpd.conf (FRR) or bird.conf (BIRD).
  std::string router_extra{};
};

enum class Site : std::uint8_t { first, second };

enum class LinkState : std::uint8_t { up, down };

class Speaker;

inline constexpr const char* kService4 = "203.0.113.9";
inline constexpr const char* kService6 = "2001:db8:113::9";
inline constexpr const char* kAnchor4 = "203.0.113.1";
inline constexpr const char* kAnchor6 = "2001:db8:113::1";

/// How to start hopwise in the router.
struct HopwiseRun {
  std::filesystem::path binary;
  std::optional<std::string> config;   // JSON text; empty: no configuration file at all
  std::vector<std::string> arguments;  // more, after `run`
};

class Lab {
 public:
  /// Builds everything and waits until the router's kernel has the multipath routes of both
  /// families with every upstream. The error says what is missing, with the daemons' last words.
  static Result<std::unique_ptr<Lab>> open(const Topology& topology);
  ~Lab();

  [[nodiscard]] const Topology& topology() const;
  [[nodiscard]] const Namespace& client(Site site = Site::first) const;
  [[nodiscard]] const Namespace& router(Site site = Site::first) const;
  [[nodiscard]] const Namespace& server() const;
  [[nodiscard]] const Namespace& upstream(std::size_t i) const;

  /// Temporary; holds configurations and logs, and goes with the lab.
  [[nodiscard]] const std::filesystem::path& folder() const;

  // What follows is of the first site where no site is named.

  /// The router's interface towards upstream i: "wan<i>", or "wan0" for all on a shared LAN.
  [[nodiscard]] std::string wan_device(std::size_t i) const;
  /// Upstream i's gateway, as the router's kernel has it in the service prefix's route now (IPv6:
  /// mostly a link-local address); an error while routing does not offer upstream i.
  [[nodiscard]] Result<IpAddress> gateway(std::size_t i, Family family,
                                          Site site = Site::first) const;
  /// Which upstreams the router's kernel has in the service prefix's route, ascending.
  [[nodiscard]] std::vector<std::size_t> offered(Family family) const;
  /// Waits until offered() of both families is `upstreams` (ascending).
  Result<> wait_until_offered(const std::vector<std::size_t>& upstreams, Duration timeout) const;

  /// Upstream i's emulated link: set, get and counters are the relay's; forward is to the server.
  [[nodiscard]] Relay& relay();
  [[nodiscard]] LinkId core_link(std::size_t i) const;

  /// Another emulated link from upstream i to the server, for `prefix` alone, one an upstream: so
  /// may a destination be farther away, by this upstream, than the anchors and all others. It bears
  /// what goes to the server; answers come back by the core links, any of them. The server's
  /// addresses and the router's routes are for the caller to add.
  Result<LinkId> add_line(std::size_t i, const Prefix& prefix);

  /// What upstream i says by BGP of the service prefixes (with no daemon on either side: the
  /// router's fixed route). They return before the router has heard: use wait_until_offered().
  Result<> withdraw(std::size_t i);
  Result<> announce(std::size_t i);
  /// The routing daemons themselves, to be killed, started and reset (speaker.hpp): the router's,
  /// and upstream i's. There are none without daemons.
  [[nodiscard]] Speaker& router_speaker() const;
  [[nodiscard]] Speaker& speaker(std::size_t i) const;
  /// The upstream's end of the WAN link. On separate WANs the router loses its carrier. `up` with
  /// an FRR router waits first, a second or so, until FRR 8.4 has let go of the nexthop groups it
  /// had before: it would reuse them, and the kernel's have lost a member (FRR then shows two
  /// nexthops where the kernel's route has one).
  Result<> set_wan_link(std::size_t i, LinkState state);
  /// `up` at once, whatever FRR still holds.
  Result<> restore_wan_link(std::size_t i);
  /// The link is deleted and another made in its place, whose router's end has the index and name
  /// that the old one had, and another MAC address. On separate WANs; fixed routes are set again.
  Result<> remake_wan_link(std::size_t i);

  /// Starts a program in `where`; its output goes to folder()/<log>.log.
  Result<Process> start(const Namespace& where, const std::vector<std::string>& argv,
                        const std::string& log);

  /// `hopwise run` in the router; its log is folder()/hopwise.log. Does not wait until it is ready.
  Result<Process> start_hopwise(const HopwiseRun& run, Site site = Site::first);
  /// Where the configuration of the newest start_hopwise() is, for a reload.
  [[nodiscard]] std::filesystem::path hopwise_config(Site site = Site::first) const {
    return folder() / (site == Site::first ? "hopwise.json" : "hopwise-2.json");
  }
  /// Replaces that file.
  Result<> write_hopwise_config(const std::string& text, Site site = Site::first);
  /// What start_hopwise() names as the state file, whatever the configuration says.
  [[nodiscard]] std::filesystem::path hopwise_state(Site site = Site::first) const {
    return folder() / (site == Site::first ? "state.json" : "state-2.json");
  }
  [[nodiscard]] std::filesystem::path hopwise_events(Site site = Site::first) const {
    return folder() / (site == Site::first ? "events.jsonl" : "events-2.jsonl");
  }
  /// What start_hopwise() names as the API's socket, whatever the configuration says: labs that run
  /// side by side do not meet.
  [[nodiscard]] std::filesystem::path hopwise_socket(Site site = Site::first) const {
    return folder() / (site == Site::first ? "hopwise.sock" : "hopwise-2.sock");
  }
  /// GET of `target` ("/api/v1/status") by that socket: the body of a 200, else an error.
  [[nodiscard]] Result<std::string> api_get(const std::string& target,
                                            Site site = Site::first) const;

 private:
  struct Impl;
  explicit Lab(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace hopwise::lab
