// Passive round-trip times against the truth.
//
// A lab router with eight upstreams, each beyond a link of its own delay and loss. Real TCP
// connections go through all of them, and the data plane tells the round-trip times that it saw.
// The truth is the median ICMP echo over the same link in the same time, which holds the configured
// delay and whatever this machine adds to it.
#include <net/if.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <future>
#include <map>
#include <sstream>
#include <thread>

#include "core/dataplane/dataplane.hpp"
#include "test/bench/parts.hpp"
#include "test/bench/visit.hpp"
#include "test/lab/lab.hpp"
#include "test/lab/traffic.hpp"

namespace hopwise::bench {
namespace {

using namespace std::chrono_literals;

struct Line {
  Duration round_trip;
  double loss;
};

constexpr std::array<Line, 8> kLines{{{1ms, 0},
                                      {10ms, 0},
                                      {50ms, 0},
                                      {200ms, 0},
                                      {1ms, 0.02},
                                      {10ms, 0.02},
                                      {50ms, 0.02},
                                      {200ms, 0.02}}};
/// What goes over the links.
struct Load {
  const char* name;
  const char* text;
  int long_flows;
  double new_flows_per_s;
  int flow_kbytes;
  double mbit;
  bool judged;
};
constexpr std::array<Load, 2> kLoads{
    {{"rtt: passive against the truth, transfers", "100 TCP transfers of 40 kB a second", 0, 100,
      40, 32, true},
     {"rtt: passive against the truth, paced flows",
      "64 TCP connections that send a segment every 30 ms each: receivers delay their "
      "acknowledgements, which no passive method can tell from the path; no target",
      64, 4, 4, 25, false}}};

constexpr GroupId kGroup{1};

std::string name_of(const Line& line) {
  return std::to_string(line.round_trip / 1ms) + " ms, loss " + (line.loss > 0 ? "2 %" : "0");
}

lab::Topology topology() {
  lab::Topology topology;
  topology.router = lab::Daemon::none;
  for (const Line& line : kLines)
    topology.upstreams.push_back({"up" + std::to_string(topology.upstreams.size()),
                                  lab::Daemon::none,
                                  {.delay = line.round_trip / 2, .loss = line.loss}});
  return topology;
}

/// A data plane in the lab's router: every upstream is a path of one group.
std::unique_ptr<dataplane::Dataplane> attach(const lab::Lab& lab) {
  dataplane::Options options;
  options.pin_root.clear();
  options.lease = 1h;
  const Visit visit(lab.router());
  auto dataplane = std::move(dataplane::Dataplane::open(options).value());
  std::vector<dataplane::Dataplane::Attachment> attachments{
      {if_nametoindex("lan0"), "lan0", dataplane::Role::lan}};
  Group group{kGroup, {}};
  for (std::uint32_t i = 0; i < kLines.size(); ++i) {
    const std::string device = lab.wan_device(i);
    const NexthopId id{i + 1};
    const IpAddress gateway = lab.gateway(i, Family::v4).value();
    dataplane->set_nexthop({id, {if_nametoindex(device.c_str()), gateway}, device, device}).value();
    dataplane->set_nexthop_usable(id, true);
    group.paths.push_back({PathId{i + 1}, id, 1});
    attachments.push_back({if_nametoindex(device.c_str()), device, dataplane::Role::wan});
  }
  dataplane->set_group(group).value();
  dataplane->set_route(*Prefix::parse("203.0.113.0/24"), kGroup).value();
  dataplane->renew_lease(std::chrono::steady_clock::now());
  for (const Error& error : dataplane->attach(attachments)) throw std::runtime_error(error.message);
  return dataplane;
}

double median_of(const std::string& fping, const std::string& address) {
  const auto at = fping.find(address + " :");
  if (at == std::string::npos) throw std::runtime_error("fping told nothing: " + fping);
  std::istringstream words(fping.substr(at + address.size() + 2));
  std::vector<double> times;
  for (std::string word; words >> word && times.size() < 100'000;)
    if (word != "-") times.push_back(std::stod(word));
  return spread(times).median;
}

/// Echoes from every upstream over its link, in milliseconds, while traffic flows.
std::vector<double> truths(const lab::Lab& lab, Duration time) {
  std::vector<std::future<double>> echoes;
  const std::string count = std::to_string(time / 50ms);
  for (std::size_t i = 0; i < kLines.size(); ++i)
    echoes.push_back(std::async(std::launch::async, [&lab, &count, i] {
      const std::string target = "10.98." + std::to_string(i) + ".2";
      const std::string told =
          lab.upstream(i)
              .run({"sh", "-c",
                    "fping -q -p 50 -t 1000 -C " + count + ' ' + target + " 2>&1 || true"})
              .value();
      return median_of(told, target);
    }));
  std::vector<double> all;
  for (auto& echo : echoes) all.push_back(echo.get());
  return all;
}

/// Passive medians of each path, one every `step`, in milliseconds.
std::map<std::uint32_t, std::vector<double>> listen(dataplane::Dataplane& dataplane, Duration time,
                                                    Duration step) {
  std::map<std::uint32_t, std::vector<double>> told;
  (void)dataplane.take_passive();
  for (Duration passed{}; passed < time; passed += step) {
    std::this_thread::sleep_for(step);
    dataplane.renew_lease(std::chrono::steady_clock::now());
    const auto readings = dataplane.take_passive();
    for (const auto& [path, rtt] : readings.paths)
      if (rtt.samples >= 5) told[raw(path)].push_back(milliseconds(rtt.p50));
  }
  return told;
}

void judge(Report& report, const Load& load, const Line& line, double truth,
           const std::vector<double>& told) {
  if (told.empty() && !load.judged) return;  // too few packets
  if (told.empty()) throw std::runtime_error(name_of(line) + ": no passive time was told");
  std::vector<double> errors;
  for (const double time : told) errors.push_back(std::abs(time - truth));
  std::sort(errors.begin(), errors.end());
  const double median = spread(errors).median, p95 = errors[(errors.size() - 1) * 95 / 100];
  const auto add = [&](const std::string& column, double value) {
    report.add({load.name, name_of(line), column, {value, value, value}});
  };
  add("readings", static_cast<double>(told.size()));
  add("truth, ms", truth);
  report.add({load.name, name_of(line), "passive, ms", spread(told)});
  add("median error, ms", median);
  add("p95 error, ms", p95);
  if (load.judged)
    report.judge({"rtt: median error at " + name_of(line), Bound::at_most,
                  std::max(1.0, 0.03 * truth), median, "ms"});
}

void measure(Report& report, const Load& load, const lab::Lab& lab, Duration time) {
  progress(std::string(load.name) + ": eight links");
  lab::TrafficPlan plan;
  plan.server = *IpAddress::parse(lab::kService4);
  plan.long_flows = load.long_flows;
  plan.new_flows_per_s = load.new_flows_per_s;
  plan.flow_kbytes = load.flow_kbytes;
  plan.mbit = load.mbit;
  const auto dataplane = attach(lab);
  const auto traffic = std::move(
      lab::Traffic::start(lab.client(), lab.server(), plan, std::chrono::steady_clock::now())
          .value());
  std::this_thread::sleep_for(2s);  // the connections open
  auto echoes = std::async(std::launch::async, [&] { return truths(lab, time); });
  const auto told = listen(*dataplane, time, 500ms);
  const std::vector<double> truth = echoes.get();
  report.explain(load.name,
                 std::string(load.text) +
                     ", over eight links at once. A reading is the median of what a path "
                     "told in 0.5 s; the truth is the median ICMP echo.");
  for (std::uint32_t i = 0; i < kLines.size(); ++i) {
    const auto path = told.find(i + 1);
    judge(report, load, kLines[i], truth.at(i),
          path == told.end() ? std::vector<double>{} : path->second);
  }
}

}  // namespace

void measure_rtt(Report& report, Effort effort) {
  const auto lab = std::move(lab::Lab::open(topology()).value());
  for (const Load& load : kLoads) {
    if (!load.judged && effort == Effort::quick) continue;
    measure(report, load, *lab, effort == Effort::full ? Duration(12s) : Duration(5s));
  }
}

}  // namespace hopwise::bench
