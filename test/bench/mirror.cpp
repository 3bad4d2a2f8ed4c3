#include "test/bench/mirror.hpp"

#include <net/if.h>
#include <sys/resource.h>

#include <algorithm>
#include <boost/asio/io_context.hpp>
#include <chrono>
#include <numeric>
#include <stdexcept>

#include "test/bench/staging.hpp"
#include "test/bench/visit.hpp"

namespace hopwise::bench {
namespace {

using std::chrono::steady_clock;
constexpr const char* kPeerMac = "02:00:00:00:77:01";
constexpr std::size_t kMostRtts = 1'000'000;

IpAddress address(std::uint8_t second, std::uint32_t n) {
  const std::array<std::uint8_t, 4> bytes{10, second, static_cast<std::uint8_t>(1 + n / 250),
                                          static_cast<std::uint8_t>(1 + n % 250)};
  return IpAddress::from_bytes(Family::v4, bytes.data());
}

double thread_cpu() {
  rusage usage{};
  getrusage(RUSAGE_THREAD, &usage);
  const auto total = [](const timeval& t) {
    return static_cast<double>(t.tv_sec) + static_cast<double>(t.tv_usec) * 1e-6;
  };
  return total(usage.ru_utime) + total(usage.ru_stime);
}

Probing totals(const probes::Prober& prober) {
  Probing sum;
  for (const ProbeStatus& status : prober.status()) {
    sum.sent += status.sent;
    sum.received += status.received;
    sum.lost += status.lost;
    sum.late += status.late;
    sum.unsent += status.unsent;
    sum.kernel_stamped += status.kernel_stamped;
    sum.proved += status.proved;
    sum.voids += std::accumulate(status.voids.begin(), status.voids.end(), std::uint64_t{0});
  }
  return sum;
}

Probing difference(const Probing& before, Probing after) {
  after.sent -= before.sent;
  after.received -= before.received;
  after.lost -= before.lost;
  after.late -= before.late;
  after.unsent -= before.unsent;
  after.voids -= before.voids;
  after.kernel_stamped -= before.kernel_stamped;
  after.proved -= before.proved;
  return after;
}

Probing probe_here(const ProbingPlan& plan) {
  boost::asio::io_context io{1};
  std::vector<double> rtts;
  rtts.reserve(kMostRtts);
  const auto keep = [&rtts](std::span<const Sample> samples) {
    for (const Sample& sample : samples)
      if (sample.outcome == Outcome::reply && rtts.size() < kMostRtts)
        rtts.push_back(static_cast<double>(sample.rtt.count()) / 1e3);
  };
  const auto prober = std::move(
      probes::Prober::open(io, plan.options, {.samples = keep},
                           plan.bound == ProbingPlan::Bound::staged ? stage() : probes::Staging{})
          .value());
  for (const probes::Target& target : plan.targets) {
    prober->set_target(target).value();
    prober->set_ready(target.nexthop.id, plan.readiness);
  }
  io.run_for(plan.warm_up);
  rtts.clear();
  const Probing before = totals(*prober);
  const double cpu = thread_cpu();
  const auto start = steady_clock::now();
  io.run_for(plan.measured);
  const double used = thread_cpu() - cpu;
  const double passed = seconds(steady_clock::now() - start);
  Probing told = difference(before, totals(*prober));
  told.cpu_seconds = used;
  told.seconds = passed;
  told.staged = prober->totals().staged;
  told.rtts_us = std::move(rtts);
  std::sort(told.rtts_us.begin(), told.rtts_us.end());
  return told;
}

}  // namespace

Mirror::Mirror(const std::string& label, std::uint32_t gateways)
    : router_(lab::Namespace::create(label + "-rtr").value()),
      peer_(lab::Namespace::create(label + "-peer").value()) {
  lab::veth({router_, "wan"}, {peer_, "eth0"}).value();
  peer_
      .ip(std::string("link set eth0 address ") + kPeerMac +
          " up\nroute add local 10.77.1.0/24 dev lo\nroute add local 10.77.0.0/16 dev lo\n"
          "route add local 10.78.0.0/16 dev lo\nroute add 10.76.0.0/16 dev eth0")
      .value();
  peer_.ip("neigh add 10.76.0.1 lladdr 02:00:00:00:77:02 dev eth0 nud permanent").value();
  std::string lines =
      "link set wan address 02:00:00:00:77:02 up\naddr add 10.76.0.1/32 dev wan\n"
      "route add 10.77.0.0/16 dev wan\nroute add 10.78.0.0/16 via 10.77.1.1 dev wan onlink\n";
  for (std::uint32_t n = 0; n < gateways; ++n)
    lines += "neigh add " + gateway(n).text() + " lladdr " + kPeerMac + " dev wan nud permanent\n";
  router_.ip(lines).value();
  const Visit visit(router_);
  ifindex_ = if_nametoindex("wan");
}

IpAddress Mirror::gateway(std::uint32_t n) {
  return address(77, n);
}

IpAddress Mirror::anchor(std::uint32_t n) {
  return address(78, n);
}

Nexthop Mirror::nexthop(std::uint32_t n) const {
  return {NexthopId{n + 1}, {ifindex_, gateway(n)}, "wan", gateway(n).text() + "@wan"};
}

probes::Readiness Mirror::readiness() const {
  return {true, EthernetAddress{2, 0, 0, 0, 0x77, 1}};
}

double Probing::rtt_quantile(double part) const {
  if (rtts_us.empty()) throw std::runtime_error("no reply at all");
  return rtts_us[static_cast<std::size_t>(part * static_cast<double>(rtts_us.size() - 1))];
}

Probing probe(const lab::Namespace& where, const ProbingPlan& plan) {
  const Visit visit(where);
  return probe_here(plan);
}

}  // namespace hopwise::bench
