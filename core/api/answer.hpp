// From a request to its answer. No sockets and no HTTP library: the routes of the API and nothing
// else.
#pragma once

#include <string>
#include <string_view>

#include "core/api/server.hpp"

namespace hopwise::api {

struct Request {
  std::string_view method;  // "GET"
  std::string_view target;  // "/api/v1/explain?src=..."
  bool local = false;       // came by the unix socket
};

struct Answer {
  unsigned status = 200;
  std::string type = "application/json";
  std::string body;
  std::string allow = {};  // of a 405: the methods that the target has
};

/// Never throws: what a handler throws becomes a 500.
Answer answer(const Request& request, const Handlers& handlers);

/// {"error": message} with a status of 400 and up.
Answer refusal(unsigned status, const std::string& message);

}  // namespace hopwise::api
