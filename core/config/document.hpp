// JSON text as a tree of values that know where they stand.
//
// nlohmann's parser decides what is JSON (with // and /* */ comments) and tells it by SAX events;
// positions come from walking the same text beside it, token by token. Duplicate keys are faults.
#pragma once

#include <compare>
#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace hopwise::config {

/// Both count from 1; a column is a byte.
struct Position {
  std::size_t line = 1;
  std::size_t column = 1;

  auto operator<=>(const Position&) const = default;
};

/// One thing wrong: "what (remedy)" with a value or key, "probe.interval" or "nexthops[1].name".
struct Fault {
  Position at;
  std::string path;  // empty: the document as a whole
  std::string what;
};

enum class Kind : unsigned char { null, boolean, number, string, list, object };

struct Member;

struct Value {
  Kind kind = Kind::null;
  Position at;
  std::string text;  // a string's content; a number's or boolean's literal
  std::vector<Value> items;
  std::vector<Member> members;  // in the file's order, keys unique
};

struct Member {
  std::string key;
  Position at;
  Value value;
};

struct Document {
  Value root;  // null when the text is not JSON
  std::vector<Fault> faults;
};

/// Never throws. At most one fault is of syntax: reading ends there.
Document read_document(std::string_view text);

/// The value as JSON text again, without comments.
std::string json(const Value& value);

/// "a number", "a list": for sentences.
std::string_view text(Kind kind);

}  // namespace hopwise::config
