// The configuration: defaults -> file -> flags -> one validated, immutable value.
//
// JSON with // and /* */ comments. Unknown and duplicate keys, wrong types, units and ranges are
// errors with file, line, column and remedy; all of them are reported, not just the first.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "core/api/server.hpp"
#include "core/bgp/options.hpp"
#include "core/dataplane/dataplane.hpp"
#include "core/engine/engine.hpp"
#include "core/model/address.hpp"
#include "core/model/result.hpp"
#include "core/model/speaker.hpp"
#include "core/model/traffic_class.hpp"
#include "core/routes/follower.hpp"
#include "core/routes/offers.hpp"
#include "probes/prober.hpp"

namespace hopwise::config {

/// What the operator says of one nexthop. `interface` may stay empty where the gateway alone tells.
struct NexthopConfig {
  IpAddress gateway;
  std::string interface;
  std::string name;
  std::vector<probes::AnchorSpec> anchors;  // empty: see anchors_of()
  /// Of what lies towards it, bits a second of layer 3: where the line beyond the interface is
  /// slower.
  std::optional<std::uint64_t> capacity_bit_s{};
  std::optional<std::uint64_t> commit_bit_s{};  // of the 95th percentile: what is paid for anyway
  double price = 0;                             // of a byte, in any unit: only ratios matter
};

/// `nexthop`, by name or gateway, is preferred until another is faster by `worth`.
struct PreferenceConfig {
  std::string nexthop;
  Duration worth{};
};

/// What a group or class wants of its paths. What is not said here is said elsewhere: for a class
/// by the group, for a group by the defaults.
struct TermsConfig {
  std::optional<engine::Policy> policy{};
  std::optional<engine::Objectives> objectives{};
  std::optional<std::vector<PreferenceConfig>> prefer{};
  std::optional<engine::Mode> mode{};
  std::optional<bool> revert{};
};

/// A class of traffic, with weights of its own over the nexthops of every group. Its number is its
/// place in the list, from 1.
struct ClassConfig {
  std::string name;
  TermsConfig terms;
};

/// How the flows of some groups keep their nexthop, and what they want of it: of the groups whose
/// nexthops are all named here.
struct GroupConfig {
  std::string name;
  std::vector<std::string> nexthops;  // by name, or by gateway
  std::optional<dataplane::Affinity> affinity;
  Duration flowlet_gap = std::chrono::milliseconds(50);  // at least
  TermsConfig terms{};
};

/// Which multipath routes are steered: inside one of `only` (empty: all) and in none of `except`.
struct RouteFilter {
  std::vector<Prefix> only;
  std::vector<Prefix> except;

  [[nodiscard]] bool accepts(const Prefix& prefix) const;
};

/// Packet trains to STAMP anchors: one a nexthop in `every` at most, less where they would take
/// more than a thousandth of its line, or more than 1 MB a minute together.
struct Trains {
  Duration every = std::chrono::minutes(10);
  std::uint32_t packets = 32;  // of 1400 bytes
};

/// Destinations (/24s, /48s, or longer routes) that may have weights of their own.
struct Destinations {
  std::size_t count = 256;  // at a time; 0: none
  double min_share = 0.01;  // of their group's bytes
  Duration every = std::chrono::seconds(10);
};

/// Where events are kept over restarts.
struct History {
  std::string file = "/var/lib/hopwise/events.jsonl";  // and beside it one with ".1"; "": nowhere
  std::uint64_t size_bytes = 16'000'000;               // of both

  bool operator==(const History&) const = default;
};

/// The routing daemon beside us, whose health, routes and BFD sessions are asked for.
struct Speaker {
  std::optional<SpeakerKind> kind{};  // empty: the one that answers in our network namespace
  std::string socket{};               // FRR's folder or BIRD's socket; "": where they usually are
  Duration check = std::chrono::seconds(30);   // between two rounds over its routes
  Duration timeout = std::chrono::seconds(5);  // of one answer
  bool bfd = true;                             // its BFD takes nexthops out

  bool operator==(const Speaker&) const = default;
};

struct Config {
  bool steer = true;           // false: measure and decide, but leave all traffic to the kernel
  bool dry_run = false;        // by the command line: nothing is installed, whatever a group says
  bool bypass_policy = false;  // true: steer although redirected packets skip rules of the kernel
  std::vector<std::string> lan_interfaces;  // empty: every Ethernet interface that is no nexthop's
  RouteFilter route_filter;
  std::vector<NexthopConfig> nexthops;
  std::vector<probes::AnchorSpec> anchors;                   // of nexthops that name none
  std::vector<GroupConfig> groups;                           // the first that fits a group rules
  std::vector<ClassConfig> classes;                          // at most 7
  std::vector<ClassRule> class_rules;                        // of them; the first that fits rules
  dataplane::Affinity affinity = dataplane::Affinity::flow;  // of all other groups
  std::optional<bool> escape;    // empty: as the actuator allows, see may_escape()
  bool traces = true;            // the daemon traces ways that break by itself
  std::optional<Trains> trains;  // empty: none
  Destinations destinations;
  bool local_traffic = false;      // true: steer also what this host itself sends
  std::string log_level = "info";  // debug, info, warn, error
  /// Where what was learnt outlives a restart; empty: nowhere.
  std::string state_file = "/var/lib/hopwise/state.json";

  routes::Options routes;
  probes::Options probes;
  engine::Options engine;
  dataplane::Options dataplane{.actuator = dataplane::Actuator::automatic};
  api::Options api;
  History history;
  bgp::Options bgp{};     // no listener without the section
  bgp::BmpOptions bmp{};  // no receiver without it
  routes::OfferPolicy candidates;
  Speaker speaker;
};

/// Whether flows may leave a nexthop by themselves. Behind NAT a flow dies with a change of its
/// source address, so with `mark` only where the configuration says so.
bool may_escape(const Config& config, dataplane::Actuator actuator);

/// What is probed through a nexthop with this gateway. The first that there is of: what its own
/// entry names; of the list for all, those of the gateway's family, or behind an IPv6 gateway
/// (RFC 8950) those of IPv4; the gateway itself. `named` may be null.
std::vector<probes::AnchorSpec> anchors_of(const Config& config, const NexthopConfig* named,
                                           const IpAddress& gateway);

class Object;

/// Reads the keys of a configuration into `config`; what is absent stays. For a document of which
/// the configuration is a part (the lab's scenario).
void read(Object& top, Config& config);

/// `file` is named in errors. The error's message has one line for each fault:
/// "hopwise.json:7:15: probes.interval: \"200\" has no unit (write \"200ms\")".
Result<Config> parse(const std::string& text, const std::string& file);

inline constexpr const char* kDefaultPath = "/etc/hopwise/hopwise.json";

/// `named`, or without it the default path where that file exists, else "": the defaults.
std::string choose_path(const std::string& named);

/// Reads and parses; an empty path gives the defaults.
Result<Config> load(const std::string& path);

/// What cannot change while running (what programs are loaded with, marks, sockets): a message
/// naming the first such difference, or nothing.
std::optional<std::string> needs_restart(const Config& running, const Config& wanted);

}  // namespace hopwise::config
