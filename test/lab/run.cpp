#include "test/lab/run.hpp"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <deque>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <thread>

#include "test/lab/greedy.hpp"
#include "test/lab/prometheus.hpp"
#include "test/lab/status_seen.hpp"
#include "test/lab/traffic.hpp"
#include "test/lab/uplinks.hpp"

namespace hopwise::lab {

using namespace std::chrono_literals;
using Clock = std::chrono::steady_clock;

namespace {

constexpr auto kTick = 100ms;
constexpr int kTicksPerScene = 2;
constexpr std::size_t kTicksOfShares = 10;
constexpr double kLatencySeconds = 2;  // of flows that a scene tells of
constexpr auto kReadyWithin = 20s;
constexpr const char* kListen = "127.0.0.1:9469";

std::string line_text(const Impairment& line) {
  char text[48];
  if (line.loss > 0) {
    std::snprintf(text, sizeof text, "%.0fms %.0f%%", milliseconds(line.delay), 100 * line.loss);
  } else {
    std::snprintf(text, sizeof text, "%.0f ms", milliseconds(line.delay));
  }
  return text;
}

/// The lab's configuration with the scenario's laid over it.
Result<std::string> hopwise_config(const Lab& lab, const Scenario& scenario) {
  nlohmann::json config{{"api", {{"listen", kListen}}}, {"dataplane", {{"pin_root", ""}}}};
  for (std::size_t i = 0; i < scenario.topology.upstreams.size(); ++i)
    for (const auto family : {Family::v4, Family::v6}) {
      const auto gateway = lab.gateway(i, family);
      if (!gateway) return gateway.error();
      config["nexthops"].push_back(
          {{"name", nexthop_name(scenario.topology.upstreams[i].name, family)},
           {"gateway", gateway->text()},
           {"interface", lab.wan_device(i)},
           {"anchors", {family == Family::v4 ? kAnchor4 : kAnchor6}}});
      if (const auto told = scenario.topology.upstreams[i].told_bit_s; told > 0)
        config["nexthops"].back()["capacity"] = std::to_string(told / 1000) + "kbit";
    }
  config.merge_patch(nlohmann::json::parse(scenario.hopwise));
  return {boost::system::in_place_value, config.dump(2)};
}

std::filesystem::path beside_this_program(const char* name) {
  return std::filesystem::read_symlink("/proc/self/exe").parent_path() / name;
}

}  // namespace

struct Run::Impl {
  Result<> start_hopwise();
  Result<> start_traffic();
  [[nodiscard]] bool is_nearest(std::size_t upstream) const;  // as the links are now
  void do_due_events(double at);
  void read_links(double at);
  void read_status();
  [[nodiscard]] Scene scene(double at);
  void add_latency(double at, Scene& scene) const;
  Outcome finish();

  [[nodiscard]] bool steered() const { return steering == Steering::hopwise; }
  [[nodiscard]] double now() const { return seconds(Clock::now() - origin); }
  [[nodiscard]] const UpstreamSpec& upstream(std::size_t i) const {
    return scenario.topology.upstreams[i];
  }

  Scenario scenario;
  Steering steering = Steering::hopwise;
  std::unique_ptr<Lab> lab;
  std::optional<Process> hopwise;
  std::optional<Process> greedy;
  std::optional<Prometheus> prometheus;
  std::unique_ptr<Uplinks> uplinks;
  std::vector<std::unique_ptr<Traffic>> traffic;  // one a family
  TimePoint origin;
  std::size_t next_event = 0;
  StatusSeen status;
  std::deque<std::vector<std::uint64_t>> sent;  // bytes by upstream, the newest last
  RunRecord record;
};

Result<> Run::Impl::start_hopwise() {
  const auto binary = beside_this_program("hopwise");
  auto config = hopwise_config(*lab, scenario);
  if (!config) return config.error();
  auto process = lab->start_hopwise({.binary = binary, .config = *config, .arguments = {}});
  if (!process) return process.error();
  hopwise.emplace(std::move(*process));
  const bool ready = eventually(
      kReadyWithin, [&] { return !hopwise->running() || lab->api_get("/readyz").has_value(); });
  if (!hopwise->running()) return Error{"hopwise ended at once:\n" + hopwise->log()};
  if (!ready) return Error{"hopwise is not ready after 20 s:\n" + hopwise->log()};
  auto started = Prometheus::start(*lab, kListen);
  if (!started) return started.error();
  prometheus.emplace(std::move(*started));
  return {};
}

Result<> Run::Impl::start_traffic() {
  origin = Clock::now();
  auto watching = Uplinks::watch(*lab, origin);
  if (!watching) return watching.error();
  uplinks = std::move(*watching);
  const auto families = static_cast<int>(scenario.families.size());
  const auto& spec = scenario.traffic;
  for (const auto family : scenario.families) {
    const auto server = IpAddress::parse(family == Family::v4 ? kService4 : kService6);
    auto started = Traffic::start(lab->client(), lab->server(),
                                  {.server = *server,
                                   .long_flows = spec.long_flows / families,
                                   .new_flows_per_s = spec.new_flows_per_s / families,
                                   .flow_kbytes = spec.flow_kbytes,
                                   .mbit = spec.mbit / families},
                                  origin);
    if (!started) return started.error();
    traffic.push_back(std::move(*started));
  }
  return {};
}

bool Run::Impl::is_nearest(std::size_t upstream) const {
  const auto delay = [&](std::size_t i) {
    return lab->relay().get(lab->core_link(i), Direction::forward).delay;
  };
  for (std::size_t i = 0; i < record.upstreams.size(); ++i)
    if (delay(i) < delay(upstream)) return false;
  return true;
}

void Run::Impl::do_due_events(double at) {
  for (; next_event < scenario.events.size(); ++next_event) {
    const auto& event = scenario.events[next_event];
    if (event.at_s > at) return;
    lab->relay().set(lab->core_link(event.upstream), event.impairment);
    record.events.push_back(
        {.at = now(),
         .upstream = static_cast<std::uint16_t>(event.upstream),
         .what = event.what,
         .worsens = is_worse(event.impairment, upstream(event.upstream).impairment),
         .black_hole = event.impairment.loss >= 1,
         .nearest = is_nearest(event.upstream)});
  }
}

void Run::Impl::read_links(double at) {
  for (std::size_t i = 0; i < scenario.topology.upstreams.size(); ++i) {
    const auto counters = lab->relay().counters(lab->core_link(i));
    record.links.push_back({.at = at,
                            .upstream = static_cast<std::uint16_t>(i),
                            .lost = counters.forward.lost + counters.backward.lost,
                            .dropped = counters.forward.dropped + counters.backward.dropped});
  }
  sent.push_back(uplinks->bytes());
  if (sent.size() > kTicksOfShares + 1) sent.pop_front();
}

/// A daemon that does not answer once is no news: the check at the end tells whether it runs.
void Run::Impl::read_status() {
  if (!steered()) return;
  const auto body = lab->api_get("/api/v1/status");
  if (!body) return;
  auto seen = parse_status(*body, record.upstreams);
  if (!seen) return;
  status = std::move(*seen);
  append_new(status, seconds(origin.time_since_epoch()), record.decisions);
}

void Run::Impl::add_latency(double at, Scene& scene) const {
  std::vector<double> times;
  for (const auto& of_family : traffic)
    for (const auto& flow : of_family->record().short_flows) {
      if (flow.lost()) ++scene.flows_lost;
      if (flow.completed() && *flow.ended > at - kLatencySeconds)
        times.push_back(*flow.ended - flow.begun);
    }
  scene.latency.p50 = quantile(times, 0.5);
  scene.latency.p99 = quantile(times, 0.99);
}

Scene Run::Impl::scene(double at) {
  Scene scene;
  scene.scenario = scenario.name;
  scene.steered = steered();
  scene.now = at;
  scene.duration = scenario.duration_s;
  scene.upstreams = record.upstreams;
  scene.decisions = record.decisions;
  for (const auto& event : scenario.events)
    scene.events.push_back({event.at_s, upstream(event.upstream).name, event.what});
  double total = 0;
  for (std::size_t i = 0; i < record.upstreams.size(); ++i) {
    PathRow row{.name = record.upstreams[i], .state = {}, .rtt_ms = {}, .weight = {}, .line = {}};
    const auto name = nexthop_name(row.name, scenario.families.front());
    if (const auto seen = status.nexthops.find(name); seen != status.nexthops.end()) {
      row.state = seen->second.state;
      row.rtt_ms = seen->second.rtt_ms;
      row.loss = seen->second.loss;
      row.weight = seen->second.weight;
    }
    row.share = static_cast<double>(sent.back()[i] - sent.front()[i]);
    total += row.share;
    row.line = line_text(lab->relay().get(lab->core_link(i), Direction::forward));
    scene.paths.push_back(std::move(row));
  }
  for (auto& row : scene.paths) row.share = total > 0 ? row.share / total : 0;
  add_latency(at, scene);
  return scene;
}

Outcome Run::Impl::finish() {
  std::vector<Check> checks;
  record.duration = scenario.duration_s;
  for (auto& of_family : traffic) {
    auto ended = of_family->stop();
    auto& all = record.traffic;
    std::ranges::move(ended.short_flows, std::back_inserter(all.short_flows));
    std::ranges::move(ended.long_flows, std::back_inserter(all.long_flows));
  }
  std::ranges::stable_sort(record.traffic.short_flows, {}, &ShortFlow::begun);
  record.slices = uplinks->slices();
  const auto missed = uplinks->missed();
  if (missed > 0)
    checks.push_back({"every packet was recorded", false, std::to_string(missed) + " were missed"});
  if (steered()) {
    const bool alive = hopwise->running();
    checks.push_back({"hopwise runs to the end", alive, alive ? "" : "\n" + hopwise->log()});
    checks.push_back(prometheus->answers(HOPWISE_DASHBOARDS "/hopwise-overview.json"));
  }
  return {std::move(record), std::move(checks)};
}

Run::Run(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Run::~Run() = default;

Result<std::unique_ptr<Run>> Run::prepare(Scenario scenario, Steering steering) {
  auto impl = std::make_unique<Impl>();
  auto lab = Lab::open(scenario.topology);
  if (!lab) return lab.error();
  impl->lab = std::move(*lab);
  impl->steering = steering;
  impl->record.scenario = scenario.name;
  impl->record.steering = steering;
  impl->record.steered = impl->steered();
  for (const auto& upstream : scenario.topology.upstreams)
    impl->record.upstreams.push_back(upstream.name);
  impl->scenario = std::move(scenario);
  if (impl->steered())
    if (auto started = impl->start_hopwise(); !started) return started.error();
  if (steering == Steering::greedy) {
    auto started = start_greedy(*impl->lab);
    if (!started) return started.error();
    impl->greedy.emplace(std::move(*started));
  }
  return std::unique_ptr<Run>(new Run(std::move(impl)));
}

Result<Outcome> Run::play(const std::function<bool(const Scene&)>& watch) {
  auto& run = *impl_;
  if (auto started = run.start_traffic(); !started) return started.error();
  const auto ticks = static_cast<int>(std::lround(run.scenario.duration_s / seconds(kTick)));
  for (int tick = 0; tick <= ticks; ++tick) {
    std::this_thread::sleep_until(run.origin + tick * kTick);
    const double at = seconds(tick * kTick);
    run.do_due_events(at);
    run.read_links(at);
    if (tick % kTicksPerScene != 0) continue;
    run.read_status();
    if (!watch(run.scene(at))) return Error{"interrupted"};
  }
  return run.finish();
}

}  // namespace hopwise::lab
