#include "probes/http/connect_verdict.hpp"

#include "test/catch.hpp"

using namespace hopwise;
using namespace hopwise::probes;
using namespace std::chrono_literals;

namespace {

const TimePoint kStart{100s};

}  // namespace

TEST_CASE("the kernel's round trip is taken, not the loop's delay", "[probes][http]") {
  const auto verdict = judge({kStart, kStart + 700ms, 0, 4ms});
  REQUIRE(verdict);
  CHECK(verdict->outcome == Outcome::reply);
  CHECK(verdict->sent == kStart);
  CHECK(verdict->rtt == 4ms);
  CHECK(verdict->source == TimestampSource::kernel);
}

TEST_CASE("without the kernel's figure it is what the loop saw", "[probes][http]") {
  const auto verdict = judge({kStart, kStart + 7ms, 0, {}});
  REQUIRE(verdict);
  CHECK(verdict->rtt == 7ms);
  CHECK(verdict->source == TimestampSource::user);
  CHECK(judge({kStart, kStart, 0, {}})->rtt > 0ns);
}

TEST_CASE("a figure longer than the whole handshake is none", "[probes][http]") {
  const auto verdict = judge({kStart, kStart + 7ms, 0, 9ms});
  REQUIRE(verdict);
  CHECK(verdict->rtt == 7ms);
  CHECK(verdict->source == TimestampSource::user);
}

TEST_CASE("the answer to a SYN that was sent again has no RTO in it", "[probes][http]") {
  const auto verdict = judge({kStart, kStart + 1030ms, 1, 20ms});
  REQUIRE(verdict);
  CHECK(verdict->outcome == Outcome::reply);
  CHECK(verdict->rtt == 20ms);
  CHECK(verdict->sent == kStart + 1010ms);
}

TEST_CASE("an answer slower than the RTO was one to the first SYN", "[probes][http]") {
  const auto verdict = judge({kStart, kStart + 1210ms, 1, 1200ms});
  REQUIRE(verdict);
  CHECK(verdict->outcome == Outcome::late);
  CHECK(verdict->sent == kStart);
  CHECK(verdict->rtt == 1200ms);
}

TEST_CASE("with a SYN sent again and no figure nobody knows which was answered", "[probes][http]") {
  CHECK_FALSE(judge({kStart, kStart + 1030ms, 1, {}}));
}
