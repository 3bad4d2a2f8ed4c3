#include "core/engine/carrier.hpp"

#include <cmath>

#include "test/catch.hpp"

using namespace hopwise;
using namespace hopwise::engine;
using namespace std::chrono_literals;

namespace {

constexpr double kMbit = 1e6;
constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();
const TimePoint kStart{1000h};

/// A line with a buffer of 100 ms; what does not fit is lost. The law, in short: our load is up to
/// `fill` of what the carrier says, or all of the demand where it says nothing.
struct Line {
  Carrier carrier;
  double capacity = 100 * kMbit;
  double queue_bits = 0;
  TimePoint at = kStart;
  double offered = 0;

  double queue_ms() const { return 1000 * queue_bits / capacity; }
  void second(double own, double others = 0) {
    at += 1s;
    offered = own + others;
    const double served = std::min(queue_bits + offered, capacity);
    const double buffer = 0.1 * capacity;
    const double left = queue_bits + offered - served;
    const double lost = std::max(0.0, left - buffer) / std::max(offered, 1.0);
    queue_bits = std::min(left, buffer);
    carrier.observe({NexthopId{1}, at, 1s, served});
    carrier.carried(own, at);
    carrier.learn(queue_ms(), lost, at);
  }
  /// Flows follow the word of the law within some ten seconds.
  void follow(double demand, double fill, Duration for_) {
    double own = offered;
    for (const TimePoint until = at + for_; at < until;) {
      const double may = fill * carrier.capacity_bit_s(at).value_or(demand / fill);
      own += (std::min(demand, may) - own) / 10;
      second(own);
    }
  }
  double known() const { return carrier.capacity_bit_s(at).value_or(-1); }
  std::string from() const { return carrier.view(at).capacity_from; }
};

NexthopTerms told(double bit_s, BandwidthMethod method = BandwidthMethod::configured) {
  NexthopTerms terms;
  terms.capacity = Capacity{bit_s, method != BandwidthMethod::train, method};
  return terms;
}

}  // namespace

TEST_CASE("an exact word is the bound while nothing contradicts it", "[engine][carrier]") {
  Line line;
  line.carrier.set_terms(told(100 * kMbit));
  for (int i = 0; i < 3600; ++i) line.second(80 * kMbit);
  CHECK(line.known() == 100 * kMbit);
  CHECK(line.from() == "configured");
  CHECK(*line.carrier.view(line.at).utilisation == Approx(0.8));
}

TEST_CASE("nothing is known of a nexthop before a queue under own load teaches it",
          "[engine][carrier]") {
  Line line;
  for (int i = 0; i < 600; ++i) line.second(90 * kMbit);
  CHECK_FALSE(line.carrier.capacity_bit_s(line.at));
  for (int i = 0; i < 30; ++i) line.second(130 * kMbit);
  REQUIRE(line.carrier.capacity_bit_s(line.at));
  CHECK(line.known() <= 100 * kMbit);
  CHECK(line.known() >= 75 * kMbit);
  CHECK(line.from() == "learnt");
}

TEST_CASE("a capacity told too high is cut, once for one queue, and settles below the truth",
          "[engine][carrier]") {
  Line line;
  const double word = GENERATE(130 * kMbit, 200 * kMbit, 1000 * kMbit);
  line.carrier.set_terms(told(word, BandwidthMethod::link));
  for (int i = 0; i < 300; ++i) line.second(80 * kMbit);
  CHECK(line.known() == word);
  line.follow(500 * kMbit, 0.9, 20min);
  double worst = 0;
  double low = 1e12;
  for (int minute = 0; minute < 60; ++minute) {
    line.follow(500 * kMbit, 0.9, 1min);
    worst = std::max(worst, line.queue_ms());
    low = std::min(low, line.known());
    CHECK(line.known() <= 120 * kMbit);
  }
  CHECK(low >= 75 * kMbit);
  CHECK(line.from() == "learnt");
}

TEST_CASE("a standing queue is cut for once in its drain time", "[engine][carrier]") {
  Line line;
  line.carrier.set_terms(told(100 * kMbit));
  for (int i = 0; i < 60; ++i) line.second(90 * kMbit);
  int cuts = 0;
  double last = line.known();
  for (int i = 0; i < 120; ++i) {  // elephants: nothing relieves it
    line.second(110 * kMbit);
    if (line.known() < last) {
      ++cuts;
      CHECK(line.known() >= 0.85 * last);
    }
    last = line.known();
  }
  CHECK(cuts >= 1);  // and then more is carried than it is thought to bear
  CHECK(cuts <= 120 / 10);
  CHECK(last >= 0.8 * 100 * kMbit);  // a greedy flow does not talk it down for ever
}

TEST_CASE("more than is known to fit in makes a queue that tells nothing new",
          "[engine][carrier]") {
  Carrier carrier;
  carrier.set_terms(told(100 * kMbit));
  TimePoint at = kStart;
  for (int i = 0; i < 900; ++i) {  // the bottleneck lies behind the interface
    at += 1s;
    const bool over = i >= 300;
    carrier.carried((over ? 130 : 80) * kMbit, at);
    carrier.learn(over ? 100 : 0, over ? 0.15 : 0, at);
  }
  CHECK(*carrier.capacity_bit_s(at) == 100 * kMbit);
}

TEST_CASE("a capacity told too low is kept to, however much is carried", "[engine][carrier]") {
  Line line;
  line.carrier.set_terms(told(70 * kMbit));
  for (int i = 0; i < 3600; ++i) line.second(95 * kMbit);
  CHECK(line.known() == 70 * kMbit);
  CHECK(*line.carrier.view(line.at).utilisation > 1.3);
}

TEST_CASE("what was learnt grows again while clean and loaded, up to the word",
          "[engine][carrier]") {
  Line line;
  line.carrier.set_terms(told(100 * kMbit));
  for (int i = 0; i < 60; ++i) line.second(90 * kMbit);
  line.capacity = 50 * kMbit;  // the line resyncs
  line.follow(100 * kMbit, 0.85, 10min);
  const double narrow = line.known();
  CHECK(narrow < 60 * kMbit);
  CHECK(narrow > 35 * kMbit);
  line.capacity = 100 * kMbit;
  line.follow(100 * kMbit, 0.85, 5min);
  const double five = line.known();
  CHECK(five < 1.06 * narrow);  // half a percent a minute, and what was clean meanwhile
  line.follow(100 * kMbit, 0.85, 3h);
  CHECK(line.known() == 100 * kMbit);
  CHECK(line.from() == "configured");
}

TEST_CASE("it does not grow while idle", "[engine][carrier]") {
  Line line;
  for (int i = 0; i < 60; ++i) line.second(90 * kMbit);
  for (int i = 0; i < 30; ++i) line.second(130 * kMbit);
  for (int i = 0; i < 30; ++i) line.second(10 * kMbit);
  const double learnt = line.known();
  for (int i = 0; i < 3600; ++i) line.second(10 * kMbit);
  CHECK(line.known() == learnt);
}

TEST_CASE("somebody else's congestion teaches nothing", "[engine][carrier]") {
  Line line;
  line.carrier.set_terms(told(100 * kMbit));
  SECTION("on our own interface") {
    for (int i = 0; i < 300; ++i) line.second(30 * kMbit, 80 * kMbit);
  }
  SECTION("further on, at a small part of what we carried") {
    for (int i = 0; i < 60; ++i) line.second(90 * kMbit);
    for (int i = 0; i < 20; ++i) line.second(20 * kMbit);
    for (int i = 0; i < 120; ++i) {
      line.second(20 * kMbit);
      line.carrier.learn(60, 0.02, line.at + 500ms);
    }
  }
  SECTION("for a short while, at a load that was borne cleanly") {
    for (int i = 0; i < 60; ++i) line.second(90 * kMbit);
    for (int i = 0; i < 20; ++i) line.second(60 * kMbit);
    for (int i = 0; i < 20; ++i) {
      line.at += 1s;
      line.carrier.observe({NexthopId{1}, line.at, 1s, 60 * kMbit});
      line.carrier.carried(60 * kMbit, line.at);
      line.carrier.learn(60, 0, line.at);
    }
  }
  SECTION("without a word of what is ours") {
    for (int i = 0; i < 300; ++i) {
      line.at += 1s;
      line.carrier.observe({NexthopId{1}, line.at, 1s, 90 * kMbit});
      line.carrier.learn(60, 0.02, line.at);
    }
  }
  CHECK(line.known() == 100 * kMbit);
}

TEST_CASE("a path that always loses is not full", "[engine][carrier]") {
  Line line;
  for (int i = 0; i < 600; ++i) {
    line.at += 1s;
    line.carrier.observe({NexthopId{1}, line.at, 1s, 60 * kMbit});
    line.carrier.carried(60 * kMbit, line.at);
    line.carrier.learn(0, 0.02, line.at);
  }
  CHECK_FALSE(line.carrier.capacity_bit_s(line.at));
}

TEST_CASE("losses at a high load teach it where there is no buffer", "[engine][carrier]") {
  Line line;
  line.carrier.set_terms(told(130 * kMbit));
  const auto second = [&](double own) {
    line.at += 1s;
    const double lost = std::max(0.0, own - 100 * kMbit) / own;
    line.carrier.observe({NexthopId{1}, line.at, 1s, own});
    line.carrier.carried(own, line.at);
    line.carrier.learn(0, lost, line.at);
  };
  for (int i = 0; i < 60; ++i) second(90 * kMbit);
  for (int i = 0; i < 60; ++i) second(120 * kMbit);
  CHECK(line.known() < 105 * kMbit);
  CHECK(line.known() > 75 * kMbit);
}

TEST_CASE("a bound from below raises what is learnt, and bounds nothing alone",
          "[engine][carrier]") {
  Line line;
  line.carrier.set_terms(told(95 * kMbit, BandwidthMethod::train));
  CHECK_FALSE(line.carrier.capacity_bit_s(line.at));
  NexthopMemory memory;
  memory.learnt_bit_s = 40 * kMbit;
  line.carrier.recall(memory, line.at);
  CHECK(line.known() == 95 * kMbit);
  CHECK(line.from() == "train");
  // The queue's word is newer than the bound.
  for (int i = 0; i < 60; ++i) line.second(60 * kMbit);
  line.capacity = 60 * kMbit;
  for (int i = 0; i < 60; ++i) line.second(80 * kMbit);
  CHECK(line.known() < 60 * kMbit);
  CHECK(line.from() == "learnt");
}

TEST_CASE("a capacity of nothing bears nothing", "[engine][carrier]") {
  Line line;
  line.carrier.set_terms(told(0));
  line.second(1 * kMbit);
  CHECK(line.known() == 0);
  CHECK(line.from() == "configured");
  CHECK_FALSE(line.carrier.view(line.at).utilisation);
}

TEST_CASE("a commit that is spent is the bound", "[engine][carrier]") {
  Line line;
  NexthopTerms terms = told(100 * kMbit);
  terms.commit_bit_s = 20 * kMbit;
  terms.price = 3;
  line.carrier.set_terms(terms);
  for (int i = 0; i < 431 * 5; ++i)
    line.carrier.observe({NexthopId{1}, line.at += 1min, 1min, 50 * kMbit});
  CHECK(line.known() == 20 * kMbit);
  CHECK(line.from() == "commit");
  const CarrierView view = line.carrier.view(line.at);
  CHECK(*view.commit_bit_s == 20 * kMbit);
  CHECK(*view.percentile_bit_s == Approx(50 * kMbit));
  CHECK(view.price == 3);
}

TEST_CASE("what is learnt outlives the process for a week", "[engine][carrier]") {
  Line line;
  for (int i = 0; i < 60; ++i) line.second(90 * kMbit);
  for (int i = 0; i < 30; ++i) line.second(130 * kMbit);
  NexthopMemory memory;
  line.carrier.remember(memory, line.at);
  Carrier next;
  next.recall(memory, TimePoint{10s});
  CHECK(*next.capacity_bit_s(TimePoint{10s}) == line.known());
  memory.learnt_age = 24h * 8;
  Carrier late;
  late.recall(memory, TimePoint{10s});
  CHECK_FALSE(late.capacity_bit_s(TimePoint{10s}));
  memory.learnt_age = {};
  for (const double bad : {kNaN, -1.0, 0.0, 1e30}) {
    memory.learnt_bit_s = bad;
    Carrier other;
    other.recall(memory, TimePoint{10s});
    CHECK_FALSE(other.capacity_bit_s(TimePoint{10s}));
  }
}

TEST_CASE("another exact word begins anew", "[engine][carrier]") {
  Line line;
  line.carrier.set_terms(told(130 * kMbit));
  for (int i = 0; i < 60; ++i) line.second(90 * kMbit);
  for (int i = 0; i < 30; ++i) line.second(130 * kMbit);
  REQUIRE(line.from() == "learnt");
  line.carrier.set_terms({});  // the link is away for a moment
  line.carrier.set_terms(told(130 * kMbit));
  CHECK(line.from() == "learnt");
  line.carrier.set_terms({});
  line.carrier.set_terms(told(300 * kMbit));
  CHECK(line.known() == 300 * kMbit);
}

TEST_CASE("impossible figures change nothing", "[engine][carrier]") {
  Line line;
  line.carrier.set_terms(told(100 * kMbit));
  line.second(50 * kMbit);
  Carrier& c = line.carrier;
  const TimePoint at = line.at;
  CHECK_FALSE(c.observe({NexthopId{1}, at + 1s, 1s, kNaN}));
  CHECK_FALSE(c.observe({NexthopId{1}, at + 1s, 1s, -5}));
  CHECK_FALSE(c.observe({NexthopId{1}, at + 1s, 1s, 1e30}));
  CHECK_FALSE(c.observe({NexthopId{1}, at + 1s, 0s, 5}));
  CHECK_FALSE(c.observe({NexthopId{1}, at + 1s, 2h, 5}));
  CHECK_FALSE(c.observe({NexthopId{1}, at, 1s, 5}));       // told twice
  CHECK_FALSE(c.observe({NexthopId{1}, at - 5s, 1s, 5}));  // late
  c.carried(kNaN, at + 1s);
  c.carried(-1, at + 1s);
  c.learn(kNaN, 0, at + 1s);
  c.learn(100, kNaN, at + 2s);
  c.learn(100, -1, at + 3s);
  CHECK(line.known() == 100 * kMbit);
  CHECK(*c.view(at).load_bit_s == Approx(50 * kMbit));
  for (const double bad : {kNaN, -1.0, 1e30}) {
    c.set_terms(told(bad));
    CHECK_FALSE(c.capacity_bit_s(at));
  }
  CHECK_FALSE(c.view(at + 11s).load_bit_s);  // readings have ceased
}

TEST_CASE("only a high load explains a queue", "[engine][carrier]") {
  Line line;
  line.carrier.set_terms(told(1000 * kMbit, BandwidthMethod::link));
  for (int i = 0; i < 60; ++i) line.second(80 * kMbit);
  CHECK_FALSE(line.carrier.may_queue(line.at));
  for (int i = 0; i < 30; ++i) line.second(120 * kMbit);  // more than the line has ever borne
  CHECK(line.carrier.may_queue(line.at));
  line.carrier.set_terms(told(50 * kMbit));
  for (int i = 0; i < 60; ++i) line.second(30 * kMbit);
  CHECK_FALSE(line.carrier.may_queue(line.at));
  for (int i = 0; i < 60; ++i) line.second(40 * kMbit);
  CHECK(line.carrier.may_queue(line.at));
  CHECK_FALSE(line.carrier.may_queue(line.at + 1min));  // nothing is known of the load
}

TEST_CASE("a way that becomes longer under a usual load is no queue", "[engine][carrier]") {
  for (const bool told_it : {true, false}) {
    Line line;
    if (told_it) line.carrier.set_terms(told(100 * kMbit));
    for (int i = 0; i < 600; ++i) line.second(60 * kMbit);
    const auto before = line.carrier.capacity_bit_s(line.at);
    // The load leaves with the flows, and the delay outlives it.
    for (double own = 59 * kMbit; own > 1 * kMbit; own *= 0.9) {
      line.at += 1s;
      line.carrier.observe({NexthopId{1}, line.at, 1s, own});
      line.carrier.carried(own, line.at);
      line.carrier.learn(30, 0, line.at);
    }
    for (int i = 0; i < 60; ++i) line.second(1 * kMbit);
    CHECK(line.carrier.capacity_bit_s(line.at) == before);
  }
}

TEST_CASE("a delay that came at once teaches nothing, however it goes", "[engine][carrier]") {
  for (const double own : {70 * kMbit, 95 * kMbit}) {
    Line line;
    line.carrier.set_terms(told(100 * kMbit));
    for (int i = 0; i < 600; ++i) line.second(own);
    // Flows follow an escape; it ends while a part of them is still there.
    for (int i = 0; i < 10; ++i) {
      const double left = own * std::exp(-i / 20.0);
      line.at += 1s;
      line.carrier.observe({NexthopId{1}, line.at, 1s, left});
      line.carrier.carried(left, line.at);
      line.carrier.learn(40, 0, line.at, i == 0 ? Onset::unsure : Onset::at_once);
    }
    for (int i = 0; i < 20; ++i) line.second(0.6 * own);
    CHECK(line.known() == 100 * kMbit);
  }
}

TEST_CASE("a queue without a reason that goes with the load teaches what it went at",
          "[engine][carrier]") {
  Line line;
  line.carrier.set_terms(told(100 * kMbit));
  for (int i = 0; i < 600; ++i) line.second(70 * kMbit);
  for (int i = 0; i < 40; ++i) {  // somebody unseen takes half; flows follow an escape
    const double own = 69 * kMbit * std::exp(-i / 10.0);
    line.at += 1s;
    line.carrier.observe({NexthopId{1}, line.at, 1s, own});
    line.carrier.carried(own, line.at);
    line.carrier.learn(own > 50 * kMbit ? 40 : 0, 0, line.at);
  }
  CHECK(line.known() < 70 * kMbit);
  CHECK(line.known() > 40 * kMbit);
  CHECK(line.from() == "learnt");
}

TEST_CASE("a queue that filled little by little shows all there is, and less when it comes again",
          "[engine][carrier]") {
  Line line;
  line.carrier.set_terms(told(100 * kMbit));
  for (int i = 0; i < 60; ++i) line.second(70 * kMbit);
  CHECK_FALSE(line.carrier.shared(line.at));
  line.carrier.fill(20, line.at);
  CHECK(line.known() == Approx(70 * kMbit).epsilon(0.01));
  CHECK(line.carrier.shared(line.at));
  line.carrier.fill(20, line.at + 1s);  // the same queue
  CHECK(line.known() == Approx(70 * kMbit).epsilon(0.01));
  for (int i = 0; i < 60; ++i) line.second(60 * kMbit);
  line.carrier.fill(20, line.at);
  CHECK(line.known() == Approx(0.95 * 60 * kMbit).epsilon(0.01));
  for (int i = 0; i < 60; ++i) line.second(80 * kMbit);
  const double known = line.known();
  line.carrier.fill(20, line.at);  // more is carried than was thought: no news of others
  CHECK(line.known() == known);
}

TEST_CASE("what a queue taught is forgotten when it was none", "[engine][carrier]") {
  Line line;
  line.carrier.set_terms(told(100 * kMbit));
  for (int i = 0; i < 60; ++i) line.second(70 * kMbit);
  line.carrier.refute();  // nothing was taught
  CHECK(line.known() == 100 * kMbit);
  line.carrier.fill(20, line.at);
  CHECK(line.known() < 75 * kMbit);
  line.carrier.refute();
  CHECK(line.known() == 100 * kMbit);
}

TEST_CASE("a queue over hardly any load shows nothing", "[engine][carrier]") {
  Line line;
  line.carrier.set_terms(told(100 * kMbit));
  line.carrier.fill(20, line.at);
  line.second(1e4);
  line.carrier.fill(20, line.at);
  CHECK(line.known() == 100 * kMbit);
}

TEST_CASE("a queue under a load that jumped shows what flows, not what flowed",
          "[engine][carrier]") {
  Line line;
  line.carrier.set_terms(told(100 * kMbit));
  for (int i = 0; i < 60; ++i) line.second(30 * kMbit);
  for (int i = 0; i < 2; ++i) line.second(98 * kMbit);
  line.carrier.fill(20, line.at);
  CHECK(line.known() > 90 * kMbit);
}
