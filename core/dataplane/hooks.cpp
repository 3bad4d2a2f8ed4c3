#include "core/dataplane/hooks.hpp"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <net/if.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <optional>
#include <string_view>
#include <utility>

namespace hopwise::dataplane {
namespace {

// linux/bpf.h has these from 6.6 on.
constexpr std::uint32_t kLinkTypeTcx = 11;
bpf_attach_type tcx_hook(Direction direction) {
  return static_cast<bpf_attach_type>(direction == Direction::ingress ? 46 : 47);
}
struct TcxInfo {
  std::uint32_t ifindex;
  std::uint32_t attach_type;
};

// "hw": our filters' priority in clsact.
constexpr std::uint32_t kPriority = 0x6877;

bpf_tc_hook clsact_hook(std::uint32_t ifindex, Direction direction) {
  bpf_tc_hook hook{};
  hook.sz = sizeof(hook);
  hook.ifindex = static_cast<int>(ifindex);
  hook.attach_point = direction == Direction::ingress ? BPF_TC_INGRESS : BPF_TC_EGRESS;
  return hook;
}

bpf_tc_opts our_filter(Role role) {
  bpf_tc_opts filter{};
  filter.sz = sizeof(filter);
  filter.handle = facts(role).handle;
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

// What the link's type of information holds beyond what every link's does.
TcxInfo tcx_info(const bpf_link_info& info) {
  TcxInfo tcx{};
  std::memcpy(&tcx, &info.xdp, sizeof(tcx));
  return tcx;
}

std::string name_of_program(std::uint32_t program_id) {
  const Handle program(bpf_prog_get_fd_by_id(program_id));
  const auto info = info_of<bpf_prog_info>(program.fd());
  return info ? info->name : "";
}

bool is_program_of(const RoleFacts& role, std::string_view name) {
  return name.starts_with("hw_") && name.substr(3) == role.program;
}

std::vector<std::uint32_t> tcx_program_ids(std::uint32_t ifindex, Direction direction) {
  std::vector<std::uint32_t> ids(64);
  __u32 count = static_cast<__u32>(ids.size());
  if (bpf_prog_query(static_cast<int>(ifindex), tcx_hook(direction), 0, nullptr, ids.data(),
                     &count) != 0)
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
void find_tcx(Direction direction, const Hook& place, const std::vector<bpf_link_info>& links,
              std::vector<Hook>& hooks) {
  for (const std::uint32_t program : tcx_program_ids(place.ifindex, direction)) {
    const std::string name = name_of_program(program);
    for (const RoleFacts& role : kRoles) {
      if (role.direction != direction || !is_program_of(role, name)) continue;
      for (const bpf_link_info& link : links)
        if (link.prog_id == program && tcx_info(link).ifindex == place.ifindex &&
            tcx_info(link).attach_type == tcx_hook(direction))
          hooks.push_back({place.ifindex, place.interface, role.role, true, link.id, program});
    }
  }
}

void find_clsact(const Hook& place, std::vector<Hook>& hooks) {
  for (const RoleFacts& role : kRoles) {
    const bpf_tc_hook hook = clsact_hook(place.ifindex, role.direction);
    bpf_tc_opts filter = our_filter(role.role);
    if (bpf_tc_query(&hook, &filter) == 0 && is_program_of(role, name_of_program(filter.prog_id)))
      hooks.push_back({place.ifindex, place.interface, role.role, false, 0, filter.prog_id});
  }
}

}  // namespace

const RoleFacts& facts(Role role) {
  return *std::find_if(kRoles.begin(), kRoles.end(),
                       [&](const RoleFacts& facts) { return facts.role == role; });
}

std::string text(const Hook& hook) {
  const RoleFacts& role = facts(hook.role);
  return std::string(role.program) + ' ' + hook.interface +
         (role.direction == Direction::egress ? " egress" : "") + (hook.tcx ? " tcx" : " clsact");
}

std::vector<Hook> find_hooks() {
  std::vector<Hook> hooks;
  const auto links = every_tcx_link();
  struct if_nameindex* interfaces = if_nameindex();
  if (interfaces == nullptr) return hooks;
  for (const auto* i = interfaces; i->if_index != 0; ++i) {
    const Hook place{i->if_index, i->if_name};
    find_tcx(Direction::ingress, place, links, hooks);
    find_tcx(Direction::egress, place, links, hooks);
    find_clsact(place, hooks);
  }
  if_freenameindex(interfaces);
  return hooks;
}

bool remove_hook(const Hook& hook) {
  if (!hook.tcx) {
    const bpf_tc_hook place = clsact_hook(hook.ifindex, facts(hook.role).direction);
    const bpf_tc_opts filter = our_filter(hook.role);
    return bpf_tc_detach(&place, &filter) == 0;
  }
  const Handle link(bpf_link_get_fd_by_id(hook.link_id));
  return link && bpf_link_detach(link.fd()) == 0;
}

int attach_clsact(std::uint32_t ifindex, Role role, int program_fd) {
  bpf_tc_hook hook = clsact_hook(ifindex, facts(role).direction);
  const int created = bpf_tc_hook_create(&hook);
  if (created != 0 && created != -EEXIST) return created;
  bpf_tc_opts filter = our_filter(role);
  filter.prog_fd = program_fd;
  filter.flags = BPF_TC_F_REPLACE;
  return bpf_tc_attach(&hook, &filter);
}

int attach_tcx(std::uint32_t ifindex, Role role, int program_fd) {
  const int link = bpf_link_create(program_fd, static_cast<int>(ifindex),
                                   tcx_hook(facts(role).direction), nullptr);
  return link >= 0 ? link : -errno;
}

bool is_attached(const Handle& link, std::uint32_t ifindex, Role role, int program_fd) {
  const auto program = info_of<bpf_prog_info>(program_fd);
  if (!program) return false;
  const Direction direction = facts(role).direction;
  if (!link) {
    const bpf_tc_hook hook = clsact_hook(ifindex, direction);
    bpf_tc_opts filter = our_filter(role);
    return bpf_tc_query(&hook, &filter) == 0 && filter.prog_id == program->id;
  }
  // A link keeps its interface's number when that moves to another network namespace: so the
  // interface is asked too.
  const auto info = info_of<bpf_link_info>(link.fd());
  if (!info || !hangs_on(link.fd(), ifindex, role) || info->prog_id != program->id) return false;
  const auto ids = tcx_program_ids(ifindex, direction);
  return std::find(ids.begin(), ids.end(), program->id) != ids.end();
}

bool hangs_on(int link_fd, std::uint32_t ifindex, Role role) {
  const auto info = info_of<bpf_link_info>(link_fd);
  return info && info->type == kLinkTypeTcx && tcx_info(*info).ifindex == ifindex &&
         tcx_info(*info).attach_type == tcx_hook(facts(role).direction);
}

bool hangs_anywhere(int link_fd) {
  const auto info = info_of<bpf_link_info>(link_fd);
  return info && info->type == kLinkTypeTcx && tcx_info(*info).ifindex != 0;
}

std::uint32_t link_id(int link_fd) {
  const auto info = info_of<bpf_link_info>(link_fd);
  return info ? info->id : 0;
}

}  // namespace hopwise::dataplane
