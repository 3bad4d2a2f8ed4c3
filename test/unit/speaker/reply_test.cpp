#include "core/speaker/reply.hpp"

#include "test/catch.hpp"
#include "test/unit/speaker/answers.hpp"

using namespace hopwise::speaker;

namespace {

std::string vty(const std::string& text, char status) {
  return text + std::string(3, '\0') + status;
}

}  // namespace

TEST_CASE("an answer of the vty ends with three NULs and its status", "[speaker]") {
  ReplyReader reader(Protocol::vty);
  std::string bytes = vty("{}\n", 1) + vty("% [ZEBRA] Unknown command: bogus\n", 2) + vty("", 0);
  const auto none = reader.take(bytes);
  REQUIRE(none.has_value());
  CHECK(none->accepted);
  CHECK(none->text == "{}\n");
  const auto unknown = reader.take(bytes);
  REQUIRE(unknown.has_value());
  CHECK_FALSE(unknown->accepted);
  const auto enable = reader.take(bytes);
  REQUIRE(enable.has_value());
  CHECK(enable->accepted);
  CHECK(enable->text.empty());
  CHECK(bytes.empty());
}

TEST_CASE("an answer is the same however it is cut", "[speaker]") {
  const auto protocol = GENERATE(Protocol::vty, Protocol::bird);
  const std::string text =
      captured(protocol == Protocol::vty ? "route4_recursive.json" : "bird_route4_all.txt");
  const std::string whole = protocol == Protocol::vty ? vty(text, 0) : text;
  for (std::size_t step = 1; step < 70; ++step) {
    ReplyReader reader(protocol);
    std::string bytes;
    std::size_t answers = 0;
    for (std::size_t at = 0; at < whole.size(); at += step) {
      CHECK(answers == 0);
      bytes += whole.substr(at, step);
      if (const auto reply = reader.take(bytes)) {
        ++answers;
        CHECK(reply->text == text);
        CHECK(reply->accepted);
      }
    }
    CHECK(answers == 1);
    CHECK(bytes.empty());
  }
}

TEST_CASE("BIRD's errors are refusals, and a network that is not there is an answer", "[speaker]") {
  ReplyReader reader(Protocol::bird);
  std::string bytes = captured("bird_route4_none.txt") + captured("bird_syntax_error.txt") +
                      "8007 Access denied\n0001 BIRD 2.0.12 ready.\n";
  const bool accepted[] = {true, false, false, true};
  for (const bool good : accepted) {
    const auto reply = reader.take(bytes);
    REQUIRE(reply.has_value());
    CHECK(reply->accepted == good);
  }
  CHECK_FALSE(reader.take(bytes).has_value());
}

TEST_CASE("what never ends is no answer", "[speaker]") {
  ReplyReader vty_reader(Protocol::vty), bird_reader(Protocol::bird);
  std::string zeros(2, '\0'), lines = "1007-a\n b\n 0000 \n0000-\n12345\n0000";
  CHECK_FALSE(vty_reader.take(zeros).has_value());
  CHECK_FALSE(bird_reader.take(lines).has_value());
  lines += " \n";
  CHECK(bird_reader.take(lines).has_value());
}
