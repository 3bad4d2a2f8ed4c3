// Result<T>: a value, or an Error that says what failed, on what, why, and what to do about it.
//
// Everything that may fail for a reason outside the program returns one. Exceptions are kept for
// broken invariants and end at the edge (main, the io_context loop).
#pragma once

#include <boost/system/result.hpp>
#include <iosfwd>
#include <stdexcept>
#include <string>
#include <utility>

namespace hopwise {

/// A failure, written for the operator: "attach steer to eth1: Operation not permitted (needs
/// CAP_NET_ADMIN)". One line, no trailing full stop.
struct Error {
  std::string message;
};

std::ostream& operator<<(std::ostream& out, const Error& error);

[[noreturn]] inline void throw_exception_from_error(const Error& error,
                                                    const boost::source_location&) {
  throw std::runtime_error(error.message);
}

template <class T = void>
using Result = boost::system::result<T, Error>;

/// "operation object: cause (remedy)" for a failed system call; `remedy` may be empty.
Error system_error(std::string what, int error_number, std::string_view remedy = {});

}  // namespace hopwise
