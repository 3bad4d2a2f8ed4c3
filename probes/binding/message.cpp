#include "probes/binding/message.hpp"

#include <sys/socket.h>

#include <array>
#include <cstdio>

namespace hopwise::probes {
namespace {

const nlattr* find(const nlmsghdr& message, std::size_t fixed_bytes, std::uint16_t type) {
  const auto* end = static_cast<const char*>(mnl_nlmsg_get_payload_tail(&message));
  const auto* a = static_cast<const nlattr*>(mnl_nlmsg_get_payload_offset(&message, fixed_bytes));
  for (; mnl_attr_ok(a, static_cast<int>(end - reinterpret_cast<const char*>(a)));
       a = mnl_attr_next(a))
    if (mnl_attr_get_type(a) == type) return a;
  return nullptr;
}

}  // namespace

int address_family(Family family) {
  return family == Family::v4 ? AF_INET : AF_INET6;
}

std::string in_family(int address_family) {
  return address_family == AF_INET ? " (IPv4)" : " (IPv6)";
}

std::string hex(std::uint32_t value) {
  std::array<char, 16> text{};
  std::snprintf(text.data(), text.size(), "0x%x", value);
  return text.data();
}

std::uint32_t attribute(const nlmsghdr& message, std::size_t fixed_bytes, std::uint16_t type) {
  const nlattr* a = find(message, fixed_bytes, type);
  if (a == nullptr) return 0;
  return mnl_attr_get_payload_len(a) == sizeof(std::uint32_t) ? mnl_attr_get_u32(a)
                                                              : mnl_attr_get_u8(a);
}

std::optional<IpAddress> address_in(const nlmsghdr& message, std::size_t fixed_bytes,
                                    std::uint16_t type, Family family) {
  const nlattr* a = find(message, fixed_bytes, type);
  if (a == nullptr || mnl_attr_get_payload_len(a) != (family == Family::v4 ? 4 : 16)) return {};
  return IpAddress::from_bytes(family, mnl_attr_get_payload(a));
}

}  // namespace hopwise::probes
