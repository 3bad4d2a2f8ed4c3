#include "core/model/result.hpp"

#include <cerrno>
#include <ostream>
#include <system_error>

namespace hopwise {

std::ostream& operator<<(std::ostream& out, const Error& error) {
  return out << error.message;
}

Error system_error(std::string what, int error_number, std::string_view remedy) {
  if (error_number < 0) error_number = -error_number;
  std::string message = std::move(what) + ": " + std::generic_category().message(error_number);
  if (remedy.empty() && (error_number == EPERM || error_number == EACCES))
    remedy = "run as root, or with CAP_BPF, CAP_NET_ADMIN, CAP_NET_RAW and CAP_PERFMON";
  if (!remedy.empty()) message.append(" (").append(remedy).append(")");
  return Error{std::move(message)};
}

}  // namespace hopwise
