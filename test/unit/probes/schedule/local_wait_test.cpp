#include "probes/schedule/local_wait.hpp"

#include <set>

#include "test/catch.hpp"

using namespace hopwise;
using namespace hopwise::probes;
using namespace std::chrono_literals;

namespace {

int asked(const LocalWait& wait, std::uint32_t from, std::uint32_t count) {
  int all = 0;
  for (std::uint32_t s = from; s != from + count; s++) all += wait.asks(s) ? 1 : 0;
  return all;
}

}  // namespace

TEST_CASE("every probe asks for its wait until the driver is known to tell the way", "[wait]") {
  LocalWait wait;
  CHECK(asked(wait, 0, 64) == 64);
  wait.observe(false, 1us, 2us);  // a VLAN
  CHECK(asked(wait, 0, 64) == 64);
  wait.observe(true, 1us, 2us);
  CHECK(asked(wait, 0, 64) == 8);
}

TEST_CASE("of probes that wait for nothing one in eight asks, of every pinned flow", "[wait]") {
  LocalWait wait;
  wait.observe(true, 1us, 2us);
  const std::uint32_t flows = GENERATE(1U, 2U, 3U, 4U, 5U, 7U, 8U);
  CAPTURE(flows);
  std::set<std::uint32_t> asking;
  for (std::uint32_t s = 0; s < 1024; s++)
    if (wait.asks(s)) asking.insert(s % flows);
  CHECK(asking.size() == flows);
  CHECK(asked(wait, 1'000'000, 64) == 8);
}

TEST_CASE("a long wait is looked at with every probe until it is short again", "[wait]") {
  LocalWait wait;
  wait.observe(true, 80us, 90us);
  CHECK(asked(wait, 0, 64) == 64);
  wait.observe(true, 30us, 90us);
  CHECK(asked(wait, 0, 64) == 8);
}

TEST_CASE("a probe that leaves late without having asked makes the next ones ask", "[wait]") {
  LocalWait wait;
  wait.observe(true, 1us, 2us);
  wait.observe(true, {}, 500us);  // far behind in its batch
  CHECK(asked(wait, 0, 64) == 8);
  wait.observe(true, {}, 20ms);
  CHECK(asked(wait, 0, 64) == 64);
  wait.observe(true, {}, 2us);  // says nothing of the queue
  CHECK(asked(wait, 0, 64) == 64);
  wait.observe(true, 1us, 20ms);
  CHECK(asked(wait, 0, 64) == 8);
}
