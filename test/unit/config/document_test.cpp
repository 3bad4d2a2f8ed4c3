#include "core/config/document.hpp"

#include "test/catch.hpp"

using namespace hopwise::config;

namespace {

std::string fault_of(const std::string& text) {
  const Document document = read_document(text);
  if (document.faults.size() != 1) return std::to_string(document.faults.size()) + " faults";
  const Fault& fault = document.faults[0];
  return std::to_string(fault.at.line) + ':' + std::to_string(fault.at.column) + ' ' + fault.what;
}

}  // namespace

TEST_CASE("every value and key knows its line and column") {
  const Document document = read_document(
      "// head\n"
      "{ \"a\" : [1, -2.5,\n"
      "   \"x\\\"]\" /* } */, true],\n"
      "  \"b\":{\"c\":null}}\n");
  REQUIRE(document.faults.empty());
  const Value& root = document.root;
  CHECK(root.at == Position{2, 1});
  REQUIRE(root.members.size() == 2);
  CHECK(root.members[0].at == Position{2, 3});
  const Value& list = root.members[0].value;
  REQUIRE(list.items.size() == 4);
  CHECK(list.at == Position{2, 9});
  CHECK(list.items[0].at == Position{2, 10});
  CHECK(list.items[1].at == Position{2, 13});
  CHECK(list.items[1].text == "-2.5");
  CHECK(list.items[2].at == Position{3, 4});
  CHECK(list.items[2].text == "x\"]");
  CHECK(list.items[3].at == Position{3, 20});
  CHECK(root.members[1].at == Position{4, 3});
  CHECK(root.members[1].value.members[0].value.at == Position{4, 12});
}

TEST_CASE("a byte order mark does not shift columns") {
  CHECK(read_document("\xef\xbb\xbf{}").root.at == Position{1, 1});
}

TEST_CASE("a syntax fault stands where the offending token starts") {
  CHECK(fault_of("{\"a\":,}").starts_with("1:6 not JSON: "));
  CHECK(fault_of("{\"a\"\n  1}").starts_with("2:3 not JSON: "));
  CHECK(fault_of("{\"a\": 1,\n}").starts_with("2:1 not JSON: "));
  CHECK(fault_of("{\"a\": \"open\n}").starts_with("1:7 not JSON: "));
  CHECK(fault_of("{\"a\": tru }").starts_with("1:7 not JSON: "));
  CHECK(fault_of("{\"a\": 1} x").starts_with("1:10 not JSON: "));
  CHECK(fault_of("{\"a\": 1e999}").starts_with("1:7 not JSON: number overflow"));
  CHECK(fault_of("{ /* open").starts_with("1:3 not JSON: "));
  CHECK(fault_of("{\n\n").starts_with("3:1 not JSON: "));
  CHECK(fault_of("").starts_with("1:1 not JSON: "));
}

TEST_CASE("duplicate keys are faults at every depth, and reading goes on behind them") {
  const Document document = read_document(
      "{\"a\": 1,\n \"a\": {\"b\": 1, \"b\": {\"c\": 1, \"c\": 2}},\n \"z\": [{\"k\": 1, \"k\": "
      "2}]}");
  REQUIRE(document.faults.size() == 4);
  CHECK(document.faults[0].what == "duplicate key \"a\" (it stands in line 1 too; remove one)");
  CHECK(document.faults[0].at == Position{2, 2});
  CHECK(document.faults[3].path == "z[0].k");
  CHECK(document.root.members.size() == 2);
}

TEST_CASE("nesting without end is a fault, not a crash") {
  CHECK(fault_of(std::string(1'000'000, '[')) == "1:65 nested more than 64 deep");
}

TEST_CASE("a value can be written as JSON again") {
  const Document document =
      read_document("{\"b\": [1, 0.5, null, \"\\\"\\n\"], /* x */ \"a\": {}}");
  const std::string once = json(document.root);
  CHECK(once.find("\"b\"") < once.find("\"a\""));
  CHECK(json(read_document(once).root) == once);
  CHECK(once.find("\\\"\\n") != std::string::npos);
}
