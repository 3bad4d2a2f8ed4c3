// OPEN: who speaks, and what it can do (RFC 4271, section 4.2; RFC 9072 for long ones). Pure.
#pragma once

#include <cstdint>
#include <variant>
#include <vector>

#include "core/bgp/capabilities.hpp"
#include "core/bgp/notification.hpp"

namespace hopwise::bgp {

inline constexpr std::uint16_t kAsTrans = 23456;  // RFC 6793: stands for an AS beyond 16 bits

struct Open {
  std::uint32_t as = 0;           // of the capability where it was told
  std::uint16_t hold_time_s = 0;  // 0: none; else at least 3
  std::uint32_t router_id = 0;    // never 0
  Capabilities capabilities{};

  bool operator==(const Open&) const = default;
};

/// What follows the header. A Notification is what section 6.2 answers: the session ends.
std::variant<Open, Notification> parse_open(Bytes body);

std::vector<std::uint8_t> build_open(const Open& open);

}  // namespace hopwise::bgp
