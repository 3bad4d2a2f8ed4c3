// Round-trip times over one emulated link, as hopwise, fping and irtt tell them at the same time.
#include <net/if.h>

#include <chrono>
#include <future>
#include <nlohmann/json.hpp>
#include <sstream>

#include "test/bench/mirror.hpp"
#include "test/bench/parts.hpp"
#include "test/bench/visit.hpp"
#include "test/lab/lab.hpp"

namespace hopwise::bench {
namespace {

using namespace std::chrono_literals;
constexpr const char* kSection = "truth: round-trip times over one link, side by side";

struct Told {
  double median_ms = 0;
  double p99_ms = 0;
};

Told told_of(const std::string& who, std::vector<double> times) {
  if (times.empty()) throw std::runtime_error(who + " told no time");
  std::sort(times.begin(), times.end());
  return {spread(times).median, times[(times.size() - 1) * 99 / 100]};
}

Told fping(const lab::Namespace& where, const std::string& to, int count) {
  const std::string told =
      where
          .run({"sh", "-c",
                "fping -q -p 20 -t 1000 -C " + std::to_string(count) + ' ' + to + " 2>&1 || true"})
          .value();
  std::istringstream words(told.substr(told.find(" : ") + 3));
  std::vector<double> times;
  for (std::string word; words >> word;)
    if (word != "-") times.push_back(std::stod(word));
  return told_of("fping", std::move(times));
}

Told irtt(const lab::Namespace& where, const std::string& to, int count) {
  const std::string told = where
                               .run({"irtt", "client", "-Q", "-i", "20ms", "-d",
                                     std::to_string(count * 20) + "ms", "-o", "-", to})
                               .value();
  std::vector<double> times;
  const auto all = nlohmann::json::parse(told);
  for (const auto& trip : all.at("round_trips"))
    if (trip.at("delay").contains("rtt"))
      times.push_back(trip.at("delay").at("rtt").get<double>() / 1e6);
  return told_of("irtt", std::move(times));
}

Told hopwise_told(const lab::Namespace& where, const IpAddress& to, int count) {
  ProbingPlan plan;
  plan.options.interval = plan.options.suspicious_interval = 23ms;
  plan.warm_up = 1s;
  plan.measured = count * 20ms;
  {
    const Visit visit(where);
    plan.targets.push_back(
        {{NexthopId{1}, {if_nametoindex("core"), to}, "core", "core"}, {probes::AnchorSpec(to)}});
  }
  plan.readiness = {true, {}};
  Probing told = probe(where, plan);
  for (double& time : told.rtts_us) time /= 1e3;
  return told_of("hopwise", std::move(told.rtts_us));
}

}  // namespace

void measure_probe_truth(Report& report, Effort effort) {
  constexpr std::array<Duration, 3> kRoundTrips{1ms, 20ms, 200ms};
  const int count = effort == Effort::full ? 500 : 50;
  report.explain(kSection,
                 "Emulated links; the emulator itself keeps times to some 0.1 ms. Probes every 20 "
                 "ms from all at the same time.");
  lab::Topology topology;
  topology.router = lab::Daemon::none;
  for (const Duration trip : kRoundTrips)
    topology.upstreams.push_back(
        {"up" + std::to_string(topology.upstreams.size()), lab::Daemon::none, {.delay = trip / 2}});
  const auto lab = std::move(lab::Lab::open(topology).value());
  auto server =
      std::move(lab->start(lab->server(), {"irtt", "server", "--set-src-ip"}, "irtt").value());
  if (!lab::eventually(10s, [&] {
        const auto sockets = lab->server().run({"ss", "-Huln"});
        return sockets && sockets->find(":2112 ") != std::string::npos;
      }))
    throw std::runtime_error("irtt's server does not listen: " + server.log());
  for (std::size_t i = 0; i < kRoundTrips.size(); ++i) {
    const std::string to = "10.98." + std::to_string(i) + ".2";
    const std::string row = std::to_string(kRoundTrips[i] / 1ms) + " ms";
    progress("truth: " + row);
    const lab::Namespace& from = lab->upstream(i);
    auto first = std::async(std::launch::async, [&] { return fping(from, to, count); });
    auto second = std::async(std::launch::async, [&] { return irtt(from, to, count); });
    const Told ours = hopwise_told(from, *IpAddress::parse(to), count);
    const Told theirs = first.get(), others = second.get();
    const auto add = [&](const char* column, double value) {
      report.add({kSection, row, column, {value, value, value}});
    };
    add("hopwise p50, ms", ours.median_ms);
    add("fping p50, ms", theirs.median_ms);
    add("irtt p50, ms", others.median_ms);
    add("hopwise p99, ms", ours.p99_ms);
    add("fping p99, ms", theirs.p99_ms);
    add("irtt p99, ms", others.p99_ms);
    report.judge({"truth: median apart from fping's at " + row, Bound::at_most,
                  std::max(0.2, 0.01 * theirs.median_ms),
                  std::abs(ours.median_ms - theirs.median_ms), "ms"});
  }
}

}  // namespace hopwise::bench
