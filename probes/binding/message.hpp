// Netlink messages about routing: building them, and reading single attributes.
#pragma once

#include <libmnl/libmnl.h>

#include <array>
#include <cstdint>
#include <optional>
#include <string>

#include "core/model/address.hpp"

namespace hopwise::probes {

/// A request of at most a few attributes.
struct Request {
  alignas(nlmsghdr) std::array<char, 512> bytes{};
  nlmsghdr* header = mnl_nlmsg_put_header(bytes.data());

  Request(std::uint16_t type, unsigned flags) {
    header->nlmsg_type = type;
    header->nlmsg_flags = static_cast<std::uint16_t>(flags);
  }
  Request(const Request&) = delete;
  Request& operator=(const Request&) = delete;

  template <class Fixed>
  Fixed& fixed() {
    return *static_cast<Fixed*>(mnl_nlmsg_put_extra_header(header, sizeof(Fixed)));
  }
};

/// AF_INET or AF_INET6.
int address_family(Family family);
/// " (IPv4)", for errors.
std::string in_family(int address_family);
/// "0x68770001".
std::string hex(std::uint32_t value);

/// A number of one or four bytes; 0 when it is not there. `fixed_bytes`: what is before attributes.
std::uint32_t attribute(const nlmsghdr& message, std::size_t fixed_bytes, std::uint16_t type);
std::optional<IpAddress> address_in(const nlmsghdr& message, std::size_t fixed_bytes,
                                    std::uint16_t type, Family family);

}  // namespace hopwise::probes
