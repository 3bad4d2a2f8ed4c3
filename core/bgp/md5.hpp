// TCP MD5 signatures (RFC 2385) by Linux' TCP_MD5SIG.
#pragma once

#include <string>

#include "core/model/address.hpp"
#include "core/model/result.hpp"

namespace hopwise::bgp {

/// Connections of `peer` to this listening socket must be signed with `password` from now on: the
/// kernel drops all other segments of that address without a word. At most 80 bytes.
Result<> require_md5(int listening_fd, const IpAddress& peer, const std::string& password);

}  // namespace hopwise::bgp
