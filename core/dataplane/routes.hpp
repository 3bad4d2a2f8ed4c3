// The routes that should be in the tries, those that are, and the difference, which is retried.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <unordered_map>
#include <unordered_set>

#include "core/model/address.hpp"
#include "core/model/result.hpp"

namespace hopwise::dataplane {

class RouteTable {
 public:
  /// Takes over what the tries hold.
  RouteTable(int routes4_fd, int routes6_fd);

  /// `group` 0 leaves the destination to the kernel. What fails is retried.
  Result<> set(const Prefix& prefix, std::uint32_t group);
  Result<> remove(const Prefix& prefix);
  Result<> sweep(const std::function<bool(const Prefix&)>& keep);
  /// Tries at most `work` of what is wanted and not installed.
  void retry(std::size_t work);

  struct Match {
    Prefix prefix;
    std::uint32_t group;
  };
  /// The installed route with the longest prefix, as the programs find it.
  [[nodiscard]] std::optional<Match> find(const IpAddress& destination) const;
  [[nodiscard]] std::size_t waiting() const { return waiting_.size(); }

 private:
  struct Entry {
    std::optional<std::uint32_t> wanted;
    std::optional<std::uint32_t> installed;
  };
  void adopt(int fd, Family family);
  Result<> install(const Prefix& prefix);

  int routes4_;
  int routes6_;
  std::unordered_map<Prefix, Entry> entries_;
  std::unordered_set<Prefix> waiting_;
};

}  // namespace hopwise::dataplane
