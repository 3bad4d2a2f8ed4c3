#include "core/config/config.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdio>
#include <filesystem>
#include <memory>
#include <string_view>

#include "core/api/endpoint.hpp"
#include "core/config/bgp_config.hpp"
#include "core/config/candidates_config.hpp"
#include "core/config/history_config.hpp"
#include "core/config/policy_config.hpp"
#include "core/config/probe_config.hpp"
#include "core/config/reader.hpp"
#include "core/config/routes_config.hpp"
#include "core/config/speaker_config.hpp"

namespace hopwise::config {
namespace {

using namespace std::chrono_literals;

constexpr std::size_t kSocketPathMax = 107;  // sun_path, with its zero

bool is_interface_name(const std::string& name) {
  return !name.empty() && name.size() <= 15 && name.find_first_of("/ \t\n:") == std::string::npos;
}

void read_lan_interfaces(Object& top, Config& config) {
  top.texts("lan_interfaces", config.lan_interfaces);
  for (const std::string& name : config.lan_interfaces)
    if (!is_interface_name(name))
      top.fault("lan_interfaces", '"' + name + "\" is no interface name (see `ip link`)");
}

void read_routes(Object& o, Config& config) {
  o.prefixes("only", config.route_filter.only);
  o.prefixes("except", config.route_filter.except);
  read_follower(o, config.routes);
}

void check_nexthop(Object& o, const NexthopConfig& nexthop) {
  if (!nexthop.interface.empty() && !is_interface_name(nexthop.interface))
    o.fault("interface", '"' + nexthop.interface + "\" is no interface name (see `ip link`)");
  if (nexthop.interface.empty() && nexthop.gateway.is_link_local())
    o.fault("gateway", "a link-local gateway needs its interface too (add \"interface\")");
  if (nexthop.name.size() > 64 || nexthop.name.find_first_of(" \t\n\r\"\\") != std::string::npos)
    o.fault("name", "is no good label (at most 64 characters, no blanks, quotes or backslashes)");
}

/// Two entries must never speak of the same nexthop, nor share a name.
void check_distinct(Object& o, const NexthopConfig& nexthop,
                    const std::vector<NexthopConfig>& others) {
  for (const NexthopConfig& other : others) {
    if (!nexthop.name.empty() && nexthop.name == other.name)
      o.fault("name", '"' + nexthop.name + "\" is another nexthop's name already (choose another)");
    const bool overlap = nexthop.interface == other.interface || nexthop.interface.empty() ||
                         other.interface.empty();
    if (nexthop.gateway == other.gateway && overlap)
      o.fault("gateway", nexthop.gateway.text() +
                             " has an entry already (remove one, or give each " +
                             "its own \"interface\")");
  }
}

void read_nexthops(Object& top, Config& config) {
  std::vector<NexthopConfig> nexthops;
  const bool given = top.objects("nexthops", [&](Object& o) {
    NexthopConfig nexthop;
    o.require({"gateway"});
    o.text("name", nexthop.name);
    const bool good = o.address("gateway", nexthop.gateway);
    o.text("interface", nexthop.interface);
    read_anchors(o, "anchors", good ? std::optional(nexthop.gateway) : std::nullopt,
                 nexthop.anchors);
    std::uint64_t capacity = 0;
    if (o.bit_rate("capacity", capacity, {8'000, 100'000'000'000'000}))
      nexthop.capacity_bit_s = capacity;
    std::uint64_t commit = 0;
    if (o.bit_rate("commit", commit, {8'000, 100'000'000'000'000})) nexthop.commit_bit_s = commit;
    o.number("price", nexthop.price, {0, 1e9});
    if (nexthop.capacity_bit_s && nexthop.commit_bit_s &&
        *nexthop.commit_bit_s > *nexthop.capacity_bit_s)
      o.fault("commit", bit_rate_text(*nexthop.commit_bit_s) + " is more than the capacity " +
                            bit_rate_text(*nexthop.capacity_bit_s) +
                            " (make it at most that, or remove it)");
    if (!good) return;
    check_nexthop(o, nexthop);
    check_distinct(o, nexthop, nexthops);
    nexthops.push_back(std::move(nexthop));
  });
  if (given) config.nexthops = std::move(nexthops);
}

void read_estimator(Object& o, engine::Options& e) {
  o.duration("fast_tau", e.fast_tau, {100ms, 10min});
  o.duration("slow_tau", e.slow_tau, {100ms, 1h});
  o.duration("base_window", e.base_window, {1s, 24h});
  o.duration("loss_window", e.loss_window, {1s, 1h});
  o.duration("score_loss_window", e.score_loss_window, {1s, 1h});
  if (e.fast_tau > e.slow_tau)
    o.fault("fast_tau", duration_text(e.fast_tau) + " is longer than slow_tau " +
                            duration_text(e.slow_tau) + " (make it at most that)");
}

void read_law(Object& o, engine::Options& e) {
  o.duration("epoch", e.epoch, {10ms, 1min});
  o.number("gain", e.gain, {0.001, 1});
  o.number("max_step", e.max_step, {0.0001, 1});
  o.number("ramp_step", e.ramp_step, {0.0001, 1});
  o.number("floor", e.floor, {0, 0.0625});  // a group has up to 16 paths: their floors must fit
  o.ratio("dead_band", e.dead_band);
  o.duration("dead_band_delay", e.dead_band_delay, {0s, 1s});
}

void read_states(Object& o, engine::Options& e) {
  o.duration("degraded_delay", e.degraded_delay, {0s, 10s});
  o.number("degraded_ratio", e.degraded_ratio, {0, 100});
  o.ratio("degraded_loss", e.degraded_loss);
  o.integer("down_after", e.down_after, {1, 1000});
  o.integer("up_after", e.up_after, {1, 1000});
  o.ratio("quorum", e.quorum);
  o.number("usual_loss", e.usual_loss, {1e-4, 0.01});
  o.duration("false_alarm_every", e.false_alarm_every, {1h, 24h * 365 * 100});
  o.number("flap_penalty", e.flap_penalty, {0, 1e6});
  o.number("flap_suppress", e.flap_suppress, {0, 1e6});
  o.number("flap_reuse", e.flap_reuse, {0, 1e6});
  o.duration("flap_half_life", e.flap_half_life, {1s, 24h});
  if (e.usual_loss >= e.degraded_loss)
    o.fault("usual_loss", "must be below degraded_loss (a path may lose this much and be well)");
  if (e.flap_reuse >= e.flap_suppress)
    o.fault("flap_reuse", "must be below flap_suppress (a nexthop would never be free again)");
}

void read_engine(Object& o, engine::Options& e) {
  read_estimator(o, e);
  read_default_policy(o, e.policy);
  read_law(o, e);
  read_states(o, e);
}

std::optional<dataplane::Affinity> read_affinity(Object& o) {
  using dataplane::Affinity;
  std::string name;
  if (!o.one_of("affinity", name, {"flow", "flowlet", "bucket"})) return std::nullopt;
  return name == "flow" ? Affinity::flow : name == "flowlet" ? Affinity::flowlet : Affinity::bucket;
}

// An objective that none of the group's nexthops can ever meet.
void check_bandwidth(Object& o, const GroupConfig& group, const Config& config) {
  if (!group.terms.objectives || !group.terms.objectives->min_bandwidth_bit_s) return;
  std::uint64_t largest = 0;
  for (const std::string& named : group.nexthops) {
    const auto found =
        std::find_if(config.nexthops.begin(), config.nexthops.end(),
                     [&](const NexthopConfig& nexthop) { return nexthop.name == named; });
    if (found == config.nexthops.end() || !found->capacity_bit_s) return;
    largest = std::max(largest, *found->capacity_bit_s);
  }
  if (static_cast<double>(largest) < *group.terms.objectives->min_bandwidth_bit_s)
    o.fault("objectives",
            "no nexthop of the group can have such a min_bandwidth (the largest \"capacity\" is " +
                bit_rate_text(largest) + ')');
}

void read_groups(Object& top, Config& config) {
  std::vector<GroupConfig> groups;
  const bool given = top.objects("groups", [&](Object& o) {
    GroupConfig group;
    o.require({"name", "nexthops"});
    o.text("name", group.name);
    o.texts("nexthops", group.nexthops);
    group.affinity = read_affinity(o);
    o.duration("flowlet_gap", group.flowlet_gap, {1ms, 65s});
    for (const GroupConfig& other : groups)
      if (!group.name.empty() && group.name == other.name)
        o.fault("name", '"' + group.name + "\" is another group's name already (choose another)");
    for (const std::string& named : group.nexthops)
      if (!can_be_nexthop(named, config))
        o.fault("nexthops", '"' + named +
                                "\" is no nexthop (write the name of one in \"nexthops\", "
                                "or a gateway's address)");
    read_terms(o, config, group.terms);
    check_bandwidth(o, group, config);
    groups.push_back(std::move(group));
  });
  if (given) config.groups = std::move(groups);
}

void read_actuator(Object& o, Config& config) {
  using dataplane::Actuator;
  std::string name;
  if (o.one_of("actuator", name, {"auto", "redirect", "mark"}))
    config.dataplane.actuator = name == "auto"   ? Actuator::automatic
                                : name == "mark" ? Actuator::mark
                                                 : Actuator::redirect;
  o.boolean("local_traffic", config.local_traffic);
  if (config.local_traffic && config.dataplane.actuator == Actuator::mark)
    o.fault("local_traffic",
            "this host's own traffic is steered by redirect alone (leave it to the "
            "kernel, or set \"actuator\": \"redirect\")");
}

void read_escape(Object& o, std::optional<bool>& escape) {
  bool chosen = false;
  std::string name;
  const Value* value = o.value("escape");
  if (value == nullptr) return;
  if (value->kind == Kind::boolean) {
    if (o.boolean("escape", chosen)) escape = chosen;
  } else if (o.one_of("escape", name, {"auto", "on", "off"})) {
    escape = name == "auto" ? std::nullopt : std::optional(name == "on");
  }
}

void read_traffic(Object& o, dataplane::Options& d) {
  std::string then;
  if (o.one_of("on_lease_over", then, {"kernel", "hold"})) d.hold_weights = then == "hold";
  o.boolean("measure", d.measure);
  o.number("control_share", d.control_share, {0, 0.5});
  o.ratio("sample_share", d.sample_share);
  o.integer("new_flows_per_second", d.new_flows_per_s, {1000, 10'000'000});
}

void read_dataplane(Object& o, Config& config) {
  dataplane::Options& d = config.dataplane;
  read_actuator(o, config);
  read_traffic(o, d);
  read_escape(o, config.escape);
  if (const auto affinity = read_affinity(o)) config.affinity = *affinity;
  o.any_text("pin_root", d.pin_root);
  o.duration("lease", d.lease, {1s, 1h});
  o.integer("busy_moves", d.busy_moves, {1, 1024});
  o.duration("idle_after", d.idle_after, {0s, 1min});
  if (!d.pin_root.empty() && d.pin_root[0] != '/')
    o.fault("pin_root", "must be an absolute path (or \"\" to pin nothing)");
}

void read_destinations(Object& o, Destinations& d) {
  std::uint32_t count = 0;
  if (o.integer("count", count, {0, 2048})) d.count = count;
  o.number("min_share", d.min_share, {0.0001, 0.5});
  o.duration("every", d.every, {1s, 10min});
}

void read_api(Object& o, api::Options& a) {
  if (o.any_text("listen", a.listen) && !a.listen.empty()) {
    const auto endpoint = api::Endpoint::parse(a.listen);
    if (!endpoint || endpoint->port == 0)
      o.fault("listen", '"' + a.listen + "\" is no address and port (write \"127.0.0.1:9469\" or " +
                            "\"[::1]:9469\", or \"\" for no TCP listener)");
    else if (!endpoint->is_loopback())
      o.fault("listen",
              endpoint->text() + " can be reached from other hosts, and there is no TLS and " +
                  "no token yet (listen on 127.0.0.1 or [::1], behind a proxy that has them)");
  }
  o.any_text("socket", a.socket);
  if (!a.socket.empty() && (a.socket[0] != '/' || a.socket.size() > kSocketPathMax))
    o.fault("socket", "must be an absolute path of at most " + std::to_string(kSocketPathMax) +
                          " bytes (or \"\" for none)");
}

void read_state(Object& o, Config& config) {
  o.any_text("file", config.state_file);
  if (!config.state_file.empty() &&
      (config.state_file[0] != '/' || config.state_file.back() == '/'))
    o.fault("file", "must be the absolute path of a file (or \"\" to remember nothing)");
}

}  // namespace

bool RouteFilter::accepts(const Prefix& prefix) const {
  const auto covers = [&](const Prefix& p) { return p.contains(prefix); };
  return (only.empty() || std::any_of(only.begin(), only.end(), covers)) &&
         std::none_of(except.begin(), except.end(), covers);
}

bool may_escape(const Config& config, dataplane::Actuator actuator) {
  return config.escape.value_or(actuator == dataplane::Actuator::redirect);
}

void read(Object& top, Config& config) {
  top.boolean("steer", config.steer);
  top.boolean("bypass_policy", config.bypass_policy);
  read_lan_interfaces(top, config);
  top.object("routes", [&](Object& o) { read_routes(o, config); });
  read_nexthops(top, config);
  top.object("engine", [&](Object& o) { read_engine(o, config.engine); });
  read_groups(top, config);
  read_classes(top, config);
  top.object("probe", [&](Object& o) { read_probe(o, config); });
  top.object("dataplane", [&](Object& o) { read_dataplane(o, config); });
  top.object("destinations", [&](Object& o) { read_destinations(o, config.destinations); });
  top.object("api", [&](Object& o) { read_api(o, config.api); });
  top.object("state", [&](Object& o) { read_state(o, config); });
  top.object("speaker", [&](Object& o) { read_speaker(o, config.speaker); });
  top.object("history", [&](Object& o) { read_history(o, config.history); });
  top.object("bgp", [&](Object& o) { read_bgp(o, config.bgp); });
  top.object("bmp", [&](Object& o) { read_bmp(o, config.bmp); });
  top.object("candidates", [&](Object& o) { read_candidates(o, config.candidates); });
  if (config.candidates.from == routes::OfferPolicy::From::bgp && config.bgp.listen.empty() &&
      config.bmp.listen.empty())
    top.fault("candidates", "come from BGP, and nobody tells of it (add \"bgp\", or \"bmp\")");
  top.one_of("log_level", config.log_level, {"debug", "info", "warn", "error"});
  config.dataplane.mark_base = config.probes.mark_base;
}

Result<Config> parse(const std::string& text, const std::string& file) {
  Config config;
  if (auto good = read(text, file, [&](Object& top) { read(top, config); }); !good)
    return good.error();
  return config;
}

std::string choose_path(const std::string& named) {
  if (!named.empty()) return named;
  return std::filesystem::exists(kDefaultPath) ? kDefaultPath : "";
}

Result<Config> load(const std::string& path) {
  if (path.empty()) return Config{};
  const std::unique_ptr<std::FILE, int (*)(std::FILE*)> file(std::fopen(path.c_str(), "re"),
                                                             std::fclose);
  if (!file)
    return system_error(
        "read " + path, errno,
        errno == ENOENT ? "create it, or name no file to run with the defaults" : "");
  std::string text;
  std::array<char, 65536> chunk;
  while (const std::size_t size = std::fread(chunk.data(), 1, chunk.size(), file.get()))
    text.append(chunk.data(), size);
  if (std::ferror(file.get()) != 0)
    return system_error("read " + path, errno, errno == EISDIR ? "name a file" : "");
  return parse(text, path);
}

}  // namespace hopwise::config
