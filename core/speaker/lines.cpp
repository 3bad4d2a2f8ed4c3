#include "core/speaker/lines.hpp"

#include <algorithm>
#include <cctype>

namespace hopwise::speaker {
namespace {

constexpr std::size_t kCode = 4;
constexpr const char* kBlanks = " \t\r";

bool has_code(std::string_view line) {
  return line.size() > kCode && (line[kCode] == '-' || line[kCode] == ' ') &&
         std::all_of(line.begin(), line.begin() + kCode,
                     [](char c) { return std::isdigit(static_cast<unsigned char>(c)) != 0; });
}

unsigned code_of(std::string_view line) {
  unsigned code = 0;
  for (const char digit : line.substr(0, kCode))
    code = code * 10 + static_cast<unsigned>(digit - '0');
  return code;
}

}  // namespace

std::vector<std::string_view> Line::words() const {
  std::vector<std::string_view> all;
  for (std::size_t at = text.find_first_not_of(kBlanks); at != std::string_view::npos;) {
    const std::size_t end = std::min(text.find_first_of(kBlanks, at), text.size());
    all.push_back(text.substr(at, end - at));
    at = text.find_first_not_of(kBlanks, end);
  }
  return all;
}

std::vector<Line> bird_lines(std::string_view answer) {
  std::vector<Line> lines;
  while (!answer.empty()) {
    const std::size_t end = std::min(answer.find('\n'), answer.size());
    const std::string_view line = answer.substr(0, end);
    answer.remove_prefix(std::min(end + 1, answer.size()));
    if (has_code(line))
      lines.push_back({code_of(line), line.substr(kCode + 1)});
    else if (!lines.empty() && !line.empty() && line[0] == ' ')
      lines.push_back({lines.back().code, line.substr(1)});
  }
  return lines;
}

}  // namespace hopwise::speaker
