#include <charconv>

#include "core/speaker/lines.hpp"
#include "core/speaker/route.hpp"

namespace hopwise::speaker {
namespace {

constexpr unsigned kRoute = 1007, kNone = 8001, kRefusal = 8000;

Error not_understood(const Prefix& prefix, const std::string& what) {
  return Error{"bird's route to " + prefix.text() + ": " + what};
}

// "via 10.99.1.2 on w1 weight 3", "via fe80::2 on w1 onlink".
Result<Leg> leg_of(const std::vector<std::string_view>& words, const Prefix& prefix) {
  const auto gateway = IpAddress::parse(words.size() > 1 ? words[1] : "");
  if (!gateway || words.size() < 4 || words[2] != "on")
    return not_understood(prefix, "a nexthop is no \"via GATEWAY on INTERFACE\"");
  Leg leg{*gateway, std::string(words[3]), 1};
  for (std::size_t i = 4; i + 1 < words.size(); ++i) {
    if (words[i] != "weight") continue;
    const std::string_view number = words[i + 1];
    const auto read = std::from_chars(number.data(), number.data() + number.size(), leg.weight);
    if (read.ec != std::errc{} || leg.weight < 1 || leg.weight > 256)
      return not_understood(prefix, "a weight is no number from 1 to 256");
  }
  return leg;
}

// "203.0.113.0/24  unicast [a4 13:01:26.199] * (100) [AS65001i]"; the second and later routes to
// one prefix do not repeat it.
bool is_head(const std::vector<std::string_view>& words) {
  return words.size() >= 2 && words[0].find('/') != std::string_view::npos;
}

}  // namespace

// "k4  Kernel  master4  up  12:56:10.806".
std::vector<std::string> bird_kernels(std::string_view answer) {
  std::vector<std::string> names(2);
  for (const Line& line : bird_lines(answer)) {
    const auto words = line.words();
    if (words.size() < 4 || words[1] != "Kernel" || words[3] != "up") continue;
    if (words[2] == "master4" && names[0].empty()) names[0] = words[0];
    if (words[2] == "master6" && names[1].empty()) names[1] = words[0];
  }
  return names;
}

Result<BelievedRoute> bird_route(std::string_view answer, const Prefix& prefix) {
  BelievedRoute route;
  bool ours = false;
  for (const Line& line : bird_lines(answer)) {
    if (line.code == kNone) return BelievedRoute{};
    if (line.code >= kRefusal) return not_understood(prefix, std::string(line.text));
    const auto words = line.words();
    if (line.code != kRoute || words.empty()) continue;
    if (is_head(words)) {
      if (words[0] != prefix.text()) return not_understood(prefix, "the answer is about another");
      if (ours) return not_understood(prefix, "two routes are exported");
      ours = true;
      route.belief = words[1] == "unicast" ? Belief::installed : Belief::foreign;
    } else if (ours && words[0] == "via") {
      auto leg = leg_of(words, prefix);
      if (!leg) return leg.error();
      route.legs.push_back(std::move(*leg));
    } else if (ours && words[0] == "dev") {
      route.belief = Belief::foreign;  // on the link itself
    }
  }
  if (route.belief == Belief::installed && route.legs.empty())
    return not_understood(prefix, "it has no nexthops");
  return route;
}

}  // namespace hopwise::speaker
