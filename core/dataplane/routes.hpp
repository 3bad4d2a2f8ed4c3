// The routes that are wanted, and the arrays in which the programs look them up. A change is a few
// stores (fib4, fib6); what finds no room there is left to the kernel, and tried again.
//
// The arrays outlive the daemon, the prefixes do not. Over arrays that an earlier daemon has filled
// nothing is written until sweep(): until then the programs find its routes, and what is set here
// is only kept. sweep() stores the differences, in an order in which every address goes from its
// old route to its new one, so that a daemon that ends in the middle does no harm.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <span>

#include "bpf/abi.h"
#include "core/dataplane/fib4.hpp"
#include "core/dataplane/fib6.hpp"
#include "core/dataplane/grace_period.hpp"
#include "core/dataplane/mapped_array.hpp"
#include "core/dataplane/places.hpp"
#include "core/dataplane/rib.hpp"
#include "core/dataplane/tables.hpp"
#include "core/model/address.hpp"
#include "core/model/result.hpp"

namespace hopwise::dataplane {

/// What bpf/fib.h reads.
struct RouteArrays {
  std::span<hw_slots4> routes4, blocks4;
  std::span<hw_slots6> routes6;
  std::span<hw_node6> nodes6;
  hw_router& router;  // default4, default6
};

/// The arrays of the loaded object, mapped.
class RouteMaps {
 public:
  static Result<RouteMaps> map(const MapFds& fds);
  [[nodiscard]] RouteArrays arrays(hw_router& router) const;

 private:
  RouteMaps(MappedArray<hw_slots4> routes4, MappedArray<hw_slots4> blocks4,
            MappedArray<hw_slots6> routes6, MappedArray<hw_node6> nodes6);
  MappedArray<hw_slots4> routes4_, blocks4_;
  MappedArray<hw_slots6> routes6_;
  MappedArray<hw_node6> nodes6_;
};

class RouteTable {
 public:
  RouteTable(const RouteArrays& arrays, const GracePeriod& wait);

  /// `group`: 1 to HW_MAX_GROUPS - 1, or HW_ROUTE_KERNEL. An error means that the kernel forwards
  /// some of it for now; it is kept and retried.
  Result<> set(const Prefix& prefix, std::uint32_t group);
  Result<> remove(const Prefix& prefix);
  /// All that routing has is set: routes of an earlier daemon that were not set again end here.
  /// Takes a few grace periods of some 10 ms.
  Result<> sweep();
  /// Tries at most `work` of the places that wait. May take a grace period, some 10 ms.
  void retry(std::size_t work);

  struct Match {
    /// The longest that is set; nothing where an earlier daemon's route is found.
    std::optional<Prefix> prefix;
    std::uint32_t group;
  };
  /// What the programs find. Reads the arrays only, as they do, also while another thread writes.
  [[nodiscard]] std::uint16_t group_of(const IpAddress& destination) const;
  /// The same with its prefix; nothing for HW_ROUTE_NONE.
  [[nodiscard]] std::optional<Match> find(const IpAddress& destination) const;
  /// The longest that is set and covers `prefix`, whatever the programs find.
  [[nodiscard]] std::optional<Match> covering(const Prefix& prefix) const;
  /// All that are set, in order, behind `after` (without it from the first on), until `each`
  /// returns false.
  void walk(const std::optional<Prefix>& after,
            const std::function<bool(const Prefix&, std::uint32_t group)>& each) const;
  /// Places (IPv4: /24s) that are left to the kernel for want of room.
  [[nodiscard]] std::size_t waiting() const { return fib4_.waiting() + fib6_.waiting(); }
  [[nodiscard]] std::size_t size() const { return rib4_.size() + rib6_.size(); }

  struct Use {
    std::size_t blocks4, nodes6;  // of HW_MAX_BLOCKS4, HW_MAX_NODES6
    std::size_t bytes;            // of the daemon's own memory
  };
  [[nodiscard]] Use use() const;

 private:
  void write(const Prefix& prefix);
  [[nodiscard]] bool waits(const Prefix& prefix) const;
  [[nodiscard]] Error no_room(const std::string& what) const;

  hw_router& router_;
  GracePeriod wait_;
  Rib<Address4> rib4_;
  Rib<Address6> rib6_;
  Fib4 fib4_;
  Fib6 fib6_;
  bool inherited_;  // the arrays are an earlier daemon's
};

}  // namespace hopwise::dataplane
