// Route tables on plain memory, and the matcher that they must agree with: the longest prefix that
// contains the address, found by trying every length.
#pragma once

#include <sys/mman.h>

#include <cstdint>
#include <optional>
#include <random>
#include <span>
#include <string>
#include <unordered_map>
#include <vector>

#include "core/dataplane/routes.hpp"
#include "test/catch.hpp"

namespace hopwise::test {

/// As the maps' memory: zero at first, shared with child processes, and longer-lived than any
/// table on it.
class RouteMemory {
 public:
  explicit RouteMemory(std::uint32_t blocks4 = HW_MAX_BLOCKS4, std::uint32_t nodes6 = HW_MAX_NODES6)
      : routes4_(map<hw_slots4>(HW_ROUTES4_ENTRIES)),
        blocks4_(map<hw_slots4>(blocks4 * HW_BLOCK4_ENTRIES)),
        routes6_(map<hw_slots6>(HW_ROUTES6_ENTRIES)),
        nodes6_(map<hw_node6>(nodes6)),
        router_(map<hw_router>(1)) {}
  ~RouteMemory() {
    unmap(routes4_);
    unmap(blocks4_);
    unmap(routes6_);
    unmap(nodes6_);
    unmap(router_);
  }
  RouteMemory(const RouteMemory&) = delete;
  RouteMemory& operator=(const RouteMemory&) = delete;

  [[nodiscard]] dataplane::RouteArrays arrays() const {
    return {routes4_, blocks4_, routes6_, nodes6_, router_[0]};
  }

 private:
  template <class Entry>
  static std::span<Entry> map(std::size_t entries) {
    void* memory = mmap(nullptr, entries * sizeof(Entry), PROT_READ | PROT_WRITE,
                        MAP_SHARED | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    REQUIRE(memory != MAP_FAILED);
    return {static_cast<Entry*>(memory), entries};
  }
  template <class Entry>
  static void unmap(std::span<Entry> entries) {
    munmap(entries.data(), entries.size_bytes());
  }

  std::span<hw_slots4> routes4_, blocks4_;
  std::span<hw_slots6> routes6_;
  std::span<hw_node6> nodes6_;
  std::span<hw_router> router_;
};

/// Where nobody reads, nobody is waited for.
inline bool no_readers() {
  return true;
}

/// HW_ROUTE_NONE where nothing matches.
class NaiveMatcher {
 public:
  void set(const Prefix& prefix, std::uint32_t group) { routes_[prefix] = group; }
  void remove(const Prefix& prefix) { routes_.erase(prefix); }
  [[nodiscard]] std::uint32_t find(const IpAddress& address) const {
    for (int length = address.bits(); length >= 0; --length)
      if (const auto route = routes_.find(Prefix::covering(address, length));
          route != routes_.end())
        return route->second;
    return HW_ROUTE_NONE;
  }
  [[nodiscard]] const std::unordered_map<Prefix, std::uint32_t>& routes() const { return routes_; }

 private:
  std::unordered_map<Prefix, std::uint32_t> routes_;
};

/// Addresses and prefixes that cover each other again and again: few values a nibble.
class CrowdedSpace {
 public:
  CrowdedSpace(Family family, unsigned seed) : family_(family), random_(seed) {}

  std::uint32_t number(std::uint32_t below) {
    return static_cast<std::uint32_t>(random_() % below);
  }

  IpAddress address() {
    IpAddress address;
    address.family = family_;
    for (std::size_t i = 0; i < address.size(); ++i) {
      // The last bits of IPv4, and some nibble of IPv6 now and then, take every value.
      const bool wide = family_ == Family::v4 ? i == 3 : number(6) == 0;
      static constexpr std::uint8_t kFew[] = {0x00, 0x01, 0x10, 0xff};
      address.bytes[i] = static_cast<std::uint8_t>(wide ? number(256) : kFew[number(4)]);
    }
    return address;
  }
  /// The shortest IPv4 prefixes seldom: they are millions of stores.
  Prefix prefix() {
    const std::uint32_t bits = family_ == Family::v4 ? 32 : 128;
    std::uint32_t length = number(bits + 1);
    if (length < 8 && number(8) != 0) length = bits - length;
    return Prefix::covering(address(), static_cast<int>(length));
  }
  /// Few groups, so that neighbours often have the same; the kernel's among them.
  std::uint32_t group() {
    const std::uint32_t drawn = number(6);
    return drawn == 0 ? HW_ROUTE_KERNEL : drawn == 5 ? HW_MAX_GROUPS - 1 : drawn;
  }

 private:
  Family family_;
  std::mt19937 random_;
};

/// The prefix's first and last address, and those beside them.
inline std::vector<IpAddress> edges(const Prefix& prefix) {
  IpAddress first = prefix.address, last = first;
  for (int bit = prefix.length; bit < first.bits(); ++bit)
    last.bytes[bit / 8] |= static_cast<std::uint8_t>(0x80 >> bit % 8);
  IpAddress before = first, after = last;
  for (std::size_t i = first.size(); i-- > 0 && before.bytes[i]-- == 0;) continue;
  for (std::size_t i = first.size(); i-- > 0 && ++after.bytes[i] == 0;) continue;
  return {first, last, before, after};
}

}  // namespace hopwise::test
