#include "core/model/format.hpp"

#include <cstdarg>
#include <cstdio>

namespace hopwise {

std::string format(const char* pattern, ...) {
  std::va_list arguments;
  std::va_list again;
  va_start(arguments, pattern);
  va_copy(again, arguments);
  const int length = std::vsnprintf(nullptr, 0, pattern, arguments);
  va_end(arguments);
  std::string text(length > 0 ? static_cast<std::size_t>(length) : 0, '\0');
  std::vsnprintf(text.data(), text.size() + 1, pattern, again);
  va_end(again);
  return text;
}

}  // namespace hopwise
