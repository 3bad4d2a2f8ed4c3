#include "test/lab/line.hpp"

#include <map>

#include "test/catch.hpp"

using namespace hopwise;
using namespace hopwise::lab;
using namespace std::chrono_literals;

namespace {
const TimePoint kNow{1h};
}

TEST_CASE("a perfect line delivers at once") {
  Line line(1);
  const auto [fate, due] = line.accept(1500, kNow);
  CHECK(fate == Fate::delivered);
  CHECK(due == kNow);
}

TEST_CASE("a rate spaces frames by their length, and delay comes on top") {
  Line line(1);
  line.impairment = {.delay = 10ms, .rate_bit_s = 12'000'000, .queue = 50ms};
  CHECK(line.accept(1500, kNow).due == kNow + 11ms);
  CHECK(line.accept(1500, kNow).due == kNow + 12ms);
  CHECK(line.accept(750, kNow).due == kNow + 12ms + 500us);
  CHECK(line.accept(1500, kNow + 1s).due == kNow + 1s + 11ms);
}

TEST_CASE("a frame that would wait longer than the queue is dropped, and takes no time") {
  Line line(1);
  line.impairment = {.rate_bit_s = 12'000'000, .queue = 5ms};
  std::map<Fate, int> count;
  for (int i = 0; i < 100; ++i) ++count[line.accept(1500, kNow).fate];
  CHECK(count[Fate::delivered] == 6);  // one on the line, five in 5 ms of queue
  CHECK(count[Fate::dropped] == 94);
  CHECK(line.accept(1500, kNow + 2ms).due == kNow + 7ms);
}

TEST_CASE("frames never overtake each other, whatever the jitter") {
  Line line(7);
  line.impairment = {.delay = 20ms, .jitter = 20ms};
  TimePoint last = kNow;
  for (int i = 0; i < 10'000; ++i) {
    const TimePoint arrival = kNow + i * 100us;
    const auto due = line.accept(100, arrival).due;
    REQUIRE(due >= last);
    REQUIRE(due >= arrival);
    last = due;
  }
}

TEST_CASE("a shorter delay does not let new frames overtake old ones") {
  Line line(1);
  line.impairment = {.delay = 60ms};
  const auto old = line.accept(100, kNow).due;
  line.impairment = {.delay = 10ms};
  CHECK(line.accept(100, kNow + 1ms).due == old);
  CHECK(line.accept(100, kNow + 1s).due == kNow + 1s + 10ms);
}

TEST_CASE("loss is by chance at its rate, and 1 loses everything") {
  Line line(3);
  line.impairment = {.loss = 0.1};
  int lost = 0;
  for (int i = 0; i < 100'000; ++i) lost += line.accept(100, kNow).fate == Fate::lost;
  CHECK(lost == Approx(10'000).margin(500));  // 5 sigma
  line.impairment = {.loss = 1};
  for (int i = 0; i < 1000; ++i) CHECK(line.accept(100, kNow).fate == Fate::lost);
}
