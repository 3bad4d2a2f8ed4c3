// "127.0.0.1:9469", "[::1]:9469": an address and a port, as api.listen is written.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "core/model/address.hpp"

namespace hopwise::api {

struct Endpoint {
  IpAddress address;
  std::uint16_t port = 0;

  [[nodiscard]] bool is_loopback() const;
  [[nodiscard]] std::string text() const;

  static std::optional<Endpoint> parse(std::string_view text);
};

}  // namespace hopwise::api
