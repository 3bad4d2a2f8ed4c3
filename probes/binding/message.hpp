// Netlink messages about routing: single attributes of them, and words for errors.
#pragma once

#include <libmnl/libmnl.h>

#include <cstdint>
#include <optional>
#include <string>

#include "core/model/address.hpp"
#include "core/netlink/request.hpp"

namespace hopwise::probes {

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
