#include "test/lab/view.hpp"

#include "test/catch.hpp"

using namespace hopwise::lab;

namespace {

Scene scene() {
  return {.scenario = "brownout",
          .steered = true,
          .now = 14,
          .duration = 40,
          .paths = {{"isp-a", "degraded", 121.3, 0.02, 0.01, 0.4, "60 ms"},
                    {"a-very-long-name-of-an-upstream", "up", 30.2, 0, 0.99, 0.6, "15 ms 1 %"}},
          .events = {{12, "isp-a", "delay_ms=60"}, {25, "isp-a", "loss=1"}},
          .decisions = {{13,
                         1,
                         "path_degraded",
                         "isp-a",
                         std::string(300, 'x'),
                         {{0, 0.5, 0.01}, {1, 0.5, 0.99}}}},
          .upstreams = {"isp-a", "isp-b"},
          .latency = {},
          .flows_lost = 0};
}

/// As a terminal counts: no escapes, and a UTF-8 sequence is one.
std::size_t width(const std::string& line) {
  std::size_t count = 0;
  for (std::size_t i = 0; i < line.size(); ++i) {
    if (line[i] == '\033') {
      i = line.find('m', i);
    } else if ((line[i] & 0xc0) != 0x80) {
      ++count;
    }
  }
  return count;
}

}  // namespace

TEST_CASE("no line of the view is wider than the terminal") {
  for (const std::size_t columns : {80, 100, 200})
    for (const auto& line : draw(scene(), columns)) CHECK(width(line) <= columns);
}

TEST_CASE("the view shows paths, what is to come, and decisions with their reason") {
  std::string all;
  for (const auto& line : draw(scene(), 120)) all += line + "\n";
  for (const char* part : {"isp-a", "121.3 ms", "degraded", "loss=1", "path_degraded",
                           "isp-a 50->1 %, isp-b 50->99 %"}) {
    INFO(part);
    CHECK(all.find(part) != std::string::npos);
  }
}

TEST_CASE("the plain line holds the same figures") {
  const auto line = plain_line(scene());
  CHECK(line.find("t=14.0  isp-a 40% weight=1% rtt=121.3ms loss=2% degraded") == 0);
}
