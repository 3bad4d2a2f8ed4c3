// Listening sockets, made so that their errors tell the operator what to do.
#pragma once

#include <string>

#include "core/api/endpoint.hpp"
#include "core/model/result.hpp"

namespace hopwise::api {

/// Both return a listening, non-blocking, close-on-exec socket that the caller closes.
Result<int> listen_tcp(const Endpoint& endpoint);

/// Mode 0660; the folder is made when missing (0755). A socket that nobody answers on is replaced;
/// one that is answered belongs to another hopwise, and is an error.
Result<int> listen_unix(const std::string& path);

}  // namespace hopwise::api
