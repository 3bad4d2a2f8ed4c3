// How many probes a second one thread sends, what each costs, and what gets lost in this host; next
// to fping at its own best rate and smokeping_prober.
//
// A peer across a veth answers in its kernel. On a veth the peer's answer is made in the sender's
// own time: it is in the cost of everybody here.
#include <sys/resource.h>

#include <chrono>
#include <thread>

#include "test/bench/mirror.hpp"
#include "test/bench/parts.hpp"
#include "test/bench/visit.hpp"
#include "test/lab/process.hpp"

namespace hopwise::bench {
namespace {

using namespace std::chrono_literals;

constexpr const char* kSection = "rate: probes a second from one thread, and what each costs";
constexpr std::uint32_t kNexthops = 25;

// A stream's mean pause is 7/8 of its interval.
ProbingPlan plan_of(const Mirror& mirror, double rate, std::uint32_t streams, Effort effort) {
  ProbingPlan plan;
  plan.options.interval = Duration(static_cast<std::int64_t>(streams / rate / 0.875 * 1e9));
  plan.options.suspicious_interval = plan.options.interval;
  plan.options.budget = 4 * rate;
  plan.options.late_within = plan.options.max_timeout = 1s;
  plan.readiness = mirror.readiness();
  plan.measured = effort == Effort::full ? 8s : 2s;
  const std::uint32_t anchors = streams / kNexthops;
  for (std::uint32_t n = 0; n < kNexthops; ++n) {
    probes::Target target{mirror.nexthop(n), {}};
    for (std::uint32_t a = 0; a < anchors; ++a)
      target.anchors.emplace_back(Mirror::anchor(n * anchors + a));
    plan.targets.push_back(std::move(target));
  }
  return plan;
}

void tell(Report& report, const std::string& row, const std::vector<Probing>& runs) {
  const auto add = [&](const char* column, auto figure) {
    std::vector<double> values;
    values.reserve(runs.size());
    for (const Probing& run : runs) values.push_back(static_cast<double>(figure(run)));
    report.add({kSection, row, column, spread(values)});
  };
  add("probes/s", [](const Probing& p) { return p.rate(); });
  add("us CPU a probe", [](const Probing& p) { return p.cpu_us_per_probe(); });
  add("lost", [](const Probing& p) { return p.lost; });
  add("void or unsent", [](const Probing& p) { return p.voids + p.unsent; });
  add("kernel stamps, %", [](const Probing& p) {
    return 100.0 * static_cast<double>(p.kernel_stamped) / static_cast<double>(p.received + p.late);
  });
  add("proved, %", [](const Probing& p) {
    return 100.0 * static_cast<double>(p.proved) / static_cast<double>(p.sent);
  });
  add("RTT p50, us", [](const Probing& p) { return p.rtt_quantile(0.5); });
  add("RTT p99, us", [](const Probing& p) { return p.rtt_quantile(0.99); });
}

std::vector<Probing> runs_of(const Mirror& mirror, double rate, std::uint32_t streams,
                             Effort effort) {
  std::vector<Probing> runs;
  for (int run = 0; run < (effort == Effort::full ? 3 : 1); ++run)
    runs.push_back(probe(mirror.router(), plan_of(mirror, rate, streams, effort)));
  return runs;
}

double children_cpu() {
  rusage usage{};
  getrusage(RUSAGE_CHILDREN, &usage);
  const auto total = [](const timeval& t) {
    return static_cast<double>(t.tv_sec) + static_cast<double>(t.tv_usec) * 1e-6;
  };
  return total(usage.ru_utime) + total(usage.ru_stime);
}

struct Peer {
  double rate = 0;
  double cpu_us = 0;
  double lost = 0;
};

// fping numbers its probes by 16 bits that are kept for ten seconds: 6,553 a second at most.
Peer fping(const Mirror& mirror, Effort effort) {
  constexpr int kTargets = 64;
  const int count = effort == Effort::full ? 800 : 200;
  std::string targets;
  for (std::uint32_t n = 0; n < kTargets; ++n) targets += ' ' + Mirror::anchor(n).text();
  const double before = children_cpu();
  const auto start = std::chrono::steady_clock::now();
  const std::string told =
      mirror.router()
          .run({"sh", "-c",
                "fping -q -i 0.15 -p 10 -c " + std::to_string(count) + targets + " 2>&1 || true"})
          .value();
  const double passed = seconds(std::chrono::steady_clock::now() - start);
  double received = 0;
  for (std::size_t at = told.find("xmt/rcv/%loss = "); at != std::string::npos;
       at = told.find("xmt/rcv/%loss = ", at + 1)) {
    const auto slash = told.find('/', at + 16);
    received += std::stod(told.substr(slash + 1));
  }
  const double sent = static_cast<double>(count) * kTargets;
  return {sent / passed, (children_cpu() - before) * 1e6 / sent, sent - received};
}

// Told by its own count of requests.
Peer smokeping_prober(const Mirror& mirror, Effort effort) {
  const auto folder = std::filesystem::temp_directory_path();
  std::vector<std::string> line{"prometheus-smokeping-prober", "--ping.interval=50ms",
                                "--web.listen-address=127.0.0.1:9374"};
  for (std::uint32_t n = 0; n < 50; ++n) line.push_back(Mirror::anchor(n).text());
  auto process = lab::Process::start(mirror.router(), line,
                                     folder / ("smokeping." + std::to_string(getpid()) + ".log"));
  auto& running = process.value();
  const double before = children_cpu();
  const Duration time = effort == Effort::full ? 8s : 3s;
  std::this_thread::sleep_for(time);
  const std::string page =
      mirror.router().run({"curl", "-s", "http://127.0.0.1:9374/metrics"}).value();
  running.stop();
  std::filesystem::remove(running.log_path());
  const auto sum = [&](const std::string& name) {
    double total = 0;
    for (std::size_t at = page.find("\n" + name + "{"); at != std::string::npos;
         at = page.find("\n" + name + "{", at + 1))
      total += std::stod(page.substr(page.find("} ", at) + 2));
    return total;
  };
  const double sent = sum("smokeping_requests_total");
  if (sent == 0) throw std::runtime_error("smokeping_prober told of no probe: " + page);
  return {sent / seconds(time), (children_cpu() - before) * 1e6 / sent,
          sent - sum("smokeping_response_duration_seconds_count")};
}

void tell(Report& report, const std::string& row, const Peer& peer) {
  const auto add = [&](const char* column, double value) {
    report.add({kSection, row, column, {value, value, value}});
  };
  add("probes/s", peer.rate);
  add("us CPU a probe", peer.cpu_us);
  add("lost", peer.lost);
}

}  // namespace

void measure_probe_rate(Report& report, Effort effort) {
  report.explain(kSection,
                 "1,000 streams over 25 nexthops to a peer across a veth, whose kernel answers; "
                 "its work is in the CPU time of all. `idle` is 200 a second: there the whole "
                 "round trip counts as error.");
  const Mirror mirror("rate", kNexthops);
  progress("rate: fping, smokeping_prober");
  const Peer best = fping(mirror, effort);
  tell(report, "fping, its best", best);
  try {
    tell(report, "smokeping_prober", smokeping_prober(mirror, effort));
  } catch (const std::exception& error) {
    progress(std::string("smokeping_prober: ") + error.what());
  }
  struct Case {
    const char* name;
    double rate;
    std::uint32_t streams;
  };
  constexpr std::array<Case, 4> kCases{{{"hopwise, idle", 200, 25},
                                        {"hopwise, fping's rate", 6'400, 1'000},
                                        {"hopwise, 50,000/s", 50'000, 1'000},
                                        {"hopwise, 100,000/s", 100'000, 1'000}}};
  for (const Case& c : kCases) {
    progress(std::string("rate: ") + c.name);
    const auto runs = runs_of(mirror, c.rate, c.streams, effort);
    tell(report, c.name, runs);
  }
  const auto of = [&](const char* row, const char* column) {
    return report.median(kSection, row, column);
  };
  report.judge({"rate: of 50,000/s wanted", Bound::at_least, 49'000,
                of("hopwise, 50,000/s", "probes/s"), "probes/s"});
  report.judge({"rate: lost in this host at 50,000/s", Bound::at_most, 0,
                of("hopwise, 50,000/s", "lost") + of("hopwise, 50,000/s", "void or unsent"), ""});
  report.judge({"rate: CPU at 50,000/s", Bound::at_most, 10,
                of("hopwise, 50,000/s", "us CPU a probe"), "us a probe"});
  report.judge({"rate: CPU at 50,000/s, next to fping at its best", Bound::at_most, best.cpu_us,
                of("hopwise, 50,000/s", "us CPU a probe"), "us a probe"});
  report.judge({"rate: RTT error on an idle veth, p99", Bound::at_most, 10,
                of("hopwise, idle", "RTT p99, us"), "us"});
}

}  // namespace hopwise::bench
