// Figures as people read them, out of the API's JSON. What is null is "-".
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>

namespace hopwise::cli {

using Json = nlohmann::ordered_json;

/// "25.0 %".
std::string percent(double ratio);
/// "1.23 M": three digits that matter.
std::string magnitude(double number);
/// "3.0 s", "12 min", "2 h 05 min", "3 d 4 h".
std::string time_text(double seconds);

std::string milliseconds_text(const Json& ms);
/// "120 Mbit/s".
std::string bit_rate_text(const Json& bit_s);
std::string bytes_text(const Json& bytes);
std::string packets_text(const Json& packets);
std::string count(const Json& number);
std::string text(const Json& json);

}  // namespace hopwise::cli
