#include "test/bench/packet_set.hpp"

#include <bpf/bpf.h>
#include <linux/if_ether.h>
#include <net/if.h>
#include <netinet/in.h>
#include <unistd.h>

#include <cstring>
#include <filesystem>
#include <stdexcept>

#include "core/dataplane/pins.hpp"
#include "hopwise.skel.h"
#include "packet_hopwise.skel.h"
#include "packet_kernel.skel.h"
#include "packet_trie.skel.h"
#include "test/bench/internet.hpp"

namespace hopwise::bench {
namespace {

using dataplane::MappedArray;

template <class Skeleton>
std::span<const std::byte> elf() {
  std::size_t size = 0;
  const void* bytes = Skeleton::elf_bytes(&size);
  return {static_cast<const std::byte*>(bytes), size};
}

std::string new_pin_root() {
  return "/sys/fs/bpf/hopwise-bench-" + std::to_string(getpid());
}

// The router's own two veth pairs stand for its interfaces: nothing is ever sent.
void build(const lab::Namespace& where) {
  lab::veth({where, "lan0"}, {where, "lan1"}).value();
  lab::veth({where, "wan0"}, {where, "wan1"}).value();
  where
      .ip("link set lan0 address 02:00:00:00:02:02 up\nlink set lan1 up\n"
          "link set wan0 address 02:00:00:00:02:00 up\nlink set wan1 up\n"
          "addr add 192.0.2.1/24 dev wan0\naddr add 2001:db8::1/64 dev wan0 nodad\n"
          "addr add 10.255.255.1/24 dev lan0")
      .value();
  for (const char* key :
       {"net/ipv4/ip_forward", "net/ipv6/conf/all/forwarding", "net/ipv4/fib_multipath_hash_policy",
        "net/ipv6/fib_multipath_hash_policy"})
    where.sysctl(key, "1").value();
}

std::string reasons(const DataplaneCounters& counters) {
  std::string text = "; so far:";
  for (const auto& [reason, packets] : counters.packets_by_reason)
    if (packets != 0) text += ' ' + reason + ' ' + std::to_string(packets);
  return text;
}

}  // namespace

PacketSet::PacketSet()
    : pin_root_(new_pin_root()),
      unpin_(lab::LastWill::write("rm -rf " + pin_root_).value()),
      where_(lab::Namespace::create("pkt").value()) {
  build(where_);
  visit_.emplace(where_);
  lan_ = if_nametoindex("lan0");
  const dataplane::Link link{{2, 0, 0, 0, 3, 0}, {2, 0, 0, 0, 2, 0}, 1500};
  uplinks_ = {{if_nametoindex("wan0"), "wan0", {"192.0.2.2", "2001:db8::2"}, link},
              {if_nametoindex("wan0"), "wan0", {"192.0.2.3", "2001:db8::3"}, link}};
  dataplane::Options options;
  options.pin_root = pin_root_;
  options.lease = std::chrono::hours(1);
  dataplane_ = steering(options, dataplane::Affinity::flow, uplinks_);
  maps_ = std::filesystem::directory_iterator(pin_root_)->path() / dataplane::abi_name();

  hw_settings settings = usual_settings();
  settings.new_flows_per_ms = 1'000'000;
  greeter_.emplace(elf<packet_hopwise_bpf>(), settings, maps_, nullptr);
  trie_.emplace(elf<packet_trie_bpf>(), settings, maps_, &*greeter_);
  observer_.emplace(elf<hopwise_bpf>(), std::nullopt, maps_, nullptr);
  flows_ = std::make_unique<MappedArray<bench_flow>>(
      MappedArray<bench_flow>::map(greeter_->map("bench_flows"), BENCH_MAX_FLOWS, "bench_flows")
          .value());
  run_ = std::make_unique<MappedArray<bench_run>>(
      MappedArray<bench_run>::map(greeter_->map("bench_run"), 1, "bench_run").value());
}

PacketSet::~PacketSet() = default;

Program PacketSet::load(Over over, const hw_settings& settings) const {
  switch (over) {
    case Over::trie:
      return {elf<packet_trie_bpf>(), settings, maps_, &*trie_};
    case Over::kernel:
      return {elf<packet_kernel_bpf>(), settings, maps_, &*greeter_};
    case Over::hopwise:
      break;
  }
  return {elf<packet_hopwise_bpf>(), settings, maps_, &*greeter_};
}

void PacketSet::add_routes(std::span<const Prefix> routes) {
  set_routes(*dataplane_, routes);
  const bool v4 = routes.front().address.is_v4();
  const std::size_t key_bytes = v4 ? 8 : 20;
  std::vector<std::uint8_t> keys(routes.size() * key_bytes);
  std::vector<std::uint32_t> groups(routes.size());
  for (std::size_t i = 0; i < routes.size(); ++i) {
    const std::uint32_t length = routes[i].length;
    std::memcpy(&keys[i * key_bytes], &length, sizeof(length));
    std::memcpy(&keys[i * key_bytes + 4], routes[i].address.bytes.data(), key_bytes - 4);
    groups[i] = static_cast<std::uint32_t>((v4 ? 1 : kGroups + 1) + i % kGroups);
  }
  auto count = static_cast<std::uint32_t>(routes.size());
  if (bpf_map_update_batch(trie_->map(v4 ? "bench_trie4" : "bench_trie6"), keys.data(),
                           groups.data(), &count, nullptr) != 0)
    throw std::runtime_error(system_error("fill an LPM trie", errno).message);
}

void PacketSet::set_flows(const std::vector<bench_flow>& flows) {
  for (std::size_t i = 0; i < flows.size(); ++i)
    (*flows_)[static_cast<std::uint32_t>(i)] = flows[i];
  v4_ = flows.front().family == 4;
  next_ = 0;
}

std::vector<std::uint8_t> PacketSet::blank_frame() const {
  std::vector<std::uint8_t> frame(v4_ ? BENCH_FRAME4_TCP : BENCH_FRAME6_TCP);
  const std::array<std::uint8_t, 12> ethernet{2, 0, 0, 0, 2, 2, 2, 0, 0, 0, 1, 0};
  std::memcpy(frame.data(), ethernet.data(), ethernet.size());
  const std::uint16_t type = htons(v4_ ? ETH_P_IP : ETH_P_IPV6);
  std::memcpy(&frame[ethernet.size()], &type, sizeof(type));
  return frame;
}

double PacketSet::run(const Program& program, const Stint& stint) {
  bench_run& run = (*run_)[0];
  if (next_ >= stint.flows) next_ = 0;
  run = {};
  run.mode = static_cast<std::uint32_t>(stint.work);
  run.next = next_;
  run.round = sent_ = round_;
  run.flows = stint.flows;
  run.count = stint.packets;
  run.touch = stint.touch ? stint.packets : 0;
  dataplane_->renew_lease(std::chrono::steady_clock::now());
  std::vector<std::uint8_t> frame = blank_frame();
  run_once(program.entry("bench_loop"), frame, lan_);
  next_ = run.next;
  round_ = run.round + 1;  // a flow's packets never look sent again
  if (stint.work != Work::write && run.taken != stint.packets)
    throw std::runtime_error("only " + std::to_string(run.taken) + " of " +
                             std::to_string(stint.packets) + " packets were redirected" +
                             reasons(dataplane_->counters()));
  return static_cast<double>(run.ns) / stint.packets;
}

std::vector<std::uint8_t> PacketSet::answer_frame(std::uint32_t flow) {
  bench_run& run = (*run_)[0];
  run.next = flow;
  run.round = sent_;
  run.back = 1;
  std::vector<std::uint8_t> frame = blank_frame();
  run_once(greeter_->entry("bench_frame"), frame, lan_);
  return frame;
}

void PacketSet::answer(std::uint32_t flow) {
  std::vector<std::uint8_t> frame = answer_frame(flow);
  run_once(observer_->entry("hw_observe"), frame, lan_);
}

void PacketSet::establish(std::uint32_t flows) {
  constexpr std::uint32_t kBatch = 16'384;  // fewer than there are embryos
  next_ = 0;
  for (std::uint32_t first = 0; first < flows; first += kBatch) {
    const std::uint32_t count = std::min(kBatch, flows - first);
    for (int exchange = 0; exchange < 2; ++exchange) {
      next_ = first;
      run(*greeter_, {Work::steer, first + count, count, false});
      for (std::uint32_t i = 0; exchange == 0 && i < count; ++i) answer(first + i);
    }
  }
  next_ = 0;
}

void PacketSet::set_affinity(dataplane::Affinity affinity) {
  for (std::uint32_t id = 1; id <= 2 * kGroups; ++id)
    dataplane_->set_affinity(GroupId{id}, affinity, Duration(0));
}

void PacketSet::set_direct(bool direct) {
  for (std::uint32_t id = 1; id <= 4; ++id)
    dataplane_->set_nexthop_link(NexthopId{id}, direct ? uplinks_.front().link : std::nullopt);
}

double PacketSet::observe(Answer answer) {
  std::vector<std::uint8_t> frame = answer_frame(0);
  if (answer == Answer::unknown) frame[14 + (v4_ ? 20 : 40)] ^= 0xff;  // another port
  return run_many(observer_->entry("hw_observe"), frame, lan_, 100'000);
}

}  // namespace hopwise::bench
