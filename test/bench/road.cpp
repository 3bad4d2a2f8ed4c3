#include "test/bench/road.hpp"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <net/if.h>
#include <netinet/in.h>

#include <cstring>
#include <stdexcept>

#include "core/dataplane/handle.hpp"
#include "test/bench/report.hpp"
#include "test/bench/visit.hpp"
#include "traffic.skel.h"

namespace hopwise::bench {
namespace {

using dataplane::Handle;

constexpr std::uint32_t kStretch = 16'384;  // packets

[[noreturn]] void fail(const std::string& what, int error) {
  throw std::runtime_error(system_error(what, error < 0 ? -error : error).message);
}

std::uint32_t index_of(const char* device) {
  return if_nametoindex(device);
}

// 02:00:00:00:<side>:<link>
std::array<std::uint8_t, 6> mac(int side, int link) {
  return {2, 0, 0, 0, static_cast<std::uint8_t>(side), static_cast<std::uint8_t>(link)};
}

std::string lladdr(int side, int link) {
  return "02:00:00:00:0" + std::to_string(side) + ":0" + std::to_string(link);
}

Handle attach(const bpf_program* program, std::uint32_t ifindex, bpf_attach_type point) {
  Handle link(bpf_link_create(bpf_program__fd(program), static_cast<int>(ifindex), point, nullptr));
  if (!link) fail(std::string("attach ") + bpf_program__name(program), errno);
  return link;
}

// <linux/bpf.h> of Debian 12 does not have it.
constexpr auto kTcxIngress = static_cast<bpf_attach_type>(46);

}  // namespace

Road::Road(const std::string& label)
    : generator_(lab::Namespace::create(label + "-gen").value()),
      router_(lab::Namespace::create(label + "-rtr").value()),
      sink_(lab::Namespace::create(label + "-snk").value()),
      programs_(nullptr, traffic_bpf::destroy) {
  build();
  load();
}

Road::~Road() = default;

void Road::build() {
  lab::veth({generator_, "g0"}, {router_, "lan0"}).value();
  lab::veth({router_, "wan0"}, {sink_, "s0"}).value();
  lab::veth({router_, "wan1"}, {sink_, "s1"}).value();
  generator_.ip("link set g0 address " + lladdr(1, 0) + " up").value();
  sink_
      .ip("link set s0 address " + lladdr(3, 0) + " up\nlink set s1 address " + lladdr(3, 1) +
          " up")
      .value();
  router_
      .ip("link set lan0 address " + lladdr(2, 2) + " up\n" + "link set wan0 address " +
          lladdr(2, 0) + " up\n" + "link set wan1 address " + lladdr(2, 1) + " up\n" +
          "addr add 10.255.255.1/24 dev lan0\n"
          "addr add 192.0.2.1/24 dev wan0\n"
          "addr add 198.51.100.1/24 dev wan1\n"
          "neigh add 10.255.255.2 lladdr " +
          lladdr(1, 0) +
          " dev lan0 nud permanent\n"
          "neigh add 192.0.2.2 lladdr " +
          lladdr(3, 0) +
          " dev wan0 nud permanent\n"
          "neigh add 198.51.100.2 lladdr " +
          lladdr(3, 1) +
          " dev wan1 nud permanent\n"
          "route add 10.0.0.0/8 via 10.255.255.2")
      .value();
  // GRO gives a veth its NAPI, without which live frames cannot enter it.
  for (const char* device : {"lan0", "wan0", "wan1"})
    router_.run({"ethtool", "-K", device, "gro", "on"}).value();
  for (const char* key : {"net/ipv4/ip_forward", "net/ipv4/fib_multipath_hash_policy"})
    router_.sysctl(key, "1").value();
  for (const char* where : {"all", "default", "lan0", "wan0", "wan1"})
    router_.sysctl(std::string("net/ipv4/conf/") + where + "/rp_filter", "0").value();
  const auto put = [&](int way, std::array<std::uint8_t, 6> to, std::array<std::uint8_t, 6> from) {
    std::memcpy(ethernet_[way].data(), to.data(), 6);
    std::memcpy(ethernet_[way].data() + 6, from.data(), 6);
  };
  put(0, mac(2, 2), mac(1, 0));
  put(1, mac(2, 0), mac(3, 0));
}

void Road::load() {
  libbpf_set_print(nullptr);
  {
    const Visit visit(router_);
    lan_ = index_of("lan0");
    wan_ = {index_of("wan0"), index_of("wan1")};
  }
  programs_.reset(traffic_bpf::open());
  if (!programs_) fail("open traffic.bpf.c", errno);
  programs_->rodata->bare_nexthop.ifindex = wan_[0];
  std::memcpy(programs_->rodata->bare_nexthop.link, mac(3, 0).data(), 6);
  std::memcpy(programs_->rodata->bare_nexthop.link + 6, mac(2, 0).data(), 6);
  if (const int failed = traffic_bpf::load(programs_.get()); failed != 0)
    fail("load traffic.bpf.c", failed);
  flows_ = std::make_unique<dataplane::MappedArray<bench_flow>>(
      dataplane::MappedArray<bench_flow>::map(bpf_map__fd(programs_->maps.bench_flows),
                                              BENCH_MAX_FLOWS, "bench_flows")
          .value());
  plan_ = std::make_unique<dataplane::MappedArray<bench_plan>>(
      dataplane::MappedArray<bench_plan>::map(bpf_map__fd(programs_->maps.bench_plan), 1,
                                              "bench_plan")
          .value());
  {
    const Visit visit(sink_);
    s0_ = index_of("s0");
    links_.push_back(attach(programs_->progs.sink0, s0_, BPF_XDP));
    links_.push_back(attach(programs_->progs.sink1, index_of("s1"), BPF_XDP));
  }
  const Visit visit(generator_);
  g0_ = index_of("g0");
}

void Road::set_flows(const std::vector<bench_flow>& flows) {
  for (std::size_t i = 0; i < flows.size(); ++i)
    (*flows_)[static_cast<std::uint32_t>(i)] = flows[i];
  bench_plan& plan = (*plan_)[0];
  plan.flows = static_cast<std::uint32_t>(flows.size());
  // The rounds go on, so that nothing looks sent again; the next one begins with the first flow.
  plan.next = (plan.next / plan.flows + 1) * plan.flows;
  frame_bytes_ = flows.front().protocol == IPPROTO_TCP ? BENCH_FRAME4_TCP : BENCH_FRAME4_UDP;
}

double Road::send(std::uint32_t packets, bool back) {
  std::array<std::uint8_t, 256> frame{};
  xdp_md where{};
  where.data_end = frame_bytes_;
  where.ingress_ifindex = back ? s0_ : g0_;
  bench_plan& plan = (*plan_)[0];
  plan.back = back ? 1 : 0;
  std::memcpy(plan.link, ethernet_[back ? 1 : 0].data(), sizeof(plan.link));
  bpf_test_run_opts run{};
  run.sz = sizeof(run);
  run.data_in = frame.data();
  run.data_size_in = frame_bytes_;
  run.ctx_in = &where;
  run.ctx_size_in = sizeof(where);
  run.flags = BPF_F_TEST_XDP_LIVE_FRAMES;
  run.repeat = static_cast<int>(packets);
  if (const int failed = bpf_prog_test_run_opts(bpf_program__fd(programs_->progs.generate), &run);
      failed != 0)
    fail("send live frames", failed);
  return run.duration;
}

std::uint64_t Road::seen() const {
  std::uint64_t sum = 0;
  std::vector<std::uint64_t> by_cpu(libbpf_num_possible_cpus());
  for (std::uint32_t where = 0; where < 3; ++where) {
    bpf_map_lookup_elem(bpf_map__fd(programs_->maps.bench_seen), &where, by_cpu.data());
    for (const std::uint64_t packets : by_cpu) sum += packets;
  }
  return sum;
}

void Road::greet() {
  bench_plan& plan = (*plan_)[0];
  const AloneOnCpu alone;
  const std::uint64_t round = plan.next / plan.flows;
  plan.begins = 1;
  {
    const Visit visit(generator_);
    send(plan.flows, false);
  }
  const std::uint64_t next = plan.next;
  plan.answered = static_cast<std::uint32_t>(round);
  {
    const Visit visit(sink_);
    send(plan.flows, true);
  }
  plan.next = next;
  plan.begins = 0;
}

Passage Road::drive(int stretches) {
  const AloneOnCpu alone;
  const Visit visit(generator_);
  send(4096, false);
  Passage passage;
  const std::uint64_t before = seen();
  std::vector<double> times;
  for (int i = 0; i < stretches; ++i) times.push_back(send(kStretch, false));
  passage.sent = static_cast<std::uint64_t>(stretches) * kStretch;
  passage.arrived = seen() - before;
  passage.ns_per_packet = spread(times).median;
  return passage;
}

Passage Road::drive(int stretches, Stand stand) {
  if (stand == Stand::nothing) return drive(stretches);
  Handle link;
  {
    const Visit visit(router_);
    link = attach(stand == Stand::drop ? programs_->progs.drop : programs_->progs.bare, lan_,
                  kTcxIngress);
  }
  return drive(stretches);
}

}  // namespace hopwise::bench
