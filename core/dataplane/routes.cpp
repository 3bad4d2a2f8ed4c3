#include "core/dataplane/routes.hpp"

#include <bpf/bpf.h>

#include <cerrno>
#include <cstring>
#include <vector>

#include "bpf/abi.h"

namespace hopwise::dataplane {
namespace {

// A key for either trie: hw_route4 and hw_route6 both begin with the length, then the address.
hw_route6 key_of(const Prefix& prefix) {
  hw_route6 key{};
  key.prefixlen = prefix.length;
  std::memcpy(key.address, prefix.address.bytes.data(), prefix.address.size());
  return key;
}

}  // namespace

RouteTable::RouteTable(int routes4_fd, int routes6_fd)
    : routes4_(routes4_fd), routes6_(routes6_fd) {
  adopt(routes4_, Family::v4);
  adopt(routes6_, Family::v6);
}

void RouteTable::adopt(int fd, Family family) {
  hw_route6 key{}, next{};
  const void* from = nullptr;
  while (bpf_map_get_next_key(fd, from, &next) == 0) {
    key = next;
    from = &key;
    std::uint32_t group = 0;
    if (bpf_map_lookup_elem(fd, &key, &group) != 0) continue;
    const Prefix prefix = Prefix::covering(IpAddress::from_bytes(family, key.address),
                                           static_cast<int>(key.prefixlen));
    entries_[prefix] = {group, group};
  }
}

Result<> RouteTable::set(const Prefix& prefix, std::uint32_t group) {
  entries_[prefix].wanted = group;
  return install(prefix);
}

Result<> RouteTable::remove(const Prefix& prefix) {
  const auto entry = entries_.find(prefix);
  if (entry == entries_.end()) return {};
  entry->second.wanted.reset();
  return install(prefix);
}

Result<> RouteTable::sweep(const std::function<bool(const Prefix&)>& keep) {
  std::vector<Prefix> unknown;
  for (const auto& [prefix, entry] : entries_)
    if (!keep(prefix)) unknown.push_back(prefix);
  Result<> first;
  for (const Prefix& prefix : unknown)
    if (const auto removed = remove(prefix); !removed && first) first = removed;
  return first;
}

void RouteTable::retry(std::size_t work) {
  std::vector<Prefix> some;
  for (auto it = waiting_.begin(); it != waiting_.end() && some.size() < work; ++it)
    some.push_back(*it);
  for (const Prefix& prefix : some) (void)install(prefix);
}

Result<> RouteTable::install(const Prefix& prefix) {
  Entry& entry = entries_.at(prefix);
  if (entry.wanted != entry.installed) {
    const int fd = prefix.address.is_v4() ? routes4_ : routes6_;
    const hw_route6 key = key_of(prefix);
    const int failed = entry.wanted ? bpf_map_update_elem(fd, &key, &*entry.wanted, BPF_ANY)
                                    : bpf_map_delete_elem(fd, &key);
    if (failed != 0 && !(failed == -ENOENT && !entry.wanted)) {
      waiting_.insert(prefix);
      return system_error((entry.wanted ? "install route " : "remove route ") + prefix.text(),
                          failed,
                          failed == -ENOSPC ? "the table holds 1048576 routes a family; the kernel "
                                              "forwards what does not fit"
                                            : "");
    }
    entry.installed = entry.wanted;
  }
  waiting_.erase(prefix);
  if (!entry.wanted) entries_.erase(prefix);
  return {};
}

std::optional<RouteTable::Match> RouteTable::find(const IpAddress& destination) const {
  for (int length = destination.bits(); length >= 0; --length) {
    const auto entry = entries_.find(Prefix::covering(destination, length));
    if (entry != entries_.end() && entry->second.installed)
      return Match{entry->first, *entry->second.installed};
  }
  return std::nullopt;
}

}  // namespace hopwise::dataplane
