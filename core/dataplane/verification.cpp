// The pinned tables and the hooks of this network namespace, put before comparison.cpp; and the
// comparison of hooks with the interfaces' roles.
#include "core/dataplane/verification.hpp"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include <algorithm>
#include <bit>

#include "core/dataplane/comparison.hpp"
#include "core/dataplane/handle.hpp"
#include "core/dataplane/hooks.hpp"

namespace hopwise::dataplane {
namespace {

std::set<std::uint32_t> maps_of(std::uint32_t program_id) {
  const Handle program(bpf_prog_get_fd_by_id(program_id));
  std::vector<__u32> ids(64);  // ours use some 20
  bpf_prog_info info{};
  info.nr_map_ids = static_cast<__u32>(ids.size());
  info.map_ids = std::bit_cast<std::uintptr_t>(ids.data());
  __u32 size = sizeof(info);
  if (bpf_obj_get_info_by_fd(program.fd(), &info, &size) != 0) return {};
  ids.resize(std::min<std::size_t>(info.nr_map_ids, ids.size()));
  return {ids.begin(), ids.end()};
}

std::string subject_of(const Dataplane::Attachment& where) {
  return std::string(facts(where.role).program) + " on " + where.interface + " (" +
         facts(where.role).name + ')';
}

bool same_place(const Dataplane::Attachment& a, const Dataplane::Attachment& b) {
  return a.ifindex == b.ifindex && a.role == b.role;
}

Address4 bits4(const IpAddress& address) {
  Address4 bits = 0;
  for (std::size_t i = 0; i < 4; ++i) bits = bits << 8 | address.bytes[i];
  return bits;
}
Address6 bits6(const IpAddress& address) {
  Address6 bits = 0;
  for (const std::uint8_t byte : address.bytes) bits = bits << 8 | byte;
  return bits;
}

}  // namespace

void Expectation::add(const Prefix& prefix, std::uint32_t set) {
  if (prefix.address.is_v4())
    routes4.push_back({bits4(prefix.address), prefix.length, set});
  else
    routes6.push_back({bits6(prefix.address), prefix.length, set});
}

void compare_programs(const Installed& installed, const Expectation& expectation,
                      const std::vector<GroupUse>& use, Actuator actuator, Verification& result) {
  result.counts.programs = installed.programs.size();
  if (!expectation.programs) return;
  Uplinks uplinks;
  uplinks.actuator = actuator;
  const InstalledTables& tables = installed.tables;
  for (const hw_path& path : tables.paths) {
    const std::uint32_t group = seen(path.group), nexthop = seen(path.nexthop);
    if (group == 0 || group >= use.size() || nexthop == 0 || nexthop >= tables.nexthops.size())
      continue;
    if (const auto key = key_of(tables.nexthops[nexthop]))
      (use[group].used ? uplinks.used : uplinks.unused).insert(key->ifindex);
  }
  const auto expected = expectation.programs(uplinks);
  for (const ExpectedProgram& wanted : expected) {
    const bool there =
        std::any_of(installed.programs.begin(), installed.programs.end(),
                    [&](const auto& p) { return same_place(p.where, wanted.where); });
    if (wanted.required && !there)
      result.differences.add(Fault::program_missing, subject_of(wanted.where), "not attached");
  }
  for (const InstalledProgram& program : installed.programs) {
    const std::string subject = subject_of(program.where);
    if (std::none_of(expected.begin(), expected.end(),
                     [&](const auto& e) { return same_place(e.where, program.where); }))
      result.differences.add(Fault::program_stray, subject, "attached, and not wanted there");
    if (std::none_of(program.maps.begin(), program.maps.end(),
                     [&](std::uint32_t id) { return installed.map_ids.contains(id); }))
      result.differences.add(Fault::program_apart, subject, "none of its maps is pinned");
  }
}

Result<Verification> verify(const std::string& pin_root, Expectation& expectation, TimePoint now) {
  const auto maps = InstalledMaps::open(pin_root);
  if (!maps) return maps.error();
  libbpf_set_print(nullptr);  // what is not there is no error of ours
  Installed installed{maps->tables(), maps->ids(), {}};
  for (const Hook& hook : find_hooks())
    installed.programs.push_back(
        {{hook.ifindex, hook.interface, hook.role}, maps_of(hook.program_id)});
  return compare(installed, expectation, now);
}

}  // namespace hopwise::dataplane
