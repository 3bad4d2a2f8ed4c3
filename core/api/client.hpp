// The API's client over the unix socket: what `hopwise status` and the like talk through.
#pragma once

#include <string>

#include "core/model/result.hpp"
#include "core/model/time.hpp"

namespace hopwise::api {

struct Reply {
  int status = 0;  // HTTP
  std::string body;
};

/// `text` as the value of a parameter of a target, percent-encoded.
std::string encoded_value(const std::string& text);

/// One request; the answer is waited for so long. The error says whether a daemon runs at all.
Result<Reply> request(const std::string& socket_path, const std::string& method,
                      const std::string& target, Duration patience = std::chrono::seconds(5));

}  // namespace hopwise::api
