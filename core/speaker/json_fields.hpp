// Reading JSON that a neighbour wrote: what is absent or of another type is as if it were not said.
// Private to core/speaker's .cpp files, which include nlohmann's header before it.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <string_view>

namespace hopwise::speaker {

using Json = nlohmann::json;

/// Discarded (neither object nor list) where it is no JSON.
Json parsed(std::string_view text);
std::string text_in(const Json& object, const char* key);
bool flag_in(const Json& object, const char* key);
std::optional<std::int64_t> number_in(const Json& object, const char* key);
/// Null where there is none.
const Json* list_in(const Json& object, const char* key);

}  // namespace hopwise::speaker
