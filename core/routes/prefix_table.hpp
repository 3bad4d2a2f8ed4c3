// A compact map of prefixes: some 30 bytes an IPv4 prefix beside the value, no allocation for each.
//
// Flat hash tables, by family, in shards: one that grows is moved at once, which for a whole table
// of a million would hold the control loop for 50 ms. Shards are also what a walk goes by that has
// to return to the loop: within one nothing is added while it is visited.
#pragma once

#include <array>
#include <boost/unordered/unordered_flat_map.hpp>
#include <cstdint>
#include <cstring>
#include <utility>
#include <vector>

#include "core/model/address.hpp"

namespace hopwise::routes {

template <class Value>
class PrefixTable {
 public:
  static constexpr std::size_t kShards = 1024;

  PrefixTable() : v4_(kShards), v6_(kShards) {}

  /// Null where there is none. Valid until one is added or erased.
  [[nodiscard]] Value* find(const Prefix& prefix) {
    return const_cast<Value*>(std::as_const(*this).find(prefix));
  }
  [[nodiscard]] const Value* find(const Prefix& prefix) const {
    return prefix.address.is_v4() ? find_in(v4_, Key4(prefix)) : find_in(v6_, Key6(prefix));
  }
  /// Adds one where there is none. Valid until one is added or erased.
  Value& operator[](const Prefix& prefix) {
    return prefix.address.is_v4() ? at(v4_, Key4(prefix)) : at(v6_, Key6(prefix));
  }
  void erase(const Prefix& prefix) {
    const std::size_t erased =
        prefix.address.is_v4() ? erase_in(v4_, Key4(prefix)) : erase_in(v6_, Key6(prefix));
    size_ -= erased;
  }
  [[nodiscard]] std::size_t size() const { return size_; }

  /// Calls keep(prefix, value) with each of a shard; drops those for which it says false.
  template <class Keep>
  void sweep(std::size_t shard, const Keep& keep) {
    const auto drop = [&](auto& entry) { return !keep(entry.first.prefix(), entry.second); };
    size_ -= boost::unordered::erase_if(v4_[shard], drop);
    size_ -= boost::unordered::erase_if(v6_[shard], drop);
  }
  template <class Visit>
  void each(const Visit& visit) const {
    for (const auto& shard : v4_)
      for (const auto& [key, value] : shard) visit(key.prefix(), value);
    for (const auto& shard : v6_)
      for (const auto& [key, value] : shard) visit(key.prefix(), value);
  }

 private:
  static std::uint64_t mixed(std::uint64_t bits) {
    bits = (bits ^ (bits >> 32)) * 0xd6e8feb86659fd93U;
    bits = (bits ^ (bits >> 32)) * 0xd6e8feb86659fd93U;
    return bits ^ (bits >> 32);
  }

  struct Key4 {
    std::uint32_t address;
    std::uint8_t length;

    explicit Key4(const Prefix& p) : length(p.length) {
      std::memcpy(&address, p.address.bytes.data(), sizeof(address));
    }
    bool operator==(const Key4&) const = default;
    [[nodiscard]] Prefix prefix() const {
      return {IpAddress::from_bytes(Family::v4, &address), length};
    }
    [[nodiscard]] std::uint64_t hash() const { return mixed(std::uint64_t{address} << 8 | length); }
  };
  struct Key6 {
    std::array<std::uint8_t, 16> address;
    std::uint8_t length;

    explicit Key6(const Prefix& p) : address(p.address.bytes), length(p.length) {}
    bool operator==(const Key6&) const = default;
    [[nodiscard]] Prefix prefix() const {
      return {IpAddress::from_bytes(Family::v6, address.data()), length};
    }
    [[nodiscard]] std::uint64_t hash() const {
      std::array<std::uint64_t, 2> words{};
      std::memcpy(words.data(), address.data(), sizeof(words));
      return mixed(words[0] ^ mixed(words[1] + length));
    }
  };
  struct Hash {
    using is_avalanching = void;
    template <class Key>
    std::size_t operator()(const Key& key) const {
      return key.hash();
    }
  };
  template <class Key>
  using Shards = std::vector<boost::unordered_flat_map<Key, Value, Hash>>;

  // Neither the bits that choose a place within a table (the highest) nor those of its tags.
  static std::size_t shard_of(std::uint64_t hash) { return (hash >> 16) % kShards; }

  template <class Key>
  static const Value* find_in(const Shards<Key>& shards, const Key& key) {
    const auto& shard = shards[shard_of(key.hash())];
    const auto found = shard.find(key);
    return found == shard.end() ? nullptr : &found->second;
  }
  template <class Key>
  Value& at(Shards<Key>& shards, const Key& key) {
    const auto [place, added] = shards[shard_of(key.hash())].try_emplace(key);
    size_ += added ? 1 : 0;
    return place->second;
  }
  template <class Key>
  static std::size_t erase_in(Shards<Key>& shards, const Key& key) {
    return shards[shard_of(key.hash())].erase(key);
  }

  Shards<Key4> v4_;
  Shards<Key6> v6_;
  std::size_t size_ = 0;
};

}  // namespace hopwise::routes
