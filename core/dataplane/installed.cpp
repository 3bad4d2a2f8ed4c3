#include "core/dataplane/installed.hpp"

#include <bpf/bpf.h>
#include <sys/mman.h>
#include <sys/socket.h>

#include <cerrno>

#include "core/dataplane/handle.hpp"
#include "core/dataplane/pins.hpp"

namespace hopwise::dataplane {
namespace {

Error nothing_pinned(const std::string& folder) {
  return Error{
      "verify: no hopwise of this version has run in this network namespace (nothing is "
      "pinned in " +
      folder + ')'};
}

// Opened for writing too, or the kernel would refuse to share its memory (mmap(2) takes VM_SHARED
// from what is opened read-only, and BPF maps insist on it); mapped for reading alone.
Result<Handle> open_pin(const std::string& folder, const char* name, std::size_t value_size,
                        std::size_t entries) {
  const std::string pin = folder + '/' + name;
  Handle map(bpf_obj_get(pin.c_str()));
  if (!map && errno == ENOENT) return nothing_pinned(folder);
  bpf_map_info info{};
  __u32 size = sizeof(info);
  if (!map || bpf_obj_get_info_by_fd(map.fd(), &info, &size) != 0)
    return system_error("verify: open " + pin, errno, "needs CAP_BPF, or root");
  if (info.type != BPF_MAP_TYPE_ARRAY || info.value_size != value_size ||
      info.max_entries != entries)
    return Error{"verify: " + pin + " is not this version's (restart hopwise)"};
  return map;
}

// Of all pinned maps: a program may use none of those that are read here.
std::set<std::uint32_t> ids_in(const std::string& folder) {
  std::set<std::uint32_t> ids;
  for (const std::string& name : names_in(folder)) {
    if (!name.starts_with("hw_")) continue;
    std::string path = folder;
    path.append("/").append(name);
    const Handle map(bpf_obj_get(path.c_str()));
    bpf_map_info info{};
    __u32 size = sizeof(info);
    if (map && bpf_obj_get_info_by_fd(map.fd(), &info, &size) == 0) ids.insert(info.id);
  }
  return ids;
}

}  // namespace

void InstalledMaps::Unmap::operator()(const void* memory) const {
  munmap(const_cast<void*>(memory), bytes);
}

template <class Entry>
Result<> InstalledMaps::map(const std::string& folder, const char* name, std::size_t entries,
                            std::span<const Entry>& into) {
  const auto fd = open_pin(folder, name, sizeof(Entry), entries);
  if (!fd) return fd.error();
  const std::size_t bytes = sizeof(Entry) * entries;
  void* memory = mmap(nullptr, bytes, PROT_READ, MAP_SHARED, fd->fd(), 0);
  if (memory == MAP_FAILED) return system_error(std::string("verify: map ") + name, errno);
  memory_.emplace_back(memory, Unmap{bytes});
  into = {static_cast<const Entry*>(memory), entries};
  return {};
}

Result<InstalledMaps> InstalledMaps::open(const std::string& pin_root) {
  const auto cookie = namespace_cookie();
  if (!cookie) return cookie.error();
  const std::string folder = namespace_folder(pin_root, *cookie) + '/' + abi_name();
  InstalledMaps maps;
  InstalledTables& to = maps.tables_;
  std::span<const hw_router> router;
  if (auto r = maps.map(folder, "hw_router", 1, router); !r) return r.error();
  to.router = router.data();
  if (auto r = maps.map(folder, "hw_routes4", HW_ROUTES4_ENTRIES, to.routes4); !r) return r.error();
  constexpr std::size_t kBlockEntries = std::size_t{HW_MAX_BLOCKS4} * HW_BLOCK4_ENTRIES;
  if (auto r = maps.map(folder, "hw_blocks4", kBlockEntries, to.blocks4); !r) return r.error();
  if (auto r = maps.map(folder, "hw_routes6", HW_ROUTES6_ENTRIES, to.routes6); !r) return r.error();
  if (auto r = maps.map(folder, "hw_nodes6", HW_MAX_NODES6, to.nodes6); !r) return r.error();
  if (auto r = maps.map(folder, "hw_groups", HW_MAX_GROUPS, to.groups); !r) return r.error();
  constexpr std::size_t kBuckets = std::size_t{HW_MAX_GROUPS} * HW_BUCKETS;
  if (auto r = maps.map(folder, "hw_buckets", kBuckets, to.buckets); !r) return r.error();
  if (auto r = maps.map(folder, "hw_paths", HW_MAX_PATHS, to.paths); !r) return r.error();
  if (auto r = maps.map(folder, "hw_nexthops", HW_MAX_NEXTHOPS, to.nexthops); !r) return r.error();
  maps.ids_ = ids_in(folder);
  return maps;
}

std::optional<NexthopKey> key_of(const hw_nexthop& entry) {
  const std::uint32_t ifindex = seen(entry.ifindex);
  if (ifindex == 0) return std::nullopt;
  const Family family = entry.family == AF_INET ? Family::v4 : Family::v6;
  return NexthopKey{ifindex, IpAddress::from_bytes(family, entry.gateway)};
}

}  // namespace hopwise::dataplane
