// How long the daemon takes from its start until all of the Internet's routes are steered, and what
// memory it takes. Beside it, in the same run: the kernel's own time to dump them into nothing,
// which nobody can beat, and what `ip route` takes to print them.
#include <sys/wait.h>

#include <algorithm>

#include "test/bench/follow_parts.hpp"

namespace hopwise::bench {
namespace {

constexpr const char* kStart = "start: from exec to steering every route";
constexpr const char* kMemory = "memory";

std::vector<const Ways*> filled(const FollowRouter& router, const std::vector<Prefix>& prefixes) {
  std::vector<const Ways*> ways;
  ways.reserve(prefixes.size());
  for (std::size_t i = 0; i < prefixes.size(); ++i) ways.push_back(&router.ways(prefixes[i], i));
  return ways;
}

double print_with_ip(const FollowRouter& router) {
  const auto begin = FollowClock::now();
  router.router().run({"sh", "-c", "{ ip route show; ip -6 route show; } | wc -l"}).value();
  return seconds_since(begin);
}

/// Ready, and every address finds its set.
double start_s(const FollowDaemon& daemon, const Expected& expected) {
  const auto tables = daemon.tables();
  if (expected.wrong(tables) == 0 && tables.lease_ns() != 0) return daemon.ready_s();
  if (!expected.settle(tables, FollowClock::now() + std::chrono::seconds(60)))
    throw std::runtime_error("start: " + std::to_string(expected.wrong(tables)) +
                             " addresses are not steered as the kernel's routes say");
  return seconds_since(daemon.started());
}

struct Runs {
  std::vector<double> dump, start, beyond, cpu, memory, peak;
};

void measure_once(const FollowRouter& router, const Expected& expected, std::size_t routes,
                  Runs& runs) {
  const BareDump dump = bare_dump(router.router());
  if (dump.messages < routes)
    throw std::runtime_error("the kernel has " + std::to_string(dump.messages) + " of " +
                             std::to_string(routes) + " routes");
  const FollowDaemon daemon(router);
  const double cpu = daemon.cpu_s();
  const double start = start_s(daemon, expected);
  runs.dump.push_back(dump.seconds);
  runs.start.push_back(start);
  runs.cpu.push_back(cpu);
  runs.beyond.push_back(start - dump.seconds);
  until_calm(daemon);
  runs.memory.push_back(daemon.memory_mib());
  double peak = daemon.memory_mib();
  begin_resync(router, daemon);
  until_calm(daemon, [&] { peak = std::max(peak, daemon.memory_mib()); });
  runs.peak.push_back(peak);
}

double idle_memory_mib(Form form) {
  const FollowRouter router(form);
  const auto few = follow_prefixes({64, 64});
  router.fill(few);
  const FollowDaemon daemon(router);
  until_calm(daemon);
  return daemon.memory_mib();
}

void measure_form(Report& report, Effort effort, Form form) {
  const Size size = size_of(effort);
  progress(std::string("start: ") + text(form));
  const double idle = idle_memory_mib(form);
  const FollowRouter router(form);
  const auto prefixes = follow_prefixes(size);
  router.fill(prefixes);
  const Expected expected(prefixes, filled(router, prefixes));
  Runs runs;
  for (int i = 0; i < (effort == Effort::full ? 3 : 2); ++i)
    measure_once(router, expected, size.sum(), runs);
  const std::string row = text(form);
  report.add({kStart, row, "kernel's dump, s", spread(runs.dump)});
  report.add({kStart, row, "hopwise, s", spread(runs.start)});
  report.add({kStart, row, "beyond the dump, s", spread(runs.beyond)});
  report.add({kStart, row, "its CPU time, s", spread(runs.cpu)});
  report.add({kStart, row, "`ip route show | wc -l`, s", spread({print_with_ip(router)})});
  report.judge({"start: beyond the kernel's dump, " + row, Bound::at_most, 2,
                spread(runs.beyond).median, "s"});
  const double all = spread(runs.memory).median;
  report.add({kMemory, row, "128 routes, MiB", spread({idle})});
  report.add({kMemory, row, "all, MiB", spread(runs.memory)});
  report.add({kMemory, row, "bytes a route",
              spread({(all - idle) * (1 << 20) / static_cast<double>(size.sum())})});
  report.add({kMemory, row, "peak in a resync, MiB", spread(runs.peak)});
}

}  // namespace

void measure_follow_start(Report& report, Effort effort) {
  const Size size = size_of(effort);
  report.explain(kStart, std::to_string(size.v4) + " IPv4 and " + std::to_string(size.v6) +
                             " IPv6 multipath routes of 32 sets. Steering: sd_notify has said so, "
                             "and the programs' tables have every prefix as it is in the kernel. "
                             "The CPU time is the whole process'.");
  report.explain(kMemory, "Anonymous memory of the daemon; the BPF maps are not in it.");
  for (const Form form : {Form::multipath, Form::objects}) measure_form(report, effort, form);
}

}  // namespace hopwise::bench
