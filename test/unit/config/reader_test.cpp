#include "core/config/reader.hpp"

#include "test/catch.hpp"

using namespace hopwise;
using namespace hopwise::config;
using namespace std::chrono_literals;

namespace {

std::string faults(const std::string& text, const Object::Each& top) {
  const auto result = read(text, "f", top);
  return result ? "" : result.error().message;
}

std::string duration_fault(const std::string& value) {
  Duration out = 7ns;
  const std::string text = faults("{\"d\": " + value + "}", [&](Object& o) {
    o.duration("d", out, {1ms, 10s});
  });
  CHECK((text.empty() || out == 7ns));
  return text;
}

}  // namespace

TEST_CASE("durations carry units, and one without is told what to write") {
  Duration out{};
  for (const auto& [text, expected] : {std::pair<const char*, Duration>{"\"50us\"", 50us},
                                       {"\"200ms\"", 200ms},
                                       {"\"1.5s\"", 1500ms},
                                       {"\"10m\"", 10min},
                                       {"\"2h\"", 2h}}) {
    CHECK(faults("{\"d\":" + std::string(text) + "}", [&](Object& o) {
            o.duration("d", out, {0s, 24h});
          }) == "");
    CHECK(out == expected);
  }
  CHECK(duration_fault("200") == "f:1:7: d: \"200\" has no unit (write \"200ms\")");
  CHECK(duration_fault("\"200\"") == "f:1:7: d: \"200\" has no unit (write \"200ms\")");
  CHECK(duration_fault("\"5 s\"") ==
        "f:1:7: d: \" s\" is no unit of time (use ns, us, ms, s, m or h)");
  CHECK(duration_fault("\"20s\"") == "f:1:7: d: \"20s\" is out of range (from 1ms to 10s)");
  for (const char* bad :
       {"\"nans\"", "\"infs\"", "\"-5s\"", "\"\"", "\"s\"", "true", "[]", "\"1e9s\""})
    CHECK(duration_fault(bad).starts_with("f:1:7: d: "));
}

TEST_CASE("an unknown key is answered with the nearest known one") {
  const auto top = [](Object& o) {
    double number = 0;
    o.number("interval", number);
    o.number("timeout", number);
  };
  CHECK(faults("{\"intervall\": 1}", top) ==
        "f:1:2: unknown key \"intervall\" (did you mean \"interval\"?)");
  CHECK(faults("{\"tiemout\": 1}", top) ==
        "f:1:2: unknown key \"tiemout\" (did you mean \"timeout\"?)");
  CHECK(faults("{\"colour\": 1}", top) ==
        "f:1:2: unknown key \"colour\" (known here: interval, timeout)");
}

TEST_CASE("every fault is reported, in the file's order") {
  const std::string text = R"({
    "zeta": "no number",
    "list": ["192.0.2.1/32", "192.0.2.300/32", "192.0.2.1/32"],
    "alpha": -1, "alpha": 2,
    "objects": [{"name": ""}, 5, {}]
  })";
  CHECK(faults(text,
               [](Object& o) {
                 double number = 0;
                 std::vector<Prefix> list;
                 o.ratio("alpha", number);
                 o.number("zeta", number);
                 o.prefixes("list", list);
                 o.objects("objects", [](Object& item) {
                   std::string name;
                   item.require({"name"});
                   item.text("name", name);
                 });
                 CHECK(number == 0);
                 CHECK(list.empty());
               }) ==
        "f:2:13: zeta: \"no number\" is not a number (write it without quotes and units)\n"
        "f:3:30: list[1]: \"192.0.2.300/32\" is no prefix (write \"203.0.113.0/24\" or "
        "\"2001:db8::/32\", no bits set beyond the length)\n"
        "f:3:48: list[2]: \"192.0.2.1/32\" stands here twice (remove one)\n"
        "f:4:14: alpha: -1 is out of range (from 0 to 1)\n"
        "f:4:18: alpha: duplicate key \"alpha\" (it stands in line 4 too; remove one)\n"
        "f:5:26: objects[0].name: is empty (write a text, or leave the key out)\n"
        "f:5:31: objects[1]: a number is not an object (write {...})\n"
        "f:5:34: objects[2]: key \"name\" is missing (add it)");
}

TEST_CASE("whole numbers are whole, in range, and may be hexadecimal text") {
  std::uint32_t out = 0;
  const auto read_n = [&](Object& o) { o.integer("n", out, {1, 0xfffffff0}); };
  CHECK(faults("{\"n\": 4294967280}", read_n) == "");
  CHECK(out == 4294967280);
  CHECK(faults("{\"n\": \"0xff\"}", read_n) == "");
  CHECK(out == 255);
  for (const char* bad : {"0", "4294967281", "-1", "1.5", "\"12\"", "\"0x\"", "\"0xfffffffff\"",
                          "null", "99999999999999999999"})
    CHECK(faults("{\"n\": " + std::string(bad) + "}", read_n).starts_with("f:1:7: n: "));
  CHECK(out == 255);
}

TEST_CASE("a list of prefixes wants brackets, and no bits beyond the lengths") {
  std::vector<Prefix> out;
  const auto read_p = [&](Object& o) { o.prefixes("p", out); };
  CHECK(faults("{\"p\": [\"10.0.0.0/8\", \"2001:db8::/32\"]}", read_p) == "");
  CHECK(out.size() == 2);
  CHECK(faults("{\"p\": [\"10.0.0.1/8\"]}", read_p)
            .starts_with("f:1:8: p[0]: \"10.0.0.1/8\" is no prefix"));
  CHECK(faults("{\"p\": \"10.0.0.0/8\"}", read_p) ==
        "f:1:7: p: \"10.0.0.0/8\" is not a list (write [...], also around a single one)");
}

TEST_CASE("a fault stays one line, whatever the file holds") {
  const std::string text = faults("{\"a\\nb\": 1, \"a\\nb\": 1}", [](Object&) {});
  CHECK(std::count(text.begin(), text.end(), '\n') == 1);
}

TEST_CASE("what is not an object at the top is a fault") {
  CHECK(faults("[]", [](Object&) {}).starts_with("f:1:1: a list is not an object"));
  CHECK(faults("null", [](Object&) {}).starts_with("f:1:1: null is not an object"));
}

TEST_CASE("a list may hold texts and objects, and each fault stands at its element") {
  std::vector<std::string> seen;
  const auto read_things = [&](Object& o) {
    o.texts_or_objects(
        "things",
        [&](const std::string& text) -> Result<> {
          if (text.size() > 3) return Error{"too long"};
          seen.push_back(text);
          return {};
        },
        [&](Object& thing) {
          std::string name;
          if (thing.text("name", name)) seen.push_back(name);
        });
  };
  CHECK(faults(R"({"things": ["one", {"name": "two"}]})", read_things) == "");
  CHECK(seen == std::vector<std::string>{"one", "two"});
  CHECK(faults(R"({"things": ["three", 4, {"nam": "five"}]})", read_things) ==
        "f:1:13: things[0]: too long\n"
        "f:1:22: things[1]: a number is not a text or an object (write {...})\n"
        "f:1:26: things[2]: unknown key \"nam\" (did you mean \"name\"?)");
}
