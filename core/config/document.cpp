#include "core/config/document.hpp"

#include <algorithm>
#include <deque>
#include <nlohmann/json.hpp>

namespace hopwise::config {
namespace {

constexpr std::size_t kMaxDepth = 64;

/// Walks the text one token behind the parser. It only ever steps over tokens that the parser has
/// accepted, so it needs to know where they end and nothing else.
class Cursor {
 public:
  explicit Cursor(std::string_view text) : text_(text) {
    if (text_.substr(0, 3) == "\xef\xbb\xbf") offset_ = line_start_ = 3;
  }

  /// Where the next token starts; the cursor is then behind it.
  Position next() {
    skip_blank(text_.size());
    const Position start = here();
    if (offset_ >= text_.size()) return start;
    const char first = text_[offset_++];
    if (first == '"') {
      while (offset_ < text_.size() && text_[offset_] != '"')
        offset_ += text_[offset_] == '\\' ? 2 : 1;
      ++offset_;
    } else if (std::string_view("{}[]").find(first) == std::string_view::npos) {
      offset_ = std::min(text_.find_first_of("{}[],:\"/ \t\r\n", offset_), text_.size());
    }
    offset_ = std::min(offset_, text_.size());
    return start;
  }

  /// Where the token starts that ends at byte `end` and that the parser refused.
  Position refused(std::size_t end) {
    skip_blank(end > 0 ? end - 1 : 0);
    return here();
  }

 private:
  [[nodiscard]] Position here() const { return {line_, offset_ - line_start_ + 1}; }

  void step_to(std::size_t offset) {
    for (; offset_ < offset; ++offset_)
      if (text_[offset_] == '\n') ++line_, line_start_ = offset_ + 1;
  }

  /// Blanks, commas, colons and comments, never beyond `limit`.
  void skip_blank(std::size_t limit) {
    limit = std::min(limit, text_.size());
    while (offset_ < limit) {
      if (text_[offset_] == '/') {
        const bool block = text_.substr(offset_, 2) == "/*";
        if (!block && text_.substr(offset_, 2) != "//") return;
        const std::size_t end = text_.find(block ? "*/" : "\n", offset_ + 2);
        if (end == std::string_view::npos && block) return;
        step_to(std::min(end == std::string_view::npos ? limit : end + (block ? 2 : 1), limit));
      } else if (std::string_view(" \t\r\n,:").find(text_[offset_]) != std::string_view::npos) {
        step_to(offset_ + 1);
      } else {
        return;
      }
    }
  }

  std::string_view text_;
  std::size_t offset_ = 0;
  std::size_t line_ = 1;
  std::size_t line_start_ = 0;
};

/// What nlohmann says, without its identifiers, positions and excerpts.
std::string syntax_fault(std::string what) {
  if (const auto end = what.find("] "); end != std::string::npos) what.erase(0, end + 2);
  if (what.starts_with("parse error"))
    if (const auto end = what.find(": "); end != std::string::npos) what.erase(0, end + 2);
  if (const auto excerpt = what.find("; last read: "); excerpt != std::string::npos)
    what.erase(excerpt);
  return "not JSON: " + what;
}

class Builder : public nlohmann::json_sax<nlohmann::json> {
 public:
  Builder(std::string_view text, Document& document) : cursor_(text), document_(document) {}

  bool null() override { return scalar(Kind::null, "null"); }
  bool boolean(bool value) override { return scalar(Kind::boolean, value ? "true" : "false"); }
  bool number_integer(std::int64_t value) override {
    return scalar(Kind::number, std::to_string(value));
  }
  bool number_unsigned(std::uint64_t value) override {
    return scalar(Kind::number, std::to_string(value));
  }
  bool number_float(double, const std::string& literal) override {
    return scalar(Kind::number, literal);
  }
  bool string(std::string& value) override { return scalar(Kind::string, std::move(value)); }
  bool binary(nlohmann::json::binary_t&) override { return false; }
  bool start_object(std::size_t) override { return open(Kind::object); }
  bool end_object() override { return close(); }
  bool start_array(std::size_t) override { return open(Kind::list); }
  bool end_array() override { return close(); }

  bool key(std::string& name) override {
    const Position at = cursor_.next();
    auto& members = open_.back()->members;
    const auto first = std::find_if(members.begin(), members.end(),
                                    [&](const Member& member) { return member.key == name; });
    if (first == members.end()) {
      members.push_back({std::move(name), at, {}});
      slot_ = &members.back().value;
      return true;
    }
    document_.faults.push_back({at, path(name),
                                "duplicate key \"" + name + "\" (it stands in line " +
                                    std::to_string(first->at.line) + " too; remove one)"});
    slot_ = &unused_.emplace_back();
    return true;
  }

  bool parse_error(std::size_t end, const std::string&,
                   const nlohmann::json::exception& error) override {
    document_.faults.push_back({cursor_.refused(end), "", syntax_fault(error.what())});
    return false;
  }

 private:
  Value& place(Kind kind) {
    Value* value = &document_.root;
    if (slot_ != nullptr) {
      value = std::exchange(slot_, nullptr);
    } else if (!open_.empty()) {
      value = &open_.back()->items.emplace_back();
    }
    value->kind = kind;
    value->at = cursor_.next();
    return *value;
  }

  bool scalar(Kind kind, std::string content) {
    place(kind).text = std::move(content);
    return true;
  }

  bool open(Kind kind) {
    Value& value = place(kind);
    if (open_.size() == kMaxDepth) {
      document_.faults.push_back(
          {value.at, "", "nested more than " + std::to_string(kMaxDepth) + " deep"});
      return false;
    }
    open_.push_back(&value);
    return true;
  }

  bool close() {
    cursor_.next();
    open_.pop_back();
    return true;
  }

  [[nodiscard]] std::string path(const std::string& name) const {
    std::string text;
    for (const Value* value : open_) {
      if (value->kind == Kind::list)
        text += '[' + std::to_string(value->items.size() - 1) + ']';
      else
        text +=
            (text.empty() ? "" : ".") + (value == open_.back() ? name : value->members.back().key);
    }
    return text;
  }

  Cursor cursor_;
  Document& document_;
  std::vector<Value*> open_;  // stays valid: only the innermost one's list grows
  Value* slot_ = nullptr;     // where the value of the key just read goes
  std::deque<Value> unused_;  // what stands under duplicate keys
};

nlohmann::ordered_json plain(const Value& value) {
  switch (value.kind) {
    case Kind::list: {
      auto list = nlohmann::ordered_json::array();
      for (const Value& item : value.items) list.push_back(plain(item));
      return list;
    }
    case Kind::object: {
      auto object = nlohmann::ordered_json::object();
      for (const Member& member : value.members) object[member.key] = plain(member.value);
      return object;
    }
    case Kind::string:
      return value.text;
    case Kind::null:
      return nullptr;
    default:
      return nlohmann::ordered_json::parse(value.text);
  }
}

}  // namespace

Document read_document(std::string_view text) {
  Document document;
  Builder builder(text, document);
  if (!nlohmann::json::sax_parse(text, &builder, nlohmann::json::input_format_t::json, true, true))
    document.root = {};
  return document;
}

std::string json(const Value& value) {
  return plain(value).dump(2, ' ', false, nlohmann::json::error_handler_t::replace);
}

std::string_view text(Kind kind) {
  switch (kind) {
    case Kind::null:
      return "null";
    case Kind::boolean:
      return "true or false";
    case Kind::number:
      return "a number";
    case Kind::string:
      return "a string";
    case Kind::list:
      return "a list";
    case Kind::object:
      return "an object";
  }
  return "nothing";
}

}  // namespace hopwise::config
