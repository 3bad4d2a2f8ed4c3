#include "core/config/probe_config.hpp"

#include <algorithm>

#include "core/config/key_file.hpp"
#include "core/model/format.hpp"

namespace hopwise::config {
namespace {

using namespace std::chrono_literals;
using probes::AnchorSpec;

constexpr std::uint32_t kNexthopIds = 1u << 16;  // above every id: marks are mark_base + id
constexpr std::size_t kMaxHost = 253;            // RFC 1035, as text
constexpr std::size_t kMaxPath = 1024;

bool is_http(ProbeKind kind) {
  return kind == ProbeKind::http || kind == ProbeKind::https;
}

/// Goes into a request's line or header as it is: no blanks, no control characters.
bool is_plain(const std::string& text, std::size_t longest) {
  return text.size() <= longest &&
         std::all_of(text.begin(), text.end(), [](char c) { return c > 0x20 && c < 0x7f; });
}

bool is_loopback(const IpAddress& address) {
  return address.is_v4() ? address.bytes[0] == 127 : address == IpAddress::parse("::1");
}

/// A group, or a broadcast address.
bool is_many(const IpAddress& address) {
  return address.is_v4() ? address.bytes[0] >= 224 : address.bytes[0] == 0xff;
}

/// What is wrong with an anchor of the list, whatever else is said of it.
Result<> check_anchor(const Anchor& anchor, const std::optional<IpAddress>& gateway,
                      const std::vector<AnchorSpec>& others) {
  const auto refuse = [&](const std::string& why) { return Error{anchor.text() + ' ' + why}; };
  if (anchor.address.is_unspecified()) return refuse("is nobody's address (name a host's)");
  if (is_loopback(anchor.address))
    return refuse("is this host itself, by no nexthop (name a host beyond)");
  if (is_many(anchor.address)) return refuse("is many hosts (name one)");
  if (gateway && gateway->is_v4() && !anchor.address.is_v4())
    return refuse(
        "cannot be reached through an IPv4 gateway (name an IPv4 anchor, or make an entry for the "
        "IPv6 gateway)");
  if (std::any_of(others.begin(), others.end(),
                  [&](const AnchorSpec& other) { return other.anchor == anchor; }))
    return refuse("stands here twice (remove one)");
  if (others.size() == kMaxAnchors)
    return refuse(format("is one too many (at most %zu for a nexthop)", kMaxAnchors));
  return {};
}

void read_key_file(Object& o, AnchorSpec& spec) {
  std::string path;
  if (!o.text("key_file", path)) return;
  if (spec.anchor.kind != ProbeKind::stamp)
    return o.fault("key_file", "is for stamp anchors, and " + spec.anchor.text() +
                                   " is none (remove it, or write stamp://ADDRESS)");
  auto key = read_key(path);
  if (key)
    spec.stamp_key = std::move(*key);
  else
    o.fault("key_file", key.error().message);
}

void read_request(Object& o, AnchorSpec& spec) {
  o.text("host", spec.http_host);
  o.text("path", spec.http_path);
  o.boolean("verify", spec.verify_certificate);
  for (const char* key : {"host", "path"})
    if (o.has(key) && !is_http(spec.anchor.kind))
      o.fault(key,
              "is for http and https anchors, and " + spec.anchor.text() + " is none (remove it)");
  if (o.has("verify") && spec.anchor.kind != ProbeKind::https)
    o.fault("verify", "is for https anchors, and " + spec.anchor.text() + " is none (remove it)");
  if (!is_plain(spec.http_host, kMaxHost))
    o.fault("host", "is no host name (write one like \"www.example.net\")");
  if (!spec.http_path.starts_with('/') || !is_plain(spec.http_path, kMaxPath))
    o.fault("path", "is no path of a URL (write one like \"/health\", blanks as %20)");
}

void read_anchor(Object& o, const std::optional<IpAddress>& gateway, std::vector<AnchorSpec>& all) {
  std::string text;
  o.require({"anchor"});
  const bool given = o.text("anchor", text);
  const auto anchor = given ? Anchor::parse(text) : Result<Anchor>(Error{});
  AnchorSpec spec;
  if (anchor) {
    spec.anchor = *anchor;
    const auto good = check_anchor(*anchor, gateway, all);
    if (!good) o.fault("anchor", good.error().message);
  } else if (given) {
    o.fault("anchor", anchor.error().message);
  }
  if (!anchor) {  // of what kind it was meant to be is not known: the keys are only looked at
    for (const char* key : {"key_file", "host", "path", "verify"}) o.value(key);
    return;
  }
  read_key_file(o, spec);
  read_request(o, spec);
  all.push_back(std::move(spec));
}

void check_paces(Object& o, const probes::Options& p) {
  const auto at_most = [&](const char* key, Duration value, const char* bound, Duration limit,
                           const char* is) {
    if (value > limit)
      o.fault(key, duration_text(value) + " is " + is + " than " + bound + ' ' +
                       duration_text(limit) + " (make it at most that)");
  };
  at_most("suspicious_interval", p.suspicious_interval, "interval", p.interval, "slower");
  at_most("min_timeout", p.min_timeout, "max_timeout", p.max_timeout, "longer");
  at_most("http_timeout", p.http_timeout, "http_interval", p.http_interval, "longer");
  if (p.late_within < p.max_timeout)
    o.fault("late_within", duration_text(p.late_within) + " is shorter than max_timeout " +
                               duration_text(p.max_timeout) + " (make it at least that)");
}

/// Anchors that are asked at `interval` if every named nexthop is in use.
std::size_t named_anchors(const Config& config) {
  std::size_t count = 0;
  for (const NexthopConfig& nexthop : config.nexthops)
    for (const AnchorSpec& spec : anchors_of(config, &nexthop, nexthop.gateway))
      count += is_http(spec.anchor.kind) ? 0 : 1;
  return count;
}

void check_budget(Object& o, const Config& config) {
  const probes::Options& p = config.probes;
  const double suspicious = 1 / seconds(p.suspicious_interval);
  if (p.budget < suspicious)
    return o.fault("budget",
                   format("%.6g probes a second are fewer than one suspicious anchor needs, %.6g "
                          "(make it at least that, or suspicious_interval longer)",
                          p.budget, suspicious));
  if (const std::size_t named = named_anchors(config); p.budget < static_cast<double>(named))
    o.fault("budget", format("%.6g probes a second for the %zu anchors named leave less than one a "
                             "second for each (make it at least %zu, or name fewer)",
                             p.budget, named, named));
}

/// "off", or an object that says how many.
void read_trains(Object& o, std::optional<Trains>& trains) {
  const Value* value = o.value("train");
  if (value == nullptr) return;
  if (value->kind == Kind::string && value->text == "off") return trains.reset();
  if (value->kind != Kind::object)
    return o.fault(
        "train", "is neither \"off\" nor an object (write {\"every\": \"10m\", \"packets\": 32})");
  Trains wanted;
  o.object("train", [&](Object& t) {
    t.duration("every", wanted.every, {1min, 24h});
    t.integer("packets", wanted.packets, {8, 128});
  });
  trains = wanted;
}

}  // namespace

std::vector<AnchorSpec> anchors_of(const Config& config, const NexthopConfig* named,
                                   const IpAddress& gateway) {
  if (named != nullptr && !named->anchors.empty()) return named->anchors;
  const auto of = [&](Family family) {
    std::vector<AnchorSpec> fitting;
    for (const AnchorSpec& spec : config.anchors)
      if (spec.anchor.address.family == family) fitting.push_back(spec);
    return fitting;
  };
  auto fitting = of(gateway.family);
  if (fitting.empty() && !gateway.is_v4()) fitting = of(Family::v4);
  if (fitting.empty()) fitting.emplace_back(gateway);
  return fitting;
}

void read_anchors(Object& o, std::string_view key, const std::optional<IpAddress>& gateway,
                  std::vector<AnchorSpec>& out) {
  std::vector<AnchorSpec> anchors;
  const auto text = [&](const std::string& written) -> Result<> {
    const auto anchor = Anchor::parse(written);
    if (!anchor) return anchor.error();
    auto good = check_anchor(*anchor, gateway, anchors);
    if (good) anchors.emplace_back(*anchor);
    return good;
  };
  const auto object = [&](Object& item) { read_anchor(item, gateway, anchors); };
  if (o.texts_or_objects(key, text, object)) out = std::move(anchors);
}

void read_probe(Object& o, Config& config) {
  probes::Options& p = config.probes;
  read_anchors(o, "anchors", std::nullopt, config.anchors);
  o.duration("interval", p.interval, {10ms, 1min});
  o.duration("suspicious_interval", p.suspicious_interval, {5ms, 1min});
  o.duration("suspicious_for", p.suspicious_for, {0s, 10min});
  o.number("budget", p.budget, {1, 1e6});
  o.integer("flows", p.flows, {1, probes::Options::kMaxFlows});
  o.duration("min_timeout", p.min_timeout, {1ms, 1min});
  o.duration("max_timeout", p.max_timeout, {1ms, 1min});
  o.duration("late_within", p.late_within, {10ms, 5min});
  o.duration("http_interval", p.http_interval, {1s, 1h});
  o.duration("http_timeout", p.http_timeout, {100ms, 1min});
  o.integer("payload_bytes", p.payload_bytes, {20, 1400});
  o.integer("mark_base", p.mark_base, {kNexthopIds, 0xffffffff - kNexthopIds});
  o.integer("rule_priority", p.rule_priority, {1, 32763});
  o.integer("stage_from", p.stage_from, {1, kNexthopIds});
  std::string traces;
  if (o.one_of("trace", traces, {"on", "off"})) config.traces = traces == "on";
  read_trains(o, config.trains);
  if (p.mark_base % kNexthopIds != 0)
    o.fault("mark_base", "its low 16 bits are not zero: they hold the nexthop (write 0x68770000)");
  check_paces(o, p);
  check_budget(o, config);
}

}  // namespace hopwise::config
