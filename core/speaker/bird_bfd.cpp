#include "core/speaker/bfd.hpp"
#include "core/speaker/lines.hpp"

namespace hopwise::speaker {
namespace {

constexpr unsigned kSessions = 1020, kBfdRefusal = 8000;

std::optional<BfdState> bird_state(std::string_view word) {
  if (word == "Up") return BfdState::up;
  if (word == "Down" || word == "Init") return BfdState::down;
  if (word == "AdminDown") return BfdState::admin_down;
  return std::nullopt;
}

}  // namespace

// "10.99.1.2  w1  Down  13:01:24.056  1.000  0.000"; "---" for no interface, which are those over
// several hops. Headings have no address.
Result<std::vector<BfdSession>> bird_bfd(std::string_view answer) {
  std::vector<BfdSession> sessions;
  const auto lines = bird_lines(answer);
  if (lines.empty()) return Error{"bird's BFD sessions: the answer is no reply of BIRD's"};
  for (const Line& line : lines) {
    if (line.code >= kBfdRefusal) return Error{"bird's BFD sessions: " + std::string(line.text)};
    const auto words = line.words();
    if (line.code != kSessions || words.size() < 3) continue;
    const auto address = IpAddress::parse(words[0]);
    const auto state = bird_state(words[2]);
    if (address && state && words[1] != "---")
      sessions.push_back({*address, std::string(words[1]), *state, false, {}});
  }
  return sessions;
}

}  // namespace hopwise::speaker
