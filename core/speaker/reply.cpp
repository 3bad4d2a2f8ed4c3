#include "core/speaker/reply.hpp"

#include <algorithm>
#include <cctype>

namespace hopwise::speaker {
namespace {

constexpr std::size_t kVtyEnd = 3;    // NULs; the status follows
constexpr char kVtySuccess = 0;       // CMD_SUCCESS
constexpr char kVtyWarning = 1;       // CMD_WARNING: "{}" for a route that is not there
constexpr std::size_t kBirdCode = 4;  // digits

bool is_code(std::string_view line) {
  return line.size() > kBirdCode && std::all_of(line.begin(), line.begin() + kBirdCode, [](char c) {
           return std::isdigit(static_cast<unsigned char>(c)) != 0;
         });
}

}  // namespace

std::string framed(Protocol protocol, const std::string& command) {
  return command + (protocol == Protocol::vty ? '\0' : '\n');
}

std::optional<Reply> ReplyReader::take(std::string& bytes) {
  return protocol_ == Protocol::vty ? take_vty(bytes) : take_bird(bytes);
}

std::optional<Reply> ReplyReader::take_vty(std::string& bytes) {
  const auto end = bytes.find(std::string(kVtyEnd, '\0'), looked_);
  if (end == std::string::npos || bytes.size() <= end + kVtyEnd) {
    // The last bytes may be the end's first.
    looked_ = std::min(end, bytes.size() - std::min(bytes.size(), kVtyEnd - 1));
    return std::nullopt;
  }
  const char status = bytes[end + kVtyEnd];
  Reply reply{status == kVtySuccess || status == kVtyWarning, bytes.substr(0, end)};
  bytes.erase(0, end + kVtyEnd + 1);
  looked_ = 0;
  return reply;
}

// Codes from 8000 on are errors: 8xxx of the command's objects, 9xxx of its syntax. 8001 says that
// there is no such network, which is an answer.
std::optional<Reply> ReplyReader::take_bird(std::string& bytes) {
  for (;;) {
    const auto end = bytes.find('\n', looked_);
    if (end == std::string::npos) return std::nullopt;  // looked_ stays at the line's start
    const std::string_view line(bytes.data() + looked_, end - looked_);
    looked_ = end + 1;
    if (!is_code(line) || line[kBirdCode] != ' ') continue;
    Reply reply{line[0] < '8' || line.substr(0, kBirdCode) == "8001", bytes.substr(0, looked_)};
    bytes.erase(0, looked_);
    looked_ = 0;
    return reply;
  }
}

}  // namespace hopwise::speaker
