// `hopwise record` against a daemon of a few answers.
#include "core/cli/record.hpp"

#include <algorithm>
#include <sstream>
#include <vector>

#include "test/catch.hpp"

using namespace hopwise;
using namespace hopwise::cli;

namespace {

struct Talk {
  std::vector<std::string> asked{};
  std::vector<api::Reply> replies{};  // in their order; the last one again and again
  bool interrupted = false;
  std::ostringstream out{}, err{};

  int run(const RecordLine& line) {
    std::size_t next = 0;
    return run_record(line, {.ask = [&](const std::string& method,
                                        const std::string& target) -> Result<api::Reply> {
                               asked.push_back(method + ' ' + target);
                               const std::size_t i = std::min(next++, replies.size() - 1);
                               return replies[i];
                             },
                             .pause = [](Duration) {},
                             .interrupted = [&] { return interrupted; },
                             .out = out,
                             .err = err});
  }
};

std::string status(bool on, const std::string& ended) {
  return std::string("{\"recording\":") + (on ? "true" : "false") +
         ",\"file\":\"/tmp/a b.rec\",\"seconds\":3,\"bytes\":4000,\"ended\":" +
         (ended.empty() ? "null" : '"' + ended + '"') + "}";
}

}  // namespace

TEST_CASE("a recording is followed until it has ended", "[cli][recording]") {
  Talk talk;
  talk.replies = {
      {202, status(true, "")}, {200, status(true, "")}, {200, status(false, "its time is over")}};
  CHECK(talk.run({"/tmp/a b.rec", "2h", "5MB"}) == 0);
  CHECK(talk.asked.at(0) == "POST /api/v1/record?file=/tmp/a%20b.rec&bytes=5000000&seconds=7200");
  CHECK(talk.out.str().find("its time is over") != std::string::npos);
}

TEST_CASE("Ctrl-C ends a recording, once", "[cli][recording]") {
  Talk talk;
  talk.interrupted = true;
  talk.replies = {{202, status(true, "")},
                  {200, status(false, "stopped")},
                  {200, status(true, "")},
                  {200, status(false, "stopped")}};
  CHECK(talk.run({"/tmp/a b.rec"}) == 0);
  CHECK(std::count(talk.asked.begin(), talk.asked.end(), "DELETE /api/v1/record") == 1);
}

TEST_CASE("a recording that was cut short is a failure", "[cli][recording]") {
  Talk talk;
  talk.replies = {{202, status(true, "")}, {200, status(false, "the disk is too slow for it")}};
  CHECK(talk.run({"/tmp/a b.rec"}) == 1);
  Talk refused;
  refused.replies = {{422, "{\"error\":\"record to /x: File exists\"}"}};
  CHECK(refused.run({"/x"}) == 1);
  CHECK(refused.err.str() == "hopwise: record to /x: File exists\n");
}

TEST_CASE("times and sizes of recordings have units", "[cli][recording]") {
  CHECK(*parse_record_duration("90s") == 90);
  CHECK(*parse_record_duration("2d") == 172'800);
  CHECK(*parse_record_size("1GB") == 1'000'000'000);
  for (const char* wrong : {"", "5", "h", "0s", "-1s", "1.5h", "99999d", "1w"}) {
    INFO(wrong);
    CHECK_FALSE(parse_record_duration(wrong).has_value());
  }
  for (const char* wrong : {"", "5", "GB", "0GB", "99kB", "18TB", "1gb"}) {
    INFO(wrong);
    CHECK_FALSE(parse_record_size(wrong).has_value());
  }
  Talk talk;
  CHECK(talk.run({"x", "soon"}) == 2);
  CHECK(talk.run({}) == 2);
  CHECK(talk.asked.empty());
}
