#include "core/config/history_config.hpp"

#include <array>
#include <charconv>
#include <optional>

namespace hopwise::config {
namespace {

constexpr std::uint64_t kLeast = 100'000, kMost = 1'000'000'000;

/// "500kB", "16MB", "1GB".
std::optional<std::uint64_t> parse_size(std::string_view text) {
  struct Unit {
    std::string_view name;
    std::uint64_t bytes;
  };
  constexpr std::array<Unit, 3> kUnits{{{"kB", 1'000}, {"MB", 1'000'000}, {"GB", 1'000'000'000}}};
  std::uint64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc{} || number > kMost) return std::nullopt;
  const std::string_view unit(end, static_cast<std::size_t>(text.data() + text.size() - end));
  for (const Unit& known : kUnits)
    if (unit == known.name) return number * known.bytes;
  return std::nullopt;
}

}  // namespace

void read_history(Object& o, History& history) {
  o.any_text("file", history.file);
  if (!history.file.empty() && history.file[0] != '/')
    o.fault("file", "must be an absolute path (or \"\" to keep events in memory alone)");
  std::string size;
  if (!o.text("size", size)) return;
  const auto bytes = parse_size(size);
  if (!bytes)
    return o.fault("size", '"' + size + "\" is no size (write \"16MB\"; units: kB, MB, GB)");
  if (*bytes < kLeast || *bytes > kMost)
    return o.fault("size", '"' + size + "\" is out of range (100kB to 1GB)");
  history.size_bytes = *bytes;
}

}  // namespace hopwise::config
