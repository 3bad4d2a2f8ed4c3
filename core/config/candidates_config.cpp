#include "core/config/candidates_config.hpp"

#include <charconv>
#include <optional>
#include <string>

namespace hopwise::config {
namespace {

constexpr std::uint32_t kMostCandidates = 15;  // a group has room for 16 paths

// "65000:100": two 16-bit numbers (RFC 1997).
std::optional<std::uint32_t> parse_community(const std::string& text) {
  const auto colon = text.find(':');
  if (colon == std::string::npos) return std::nullopt;
  const auto number = [&](std::size_t from, std::size_t to) -> std::optional<std::uint32_t> {
    std::uint16_t value = 0;
    const char* end = text.data() + to;
    const auto parsed = std::from_chars(text.data() + from, end, value);
    if (from == to || parsed.ec != std::errc{} || parsed.ptr != end) return std::nullopt;
    return value;
  };
  const auto high = number(0, colon);
  const auto low = number(colon + 1, text.size());
  if (!high || !low) return std::nullopt;
  return *high << 16 | *low;
}

void read_communities(Object& o, std::string_view key, std::vector<std::uint32_t>& out) {
  std::vector<std::string> texts;
  if (!o.texts(key, texts)) return;
  out.clear();
  for (const std::string& text : texts) {
    const auto community = parse_community(text);
    if (!community) return o.fault(key, '"' + text + "\" is no community (write \"65000:100\")");
    out.push_back(*community);
  }
}

// A number, or "best".
void read_floor(Object& o, std::optional<std::uint32_t>& floor) {
  constexpr std::string_view kKey = "local_pref_floor";
  const Value* value = o.value(kKey);
  if (value == nullptr) return;
  if (value->kind == Kind::string) {
    std::string best;
    if (o.one_of(kKey, best, {"best"})) floor.reset();
    return;
  }
  std::uint32_t least = 0;
  if (o.integer(kKey, least)) floor = least;
}

}  // namespace

void read_candidates(Object& o, routes::OfferPolicy& policy) {
  using Policy = routes::OfferPolicy;
  std::string from;
  if (o.one_of("from", from, {"none", "bgp"}))
    policy.from = from == "bgp" ? Policy::From::bgp : Policy::From::none;
  std::string as_path;
  if (o.one_of("as_path", as_path, {"same", "shorter_or_same"}))
    policy.as_path = as_path == "same" ? Policy::AsPath::same : Policy::AsPath::shorter_or_same;
  read_floor(o, policy.local_pref_floor);
  o.object("communities", [&](Object& communities) {
    read_communities(communities, "any_of", policy.any_of);
    read_communities(communities, "none_of", policy.none_of);
  });
  o.prefixes("only", policy.only);
  o.prefixes("except", policy.except);
  auto most = static_cast<std::uint32_t>(policy.max_per_prefix);
  if (o.integer("max_per_prefix", most, {1, kMostCandidates})) policy.max_per_prefix = most;
}

}  // namespace hopwise::config
