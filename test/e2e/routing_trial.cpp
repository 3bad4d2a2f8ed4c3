#include "test/e2e/routing_trial.hpp"

#include <cstdio>
#include <fstream>
#include <nlohmann/json.hpp>
#include <numeric>
#include <stdexcept>

#include "test/catch.hpp"
#include "test/lab/plan.hpp"

namespace hopwise::e2e {
namespace {

constexpr Duration kPromise = 100ms;    // from routing's word to the last packet
constexpr Duration kRoutingWait = 40s;  // daemons retry by the second
constexpr Duration kSettled = 10s;      // hopwise, at worst: a dump that had to wait for another
constexpr int kPacketsPerSecond = 500;

template <class T>
T must(Result<T> result) {
  if (!result) throw std::runtime_error(result.error().message);
  return std::move(*result);
}

std::string numbers(const std::set<std::size_t>& upstreams) {
  std::string text;
  for (const auto i : upstreams) text += (text.empty() ? "" : ",") + std::to_string(i);
  return "{" + text + "}";
}

double milliseconds(Duration d) {
  return seconds(d) * 1000;
}

}  // namespace

lab::Topology three_upstreams(lab::Daemon router) {
  lab::Topology topology;
  topology.router = router;
  const bool fixed = router == lab::Daemon::none;
  topology.upstreams = {{"isp-a", fixed ? lab::Daemon::none : lab::Daemon::frr, {.delay = 5ms}},
                        {"isp-b", fixed ? lab::Daemon::none : lab::Daemon::bird, {.delay = 5ms}},
                        {"isp-c", fixed ? lab::Daemon::none : lab::Daemon::gobgp, {.delay = 5ms}}};
  return topology;
}

RoutingTrial::RoutingTrial(std::string form, const lab::Topology& topology)
    : form_(std::move(form)), router_(topology) {
  offers_ = must(lab::OfferLog::watch(lab()));
  sightings_ = must(lab::Sightings::watch(lab()));
  router_.start(Json::object());
  stream4_ = router_.stream(Family::v4, kPacketsPerSecond);
  stream6_ = router_.stream(Family::v6, kPacketsPerSecond);
  flows();
}

RoutingTrial::~RoutingTrial() = default;

std::uint64_t RoutingTrial::received() const {
  return stream4_->counts().received + stream6_->counts().received;
}

// Of each family: one that does not flow is not made up for by the other.
void RoutingTrial::flows(std::uint64_t packets) const {
  for (const auto* stream : {stream4_.get(), stream6_.get()}) {
    const auto before = stream->counts().received;
    const bool flowing =
        lab::eventually(20s, [&] { return stream->counts().received >= before + packets; });
    INFO(form_ << ": " << (stream == stream4_.get() ? "IPv4" : "IPv6") << " does not flow");
    REQUIRE(flowing);
  }
}

void RoutingTrial::offered(const std::vector<std::size_t>& upstreams) {
  const auto waited = lab().wait_until_offered(upstreams, kRoutingWait);
  INFO((waited ? "" : waited.error().message));
  REQUIRE(waited.has_value());
  CHECK(agrees().empty());
}

void RoutingTrial::all_offered() {
  std::vector<std::size_t> all(lab().topology().upstreams.size());
  std::iota(all.begin(), all.end(), 0);
  offered(all);
}

// Upstreams that do not exist have a number beyond all.
std::size_t RoutingTrial::upstream_of(const Json& nexthop) const {
  const auto& topology = router_.lab().topology();
  const auto gateway = IpAddress::parse(nexthop["gateway"].get<std::string>());
  for (std::size_t i = 0; i < topology.upstreams.size(); ++i) {
    const lab::Plan plan{i, topology.wan};
    if (nexthop["interface"] != plan.router_device()) continue;
    if (!plan.shared()) return i;
    for (const auto& own : {plan.gateway4(), plan.gateway6(), plan.gateway_link_local()})
      if (gateway == IpAddress::parse(own)) return i;
  }
  return topology.upstreams.size();
}

std::string RoutingTrial::difference(Family family) const {
  const bool v4 = family == Family::v4;
  const auto kernel = offers_->now(family);
  const Json answer = router_.explain(v4 ? "src=10.10.0.2&dst=203.0.113.9&proto=udp&dport=9"
                                         : "src=fd00:10::2&dst=2001:db8:113::9&proto=udp&dport=9");
  const std::string where = v4 ? "IPv4: " : "IPv6: ";
  if (answer["group"].is_null())
    return kernel.size() < 2 ? "" : where + "the kernel has " + numbers(kernel) + ", not steered";
  const Json& nexthops = answer["nexthops"];
  const Json& paths = answer["paths"];
  std::set<std::size_t> used;
  for (std::size_t n = 0; n < paths.size(); ++n)
    if (paths[n]["buckets"] != 0) used.insert(upstream_of(nexthops[n]));
  if (used == kernel) return "";
  return where + "the kernel has " + numbers(kernel) + ", steered to " + numbers(used);
}

std::string RoutingTrial::difference() const {
  const auto four = difference(Family::v4), six = difference(Family::v6);
  return four + (four.empty() || six.empty() ? "" : "; ") + six;
}

std::string RoutingTrial::agrees() const {
  std::string last;
  lab::eventually(kSettled, [&] { return (last = difference()).empty(); });
  return last;
}

// `hopwise verify` dumps the kernel's routes afresh and compares whole tables.
std::string RoutingTrial::verify() {
  const auto ran = router_.hopwise({"verify", "--config", lab().hopwise_config().string()});
  return ran.status == 0 ? "" : "verify: " + ran.output;
}

// How long the daemon's control thread was ready to run and was not run, since it began
// (/proc/PID/schedstat, second field).
Duration RoutingTrial::unscheduled() {
  std::uint64_t ran = 0, waited = 0;
  std::ifstream("/proc/" + std::to_string(router_.daemon().pid()) + "/schedstat") >> ran >> waited;
  return std::chrono::nanoseconds(waited);
}

RoutingTrial::Row RoutingTrial::observe(const std::string& name,
                                        const std::function<void()>& fault) {
  const auto lost = [&] { return stream4_->counts().lost() + stream6_->counts().lost(); };
  const auto lost_before = lost();
  const auto began = lab::wall_now();
  const auto waiting = unscheduled();
  fault();
  Row row;
  row.difference = agrees();
  flows();
  if (row.difference.empty()) row.difference = verify();
  row.stale = lab::stale_packets(offers_->changes(), sightings_->all(), began, lab::wall_now());
  const auto lost_after = lost();
  row.lost = lost_after > lost_before ? lost_after - lost_before : 0;
  std::printf(
      "%-22s %-34s %-6s %2zu withdrawn, %5.1f ms, %4llu stale %5llu lost, waited %5.1f ms %s\n",
      form_.c_str(), name.c_str(), row.difference.empty() ? "equal" : "DIFFER",
      row.stale.withdrawals, milliseconds(row.stale.worst),
      static_cast<unsigned long long>(row.stale.packets), static_cast<unsigned long long>(row.lost),
      milliseconds(unscheduled() - waiting), row.difference.c_str());
  std::fflush(stdout);
  return row;
}

void RoutingTrial::step(const std::string& name, const std::function<void()>& fault) {
  Row row = observe(name, fault);
  if (row.difference.empty() && row.stale.worst > kPromise) row = observe(name + ", again", fault);
  INFO(form_ << ", " << name << ": " << row.difference);
  CHECK(row.difference.empty());
  CHECK(milliseconds(row.stale.worst) <= milliseconds(kPromise));
  CHECK(offers_->missed() == 0);
  CHECK(sightings_->missed() == 0);
}

}  // namespace hopwise::e2e
