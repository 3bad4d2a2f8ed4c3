#include "core/dataplane/stage.hpp"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <fcntl.h>
#include <linux/ethtool.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <linux/sockios.h>
#include <linux/veth.h>
#include <net/if.h>
#include <stage.skel.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <optional>

#include "bpf/abi.h"
#include "core/dataplane/hooks.hpp"
#include "core/netlink/request.hpp"

namespace hopwise::dataplane {
namespace {

// The largest that a veth takes: the program knows the nexthops' own.
constexpr std::uint32_t kMtu = 65535;
// It hangs as the program of local traffic does: at egress, by the same handle of clsact's.
constexpr Role kHangsAs = Role::local;
constexpr const char* kNeeds =
    "needs CAP_NET_ADMIN and veth (CONFIG_VETH); until then every nexthop has a rule of its own";

void describe_end(netlink::Request& request, ifinfomsg& link, const char* name) {
  link.ifi_family = AF_UNSPEC;
  link.ifi_flags = IFF_NOARP;
  link.ifi_change = IFF_NOARP;
  mnl_attr_put_strz(request.header, IFLA_IFNAME, name);
  mnl_attr_put_u32(request.header, IFLA_MTU, kMtu);
}

Result<> add_pair(netlink::Socket& socket) {
  netlink::Request request(RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL);
  describe_end(request, request.fixed<ifinfomsg>(), kStageDevice);
  nlattr* info = mnl_attr_nest_start(request.header, IFLA_LINKINFO);
  mnl_attr_put_strz(request.header, IFLA_INFO_KIND, "veth");
  nlattr* data = mnl_attr_nest_start(request.header, IFLA_INFO_DATA);
  nlattr* peer = mnl_attr_nest_start(request.header, VETH_INFO_PEER);
  describe_end(request, request.fixed<ifinfomsg>(), kStagePeer);
  mnl_attr_nest_end(request.header, peer);
  mnl_attr_nest_end(request.header, data);
  mnl_attr_nest_end(request.header, info);
  const auto done =
      socket.request(request.header, std::string("make the staging device ") + kStageDevice);
  if (done) return {};
  return Error{done.error().message + " (" + kNeeds + ")"};
}

// No link-local address, and so nothing that the kernel would say by it on its own.
void keep_quiet(netlink::Socket& socket, const char* name) {
  netlink::Request request(RTM_NEWLINK, 0);
  request.fixed<ifinfomsg>().ifi_index = static_cast<int>(if_nametoindex(name));
  nlattr* families = mnl_attr_nest_start(request.header, IFLA_AF_SPEC);
  nlattr* v6 = mnl_attr_nest_start(request.header, AF_INET6);
  mnl_attr_put_u8(request.header, IFLA_INET6_ADDR_GEN_MODE, IN6_ADDR_GEN_MODE_NONE);
  mnl_attr_nest_end(request.header, v6);
  mnl_attr_nest_end(request.header, families);
  (void)socket.request(request.header, "");  // a kernel without IPv6
}

void write_setting(const std::string& setting, const char* value) {
  const Handle file(open(("/proc/sys/net/" + setting).c_str(), O_WRONLY | O_CLOEXEC));
  if (file) (void)!write(file.fd(), value, std::strlen(value));
}

// Without forwarding it is no interface that clients may stand behind, in the kernel's eyes and in
// ours. IPv6 may be off by default; routes of IPv6 by this device need it.
void set_up_ip(const std::string& name) {
  write_setting("ipv4/conf/" + name + "/forwarding", "0");
  write_setting("ipv6/conf/" + name + "/disable_ipv6", "0");
  write_setting("ipv6/conf/" + name + "/accept_ra", "0");
  write_setting("ipv6/conf/" + name + "/forwarding", "0");
}

Result<> set_up(netlink::Socket& socket, const char* name) {
  netlink::Request request(RTM_NEWLINK, 0);
  ifinfomsg& link = request.fixed<ifinfomsg>();
  link.ifi_index = static_cast<int>(if_nametoindex(name));
  link.ifi_flags = link.ifi_change = IFF_UP;
  return socket.request(request.header, std::string("set up the staging device ") + name);
}

ifreq request_about(const char* name) {
  ifreq request{};
  std::strncpy(request.ifr_name, name, sizeof(request.ifr_name) - 1);
  return request;
}

bool is_veth(const char* name) {
  ethtool_drvinfo info{};
  info.cmd = ETHTOOL_GDRVINFO;
  ifreq request = request_about(name);
  request.ifr_data = reinterpret_cast<char*>(&info);
  const Handle socket(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  return ioctl(socket.fd(), SIOCETHTOOL, &request) == 0 && std::strcmp(info.driver, "veth") == 0;
}

bool is_up(const char* name) {
  ifreq request = request_about(name);
  const Handle socket(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  return ioctl(socket.fd(), SIOCGIFFLAGS, &request) == 0 && (request.ifr_flags & IFF_UP) != 0;
}

std::string name_of(std::uint32_t count) {
  constexpr std::array<const char*, HW_STAGE_COUNT_COUNT> kNames{
#define HW_STAGE_COUNT_NAME(id, name, help) name,
      HW_STAGE_COUNTS(HW_STAGE_COUNT_NAME)
#undef HW_STAGE_COUNT_NAME
  };
  return kNames.at(count);
}

}  // namespace

Result<bool> remove_stage() {
  if (if_nametoindex(kStageDevice) == 0) return false;
  auto socket = netlink::Socket::open(NETLINK_ROUTE);
  if (!socket) return socket.error();
  const std::string what = std::string("remove the staging device ") + kStageDevice;
  if (!is_veth(kStageDevice)) return Error{what + ": it is no veth, so not ours (rename it)"};
  netlink::Request removal(RTM_DELLINK, 0);
  removal.fixed<ifinfomsg>().ifi_index = static_cast<int>(if_nametoindex(kStageDevice));
  if (auto done = socket->request(removal.header, what); !done) return done.error();
  return true;
}

void Stage::Destroy::operator()(stage_bpf* object) const {
  stage_bpf::destroy(object);
}

Stage::Stage(const Options& options) : options_(options) {
  (void)remove_stage();  // where that fails, raise() says so
}

Stage::~Stage() {
  lower();
}

Result<> Stage::load() {
  if (object_) return {};
  libbpf_set_print(nullptr);  // what it would print comes back as an error
  std::unique_ptr<stage_bpf, Destroy> object(stage_bpf::open());
  if (!object) return system_error("open the staging program", errno);
  if (const int failed = stage_bpf::load(object.get()); failed != 0)
    return system_error("load the staging program", failed,
                        failed == -EPERM
                            ? "needs CAP_BPF and CAP_NET_ADMIN; until then every nexthop has a rule"
                            : "needs Linux 5.15; until then every nexthop has a rule");
  object_ = std::move(object);
  return {};
}

Result<> Stage::hang() {
  const int program = program_fd();
  const std::string what = std::string("attach stage to ") + kStageDevice + ": ";
  if (options_.hook == HookChoice::automatic) {
    const int created = attach_tcx(ifindex_, kHangsAs, program);
    link_ = Handle(created);
    if (link_) return {};
    if (created != -EINVAL) return system_error(what + "TCX", created);
  }
  if (const int failed = attach_clsact(ifindex_, kHangsAs, program); failed != 0)
    return system_error(what + "clsact", failed);
  return {};
}

// Up last: nothing passes without the program. Both ends, or routes by it may count as dead.
Result<> Stage::make() {
  auto socket = netlink::Socket::open(NETLINK_ROUTE);
  if (!socket) return socket.error();
  if (auto done = add_pair(*socket); !done) return done.error();
  ifindex_ = if_nametoindex(kStageDevice);
  if (auto done = hang(); !done) return done.error();
  for (const char* name : {kStagePeer, kStageDevice}) {
    keep_quiet(*socket, name);
    set_up_ip(name);
    if (auto done = set_up(*socket, name); !done) return done.error();
  }
  return {};
}

bool Stage::is_whole() const {
  return ifindex_ != 0 && if_nametoindex(kStageDevice) == ifindex_ && is_up(kStageDevice) &&
         is_up(kStagePeer) && is_attached(link_, ifindex_, kHangsAs, program_fd());
}

Result<std::uint32_t> Stage::raise() {
  if (auto done = load(); !done) return done.error();
  if (is_whole()) return ifindex_;
  link_ = Handle();
  ifindex_ = 0;
  if (auto removed = remove_stage(); !removed) return removed.error();
  if (auto made = make(); !made) {
    lower();
    return made.error();
  }
  return ifindex_;
}

void Stage::lower() {
  link_ = Handle();
  if (std::exchange(ifindex_, 0) != 0) (void)remove_stage();
}

Result<> Stage::set(NexthopId id, const NexthopKey& key) {
  if (!object_) return Error{"stage nexthop " + std::to_string(raw(id)) + ": raise() comes first"};
  hw_staged to{};
  to.ifindex = key.ifindex;
  if (!key.gateway.is_unspecified())
    to.family = static_cast<__u16>(key.gateway.is_v4() ? AF_INET : AF_INET6);
  std::copy(key.gateway.bytes.begin(), key.gateway.bytes.end(), to.gateway);
  const __u32 mark = options_.mark_base + raw(id);
  const int map = bpf_map__fd(object_->maps.hw_staged);
  if (bpf_map_update_elem(map, &mark, &to, BPF_ANY) != 0)
    return system_error("stage nexthop " + std::to_string(raw(id)), errno);
  return {};
}

void Stage::remove(NexthopId id) {
  if (!object_) return;
  const __u32 mark = options_.mark_base + raw(id);
  (void)bpf_map_delete_elem(bpf_map__fd(object_->maps.hw_staged), &mark);
}

std::map<std::string, std::uint64_t> Stage::counters() const {
  std::map<std::string, std::uint64_t> counters;
  const int cpus = libbpf_num_possible_cpus();
  std::vector<std::uint64_t> counts(static_cast<std::size_t>(std::max(cpus, 1)));
  for (__u32 what = 0; what < HW_STAGE_COUNT_COUNT; ++what) {
    std::fill(counts.begin(), counts.end(), 0);
    if (object_)
      (void)bpf_map_lookup_elem(bpf_map__fd(object_->maps.hw_stage_counts), &what, counts.data());
    for (const std::uint64_t count : counts) counters[name_of(what)] += count;
  }
  return counters;
}

int Stage::program_fd() const {
  return object_ ? bpf_program__fd(object_->progs.hw_stage) : -1;
}

}  // namespace hopwise::dataplane
