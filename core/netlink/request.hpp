// A request while it is written: room for a header and at most a few attributes.
#pragma once

#include <libmnl/libmnl.h>

#include <array>
#include <cstdint>

namespace hopwise::netlink {

struct Request {
  alignas(nlmsghdr) std::array<char, 512> bytes{};
  nlmsghdr* header = mnl_nlmsg_put_header(bytes.data());

  Request(std::uint16_t type, unsigned flags) {
    header->nlmsg_type = type;
    header->nlmsg_flags = static_cast<std::uint16_t>(flags);
  }
  Request(const Request&) = delete;
  Request& operator=(const Request&) = delete;

  /// What the bus puts before attributes: rtmsg, ifinfomsg, ...
  template <class Fixed>
  Fixed& fixed() {
    return *static_cast<Fixed*>(mnl_nlmsg_put_extra_header(header, sizeof(Fixed)));
  }
};

}  // namespace hopwise::netlink
