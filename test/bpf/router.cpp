#include "test/bpf/router.hpp"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <fcntl.h>
#include <sched.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <optional>

#include "core/dataplane/pins.hpp"
#include "test/catch.hpp"

namespace hopwise::test {
namespace fs = std::filesystem;

PrivateNamespace::PrivateNamespace()
    : outside_(open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC)) {
  INFO("bpf_tests needs root");
  REQUIRE(outside_ >= 0);
  REQUIRE(unshare(CLONE_NEWNET) == 0);
  run("ip link set lo up");
}

PrivateNamespace::~PrivateNamespace() {
  (void)!setns(outside_, CLONE_NEWNET);
  close(outside_);
}

void PrivateNamespace::run(const std::string& command) {
  INFO(command);
  REQUIRE(std::system(command.c_str()) == 0);
}

Router::Router(dataplane::Options options) : options_(std::move(options)) {
  options_.pin_root = "/sys/fs/bpf/hopwise-test-" + std::to_string(getpid());
  if (options_.lease == dataplane::Options{}.lease)
    options_.lease = std::chrono::minutes(1);  // no test is slower, in no emulator
  if (options_.busy_moves == dataplane::Options{}.busy_moves)
    options_.busy_moves = HW_BUCKETS;  // a decision is real at once
  restart();
  set_hash_seed(0x9747b28c);
}

Router::~Router() {
  dataplane_.reset();
  (void)dataplane::detach_all(pin_root());
}

void Router::restart() {
  dataplane_.reset();
  auto opened = dataplane::Dataplane::open(options_);
  if (!opened) FAIL(opened.error().message);
  dataplane_ = std::move(*opened);
  dataplane_->renew_lease(now());
  find_programs();
}

namespace {

std::uint32_t id_of_map(int fd) {
  bpf_map_info info{};
  __u32 size = sizeof(info);
  REQUIRE(bpf_obj_get_info_by_fd(fd, &info, &size) == 0);
  return info.id;
}

// Whether the program uses this map, and what it is called; empty when it does not.
std::string name_if_it_uses(int program, std::uint32_t map) {
  std::array<__u32, 64> maps{};
  bpf_prog_info info{};
  info.nr_map_ids = static_cast<__u32>(maps.size());
  info.map_ids = reinterpret_cast<std::uintptr_t>(maps.data());
  __u32 size = sizeof(info);
  if (bpf_obj_get_info_by_fd(program, &info, &size) != 0) return {};
  const auto end = maps.begin() + std::min<std::size_t>(info.nr_map_ids, maps.size());
  return std::find(maps.begin(), end, map) == end ? "" : info.name;
}

}  // namespace

// Those that the data plane has just loaded: the newest that use its flow table.
void Router::find_programs() {
  folder_ = fs::directory_iterator(pin_root())->path() / dataplane::abi_name();
  fds_.clear();
  const std::uint32_t flows = id_of_map(map_fd("hw_flows"));
  for (__u32 id = 0; bpf_prog_get_next_id(id, &id) == 0;) {
    dataplane::Handle program(bpf_prog_get_fd_by_id(id));
    const std::string name = program ? name_if_it_uses(program.fd(), flows) : "";
    if (!name.empty()) fds_.insert_or_assign(name, std::move(program));
  }
}

hw_router Router::lease() const {
  hw_router lease{};
  const __u32 only = 0;
  REQUIRE(bpf_map_lookup_elem(map_fd("hw_router"), &only, &lease) == 0);
  return lease;
}

void Router::set_hash_seed(std::uint32_t seed) {
  hw_router lease = this->lease();
  const __u32 only = 0;
  lease.hash_seed = seed;
  REQUIRE(bpf_map_update_elem(map_fd("hw_router"), &only, &lease, BPF_ANY) == 0);
}

void Router::nexthop(std::uint32_t id, const std::string& gateway) {
  REQUIRE(dataplane_->set_nexthop({NexthopId{id}, {1, *IpAddress::parse(gateway)}, "lo", gateway}));
  dataplane_->set_nexthop_usable(NexthopId{id}, true);
}

Group Router::group(
    std::uint32_t id,
    const std::vector<std::pair<std::uint32_t, std::uint32_t>>& nexthops_and_weights) {
  Group group{GroupId{id}, {}};
  for (const auto& [hop, weight] : nexthops_and_weights) {
    const auto path = static_cast<std::uint32_t>(id * 16 + group.paths.size() + 1);
    group.paths.push_back({PathId{path}, NexthopId{hop}, weight});
  }
  REQUIRE(dataplane_->set_group(group));
  groups_.push_back(group);
  return group;
}

void Router::route(const std::string& prefix, std::uint32_t group) {
  REQUIRE(dataplane_->set_route(*Prefix::parse(prefix),
                                group == 0 ? std::nullopt : std::optional(GroupId{group})));
}

void Router::two_upstreams() {
  nexthop(1, "192.0.2.1");
  nexthop(2, "192.0.2.2");
  nexthop(3, "2001:db8:2::1");
  nexthop(4, "2001:db8:2::2");
  group(1, {{1, 1}, {2, 1}});
  group(2, {{3, 1}, {4, 1}});
  route("0.0.0.0/0", 1);
  route("::/0", 2);
}

void Router::publish(const Group& group, const std::vector<double>& weights,
                     const std::vector<bool>& usable) {
  Decision decision;
  decision.group = group.id;
  for (std::size_t i = 0; i < group.paths.size(); ++i) {
    PathShare share;
    share.path = group.paths[i].id;
    share.nexthop = group.paths[i].nexthop;
    share.after = weights.at(i);
    share.usable = usable.at(i);
    decision.paths.push_back(share);
  }
  dataplane_->publish(decision, now());
}

hw_flow_key key_of(const PacketSpec& spec) {
  hw_flow_key key{};
  const IpAddress source = *IpAddress::parse(spec.source);
  const IpAddress destination = *IpAddress::parse(spec.destination);
  std::copy(source.bytes.begin(), source.bytes.end(), key.source);
  std::copy(destination.bytes.begin(), destination.bytes.end(), key.destination);
  const bool icmp = spec.protocol == IPPROTO_ICMP || spec.protocol == IPPROTO_ICMPV6;
  if (!spec.fragment) {
    key.source_port = htons(spec.source_port);
    key.destination_port = htons(icmp ? spec.source_port : spec.destination_port);
  }
  key.family = source.is_v4() ? 4 : 6;
  key.protocol = spec.protocol;
  return key;
}

namespace {

int run_program(int fd, const Bytes& packet, const Skb& skb, Outcome& outcome) {
  Bytes out(packet.size() + 256);
  __sk_buff context{}, after{};
  context.mark = skb.mark;
  context.ifindex = skb.ifindex;
  context.ingress_ifindex = skb.ingress_ifindex;
  context.gso_size = skb.gso_size;
  context.gso_segs = skb.gso_segs;
  bpf_test_run_opts run{};
  run.sz = sizeof(run);
  run.data_in = packet.data();
  run.data_size_in = static_cast<__u32>(packet.size());
  run.data_out = out.data();
  run.data_size_out = static_cast<__u32>(out.size());
  run.ctx_in = &context;
  run.ctx_size_in = sizeof(context);
  run.ctx_out = &after;
  run.ctx_size_out = sizeof(after);
  run.repeat = 1;
  const int failed = bpf_prog_test_run_opts(fd, &run);
  INFO("test run of " << packet.size() << " bytes: " << failed);
  REQUIRE(failed == 0);
  out.resize(run.data_size_out);
  outcome.bytes = std::move(out);
  outcome.mark = after.mark;
  outcome.verdict = static_cast<int>(run.retval);
  return outcome.verdict;
}

std::optional<hw_flow> entry(int fd, const PacketSpec& spec) {
  const hw_flow_key key = key_of(spec);
  hw_flow flow{};
  if (bpf_map_lookup_elem(fd, &key, &flow) != 0) return std::nullopt;
  return flow;
}

}  // namespace

Outcome Router::run_counted(int program, const Bytes& packet, const Skb& skb) {
  Outcome outcome;
  const auto before = dataplane_->counters().packets_by_reason;
  run_program(program, packet, skb, outcome);
  int changed = 0;
  for (const auto& [reason, packets] : dataplane_->counters().packets_by_reason) {
    if (packets == before.at(reason)) continue;
    changed += packets == before.at(reason) + 1 ? 1 : 2;
    outcome.reason = reason;
  }
  if (changed != 1) outcome.reason.clear();
  return outcome;
}

int Router::steer_fd() const {
  return fds_.at("hw_steer").fd();
}
int Router::local_fd() const {
  return fds_.at("hw_local").fd();
}
int Router::observe_fd() const {
  return fds_.at("hw_observe").fd();
}

Outcome Router::steer(const Bytes& packet, const Skb& skb) {
  return run_counted(steer_fd(), packet, skb);
}

Outcome Router::local(const Bytes& packet, const Skb& skb) {
  return run_counted(local_fd(), packet, skb);
}

int Router::observe(const Bytes& packet, const Skb& skb) {
  Outcome outcome;
  run_program(observe_fd(), packet, skb, outcome);
  CHECK(outcome.bytes == packet);
  return outcome.verdict;
}

int Router::map_fd(const std::string& name) const {
  auto& fd = fds_[name];
  if (!fd) fd = dataplane::Handle(bpf_obj_get((folder_ + '/' + name).c_str()));
  INFO("map " << name);
  REQUIRE(fd);
  return fd.fd();
}

std::optional<hw_flow> Router::embryo(const PacketSpec& spec) const {
  return entry(map_fd("hw_embryos"), spec);
}

std::optional<hw_flow> Router::flow(const PacketSpec& spec) const {
  const auto lasting = entry(map_fd("hw_flows"), spec);
  return lasting ? lasting : embryo(spec);
}

void Router::set_flow(const PacketSpec& spec, const hw_flow& flow) {
  const hw_flow_key key = key_of(spec);
  const int fd = map_fd(entry(map_fd("hw_flows"), spec) ? "hw_flows" : "hw_embryos");
  REQUIRE(bpf_map_update_elem(fd, &key, &flow, BPF_EXIST) == 0);
}

void Router::change_path(std::uint32_t id, const std::function<void(hw_path&)>& change) {
  hw_path path{};
  REQUIRE(bpf_map_lookup_elem(map_fd("hw_paths"), &id, &path) == 0);
  change(path);
  REQUIRE(bpf_map_update_elem(map_fd("hw_paths"), &id, &path, BPF_EXIST) == 0);
}

std::uint32_t Router::nexthop_of(const PacketSpec& spec) {
  const auto before = dataplane_->counters().paths;
  Outcome outcome;
  run_program(steer_fd(), build(spec), {}, outcome);
  const auto after = dataplane_->counters().paths;
  for (const Group& group : groups_)
    for (const Path& path : group.paths) {
      const auto now = after.find(path.id), then = before.find(path.id);
      if (now != after.end() && then != before.end() &&
          now->second.forward_packets > then->second.forward_packets)
        return raw(path.nexthop);
    }
  return 0;
}

}  // namespace hopwise::test
