#include "core/dataplane/hooks.hpp"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <net/if.h>

#include <algorithm>
#include <cerrno>
#include <optional>
#include <string_view>
#include <utility>

namespace hopwise::dataplane {
namespace {

// linux/bpf.h has these from 6.6 on.
constexpr auto kTcxIngress = static_cast<bpf_attach_type>(46);
constexpr std::uint32_t kLinkTypeTcx = 11;

// Ours on clsact ingress: "hw" as a priority, one handle a role.
constexpr std::uint32_t kPriority = 0x6877;

std::uint32_t handle_of(Role role) {
  return role == Role::lan ? 1 : 2;
}

bpf_tc_hook clsact_ingress(std::uint32_t ifindex) {
  bpf_tc_hook hook{};
  hook.sz = sizeof(hook);
  hook.ifindex = static_cast<int>(ifindex);
  hook.attach_point = BPF_TC_INGRESS;
  return hook;
}

bpf_tc_opts our_filter(Role role) {
  bpf_tc_opts filter{};
  filter.sz = sizeof(filter);
  filter.handle = handle_of(role);
  filter.priority = kPriority;
  return filter;
}

template <class Info>
std::optional<Info> info_of(int fd) {
  Info info{};
  __u32 size = sizeof(info);
  if (bpf_obj_get_info_by_fd(fd, &info, &size) != 0) return std::nullopt;
  return info;
}

std::optional<Role> role_of_program(std::uint32_t program_id) {
  const Handle program(bpf_prog_get_fd_by_id(program_id));
  const auto info = info_of<bpf_prog_info>(program.fd());
  if (!info) return std::nullopt;
  for (const Role role : {Role::lan, Role::wan})
    if (std::string_view(info->name) == std::string("hw_") + program_name(role)) return role;
  return std::nullopt;
}

// Of the programs at an interface's TCX ingress.
std::vector<std::uint32_t> tcx_program_ids(std::uint32_t ifindex) {
  std::vector<std::uint32_t> ids(64);
  __u32 count = static_cast<__u32>(ids.size());
  if (bpf_prog_query(static_cast<int>(ifindex), kTcxIngress, 0, nullptr, ids.data(), &count) != 0)
    return {};
  ids.resize(count);
  return ids;
}

std::vector<bpf_link_info> every_tcx_link() {
  std::vector<bpf_link_info> links;
  for (__u32 id = 0; bpf_link_get_next_id(id, &id) == 0;) {
    const Handle link(bpf_link_get_fd_by_id(id));
    if (const auto info = info_of<bpf_link_info>(link.fd()); info && info->type == kLinkTypeTcx)
      links.push_back(*info);
  }
  return links;
}

// Links of other network namespaces carry the same interface numbers: only those whose program the
// kernel names on this interface, asked here, are on it.
void find_tcx(std::uint32_t ifindex, const std::string& name,
              const std::vector<bpf_link_info>& links, std::vector<Hook>& hooks) {
  for (const std::uint32_t program : tcx_program_ids(ifindex)) {
    const auto role = role_of_program(program);
    if (!role) continue;
    for (const bpf_link_info& link : links)
      if (link.prog_id == program && link.xdp.ifindex == ifindex)
        hooks.push_back({ifindex, name, *role, true, link.id});
  }
}

void find_clsact(std::uint32_t ifindex, const std::string& name, std::vector<Hook>& hooks) {
  for (const Role role : {Role::lan, Role::wan}) {
    const bpf_tc_hook hook = clsact_ingress(ifindex);
    bpf_tc_opts filter = our_filter(role);
    if (bpf_tc_query(&hook, &filter) == 0 && role_of_program(filter.prog_id) == role)
      hooks.push_back({ifindex, name, role, false, 0});
  }
}

}  // namespace

const char* program_name(Role role) {
  return role == Role::lan ? "steer" : "observe";
}

std::vector<Hook> find_hooks() {
  std::vector<Hook> hooks;
  const auto links = every_tcx_link();
  struct if_nameindex* interfaces = if_nameindex();
  if (interfaces == nullptr) return hooks;
  for (const auto* i = interfaces; i->if_index != 0; ++i) {
    find_tcx(i->if_index, i->if_name, links, hooks);
    find_clsact(i->if_index, i->if_name, hooks);
  }
  if_freenameindex(interfaces);
  return hooks;
}

bool remove_hook(const Hook& hook) {
  if (!hook.tcx) {
    const bpf_tc_hook ingress = clsact_ingress(hook.ifindex);
    const bpf_tc_opts filter = our_filter(hook.role);
    return bpf_tc_detach(&ingress, &filter) == 0;
  }
  const Handle link(bpf_link_get_fd_by_id(hook.link_id));
  return link && bpf_link_detach(link.fd()) == 0;
}

int attach_clsact(std::uint32_t ifindex, Role role, int program_fd) {
  bpf_tc_hook hook = clsact_ingress(ifindex);
  const int created = bpf_tc_hook_create(&hook);
  if (created != 0 && created != -EEXIST) return created;
  bpf_tc_opts filter = our_filter(role);
  filter.prog_fd = program_fd;
  filter.flags = BPF_TC_F_REPLACE;
  return bpf_tc_attach(&hook, &filter);
}

int attach_tcx(std::uint32_t ifindex, int program_fd) {
  const int link = bpf_link_create(program_fd, static_cast<int>(ifindex), kTcxIngress, nullptr);
  return link >= 0 ? link : -errno;
}

bool is_attached(const Handle& link, std::uint32_t ifindex, Role role, int program_fd) {
  const auto program = info_of<bpf_prog_info>(program_fd);
  if (!program) return false;
  if (!link) {
    const bpf_tc_hook hook = clsact_ingress(ifindex);
    bpf_tc_opts filter = our_filter(role);
    return bpf_tc_query(&hook, &filter) == 0 && filter.prog_id == program->id;
  }
  // A link keeps its interface's number when that moves to another network namespace: so the
  // interface is asked too.
  const auto info = info_of<bpf_link_info>(link.fd());
  if (!info || info->xdp.ifindex != ifindex || info->prog_id != program->id) return false;
  const auto ids = tcx_program_ids(ifindex);
  return std::find(ids.begin(), ids.end(), program->id) != ids.end();
}

std::uint32_t tcx_ifindex(int link_fd) {
  const auto info = info_of<bpf_link_info>(link_fd);
  return info && info->type == kLinkTypeTcx ? info->xdp.ifindex : 0;
}

std::uint32_t link_id(int link_fd) {
  const auto info = info_of<bpf_link_info>(link_fd);
  return info ? info->id : 0;
}

}  // namespace hopwise::dataplane
