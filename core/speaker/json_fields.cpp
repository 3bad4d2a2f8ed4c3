#include "core/speaker/json_fields.hpp"

#include <nlohmann/json.hpp>

namespace hopwise::speaker {
namespace {

const Json* found(const Json& object, const char* key) {
  if (!object.is_object()) return nullptr;
  const auto field = object.find(key);
  return field == object.end() ? nullptr : &*field;
}

}  // namespace

Json parsed(std::string_view text) {
  return Json::parse(text, nullptr, false);
}

std::string text_in(const Json& object, const char* key) {
  const Json* field = found(object, key);
  return field != nullptr && field->is_string() ? field->get<std::string>() : std::string();
}

bool flag_in(const Json& object, const char* key) {
  const Json* field = found(object, key);
  return field != nullptr && field->is_boolean() && field->get<bool>();
}

std::optional<std::int64_t> number_in(const Json& object, const char* key) {
  const Json* field = found(object, key);
  if (field == nullptr || !field->is_number_integer()) return std::nullopt;
  return field->get<std::int64_t>();
}

const Json* list_in(const Json& object, const char* key) {
  const Json* field = found(object, key);
  return field != nullptr && field->is_array() ? field : nullptr;
}

}  // namespace hopwise::speaker
