#include "core/cli/figures.hpp"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "core/model/format.hpp"

namespace hopwise::cli {

std::string percent(double ratio) {
  return format("%.1f %%", 100 * ratio);
}

std::string magnitude(double number) {
  constexpr const char* kUnits[] = {"", " k", " M", " G", " T", " P"};
  std::size_t unit = 0;
  while (number >= 999.5 && unit + 1 < std::size(kUnits)) {
    number /= 1000;
    ++unit;
  }
  const int digits = unit == 0 || number >= 99.95 ? 0 : number >= 9.995 ? 1 : 2;
  return format("%.*f%s", digits, number, kUnits[unit]);
}

std::string time_text(double seconds) {
  const auto minutes = static_cast<long>(seconds / 60);
  if (seconds < 100) return format("%.1f s", std::max(0.0, seconds));
  if (minutes < 60) return format("%ld min", minutes);
  if (minutes < 1440) return format("%ld h %02ld min", minutes / 60, minutes % 60);
  return format("%ld d %ld h", minutes / 1440, minutes / 60 % 24);
}

std::string milliseconds_text(const Json& ms) {
  return ms.is_null() ? "-" : format("%.2f ms", ms.get<double>());
}

std::string bit_rate_text(const Json& bit_s) {
  if (bit_s.is_null()) return "-";
  const std::string text = magnitude(bit_s.get<double>());
  return text + (text.find(' ') == std::string::npos ? " bit/s" : "bit/s");
}

std::string bytes_text(const Json& bytes) {
  const std::string text = magnitude(bytes.get<double>());
  return text + (text.find(' ') == std::string::npos ? " B" : "B");
}

std::string packets_text(const Json& packets) {
  return magnitude(packets.get<double>()) + " pkt";
}

std::string count(const Json& number) {
  return std::to_string(number.get<std::uint64_t>());
}

std::string text(const Json& json) {
  return json.is_null() ? "-" : json.get<std::string>();
}

}  // namespace hopwise::cli
