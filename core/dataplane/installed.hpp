// What the programs of this network namespace read, as it stands in the pinned maps: read-only, and
// by code of its own. Nothing here is shared with what writes these tables, but for bpf/abi.h.
//
// Whoever writes goes on meanwhile: each slot is whole, and two of them may be of different
// moments.
#pragma once

#include <bit>
#include <cstdint>
#include <memory>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <vector>

#include "bpf/abi.h"
#include "core/dataplane/rib.hpp"
#include "core/model/path.hpp"
#include "core/model/result.hpp"

namespace hopwise::dataplane {

/// The arrays of bpf/abi.h, wherever they lie.
struct InstalledTables {
  std::span<const hw_slots4> routes4, blocks4;
  std::span<const hw_slots6> routes6;
  std::span<const hw_node6> nodes6;
  std::span<const hw_group> groups;
  std::span<const hw_bucket> buckets;
  std::span<const hw_path> paths;
  std::span<const hw_nexthop> nexthops;
  const hw_router* router = nullptr;
};

/// The pinned maps of this network namespace, mapped read-only.
class InstalledMaps {
 public:
  /// Fails where nothing of this ABI is pinned, where it is not of this version's shape, and
  /// without the right to read it.
  static Result<InstalledMaps> open(const std::string& pin_root);

  [[nodiscard]] const InstalledTables& tables() const { return tables_; }
  /// The kernel's numbers of the pinned maps.
  [[nodiscard]] const std::set<std::uint32_t>& ids() const { return ids_; }

 private:
  struct Unmap {
    std::size_t bytes = 0;
    void operator()(const void* memory) const;
  };
  using Memory = std::unique_ptr<const void, Unmap>;

  template <class Entry>
  Result<> map(const std::string& folder, const char* name, std::size_t entries,
               std::span<const Entry>& into);

  std::vector<Memory> memory_;
  std::set<std::uint32_t> ids_;
  InstalledTables tables_;
};

/// A store of another process may come between: the compiler reads once, and whole.
template <class Word>
Word seen(const Word& word) {
  return *const_cast<const volatile Word*>(&word);
}

std::optional<NexthopKey> key_of(const hw_nexthop& entry);

/// No group, but a block or node that there is not, or one that is met twice.
inline constexpr std::uint32_t kDangling = 0xffffffff;

/// Addresses that find the same: a group's id, HW_ROUTE_KERNEL, HW_ROUTE_NONE, or kDangling.
template <class Address>
struct Run {
  Address first, last;
  std::uint32_t value;
};

/// Joins what finds the same, in order of address, and tells each run once.
template <class Address, class Each>
class Runs {
 public:
  explicit Runs(const Each& each) : each_(each) {}
  ~Runs() {
    if (open_) each_(run_);
  }
  Runs(const Runs&) = delete;
  Runs& operator=(const Runs&) = delete;

  void add(Address first, Address last, std::uint32_t value) {
    if (open_ && run_.value == value) {
      run_.last = last;
      return;
    }
    if (open_) each_(run_);
    run_ = {first, last, value};
    open_ = true;
  }

 private:
  const Each& each_;
  Run<Address> run_{};
  bool open_ = false;
};

/// How full the places behind the first stages are.
struct PlacesSeen {
  std::size_t blocks4 = 0;
  std::size_t nodes6 = 0;
};

/// Every IPv4 address, in order: all slots of the first stage and of the blocks that they name.
template <class Each>
void walk_installed4(const InstalledTables& tables, PlacesSeen& places, const Each& each) {
  Runs<Address4, Each> runs(each);
  const std::uint32_t uncovered = seen(tables.router->default4);
  const std::size_t blocks = tables.blocks4.size() / HW_BLOCK4_ENTRIES;
  std::vector<bool> met(blocks);
  const auto found = [&](std::uint16_t slot) -> std::uint32_t {
    return slot == HW_ROUTE_NONE ? uncovered : slot;
  };
  for (std::uint32_t i = 0; i < tables.routes4.size() * 4; ++i) {
    const std::uint16_t slot = seen(tables.routes4[i / 4].slot[i % 4]);
    const Address4 first = i << 8;
    if ((slot & HW_SLOT4_BLOCK) == 0) {
      runs.add(first, first | 0xff, found(slot));
      continue;
    }
    const std::uint32_t block = slot & ~HW_SLOT4_BLOCK;
    if (block == 0 || block >= blocks || met[block]) {
      runs.add(first, first | 0xff, kDangling);
      continue;
    }
    met[block] = true;
    ++places.blocks4;
    for (std::uint32_t j = 0; j < 256; ++j)
      runs.add(first | j, first | j,
               found(seen(tables.blocks4[block * HW_BLOCK4_ENTRIES + j / 4].slot[j % 4])));
  }
}

/// Every IPv6 address, in order: the first stage, and down every node that it leads to.
template <class Each>
void walk_installed6(const InstalledTables& tables, PlacesSeen& places, const Each& each) {
  Runs<Address6, Each> runs(each);
  const std::uint32_t uncovered = seen(tables.router->default6);
  std::vector<bool> met(tables.nodes6.size());
  // `bits` lead to the slot; `group` is the longest match on the way to it.
  const auto down = [&](const auto& self, std::uint32_t slot, Address6 first, int bits,
                        std::uint32_t group) -> void {
    if ((slot & HW_SLOT6_GROUP) != HW_ROUTE_NONE) group = slot & HW_SLOT6_GROUP;
    const std::uint32_t node = slot >> HW_SLOT6_CHILD;
    const Address6 last = first | ~leading<Address6>(bits);
    if (node == 0 || bits == 128) return runs.add(first, last, group);
    if (node >= tables.nodes6.size() || met[node]) return runs.add(first, last, kDangling);
    met[node] = true;
    ++places.nodes6;
    constexpr int kStep = HW_NODE6_BITS;
    for (std::uint32_t i = 0; i < 1U << kStep; ++i)
      self(self, seen(tables.nodes6[node].slot[i]), first | Address6{i} << (128 - bits - kStep),
           bits + kStep, group);
  };
  for (std::uint32_t i = 0; i < tables.routes6.size() * 2; ++i)
    down(down, seen(tables.routes6[i / 2].slot[i % 2]), Address6{i} << (128 - HW_ROUTES6_BITS),
         HW_ROUTES6_BITS, uncovered);
}

}  // namespace hopwise::dataplane
