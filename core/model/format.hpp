// printf's formats into a std::string, checked by the compiler: g++ 12 has no <format>.
#pragma once

#include <string>

namespace hopwise {

[[gnu::format(printf, 1, 2)]] std::string format(const char* pattern, ...);

}  // namespace hopwise
