// Path attributes, one by one (RFC 4271, sections 4.3 and 5; RFC 1997, 2545, 4360, 4760, 6793,
// 8092, 8950), and what an error in each costs (RFC 7606, section 7). Pure; used by update.cpp
// alone.
#pragma once

#include <optional>
#include <variant>

#include "core/bgp/update.hpp"

namespace hopwise::bgp {

enum class Attribute : std::uint8_t {
  origin = 1,
  as_path = 2,
  next_hop = 3,
  med = 4,
  local_pref = 5,
  atomic_aggregate = 6,
  aggregator = 7,
  communities = 8,
  originator_id = 9,
  cluster_list = 10,
  mp_reach = 14,
  mp_unreach = 15,
  extended_communities = 16,
  as4_path = 17,
  as4_aggregator = 18,
  large_communities = 32,
};

/// A list of attributes, read.
struct Attributes {
  BgpPath path;  // its next hop is that of MP_REACH_NLRI where `reach` is not empty
  std::optional<IpAddress> nexthop{};  // NEXT_HOP: of the prefixes at the message's end
  std::vector<Nlri> reach{}, unreach{};
  bool has_reach = false;
  std::optional<Family> unreach_family{};
  bool has_origin = false, has_as_path = false;
  std::optional<AttributeError> error{};
  std::uint8_t error_attribute = 0;
  std::uint32_t discarded = 0, foreign = 0;
};

/// A Notification where the session must end.
std::variant<Attributes, Notification> parse_attributes(Bytes list, const Dialect& dialect);

}  // namespace hopwise::bgp
