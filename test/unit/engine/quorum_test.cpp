// What several anchors say together: quorum, anchors to blame, all nexthops at once.
#include <algorithm>

#include "core/engine/engine.hpp"
#include "test/catch.hpp"
#include "test/unit/engine/simulation.hpp"

using namespace hopwise;
using namespace hopwise::engine;

namespace {

using Rtt = std::optional<double>;

struct Probed {
  std::uint32_t anchor;
  double gap_s = 0.2;
  double timeout_s = 0.1;
};

/// Two or more nexthops in one group, each probed on the same anchors, each at its own pace.
class Anchors {
 public:
  Anchors(std::uint32_t nexthops, std::vector<Probed> anchors, const Options& options = {})
      : engine(options), nexthops_(nexthops), anchors_(std::move(anchors)) {
    Group group{GroupId{1}, {}};
    for (std::uint32_t n = 1; n <= nexthops; ++n)
      group.paths.push_back({PathId{n}, NexthopId{n}, 1});
    engine.set_group(group, at(0));
  }

  std::function<Rtt(std::uint32_t nexthop, std::uint32_t anchor)> answer =
      [](std::uint32_t, std::uint32_t) { return 20.0; };

  void run(double s) {
    for (const long end = tick_ + std::lround(s / kTick); tick_ < end; ++tick_) {
      std::stable_sort(out_.begin(), out_.end(),
                       [](const Sample& a, const Sample& b) { return a.known < b.known; });
      while (!out_.empty() && out_.front().known <= at(now())) {
        engine.observe(out_.front());
        out_.erase(out_.begin());
      }
      for (std::uint32_t n = 1; n <= nexthops_; ++n)
        for (const Probed& p : anchors_)
          if ((tick_ + n + p.anchor) % std::lround(p.gap_s / kTick) == 0) send(n, p);
      if (tick_ % 10 == 0)
        for (Decision& d : engine.decide(at(now()))) decisions.push_back(std::move(d));
    }
  }
  /// The configuration has these from now on, and no others.
  void probe(std::vector<Probed> anchors) {
    anchors_ = std::move(anchors);
    std::vector<Anchor> all;
    for (const Probed& p : anchors_) all.push_back(anchor_address(p.anchor));
    for (std::uint32_t n = 1; n <= nexthops_; ++n) engine.set_anchors(NexthopId{n}, all);
  }
  [[nodiscard]] PathState state(std::uint32_t n) const {
    return engine.nexthop(NexthopId{n})->state;
  }
  [[nodiscard]] double now() const { return static_cast<double>(tick_) * kTick; }
  [[nodiscard]] bool told(const std::string& words) const {
    return std::any_of(decisions.begin(), decisions.end(), [&](const Decision& d) {
      return d.evidence.find(words) != std::string::npos;
    });
  }

  Engine engine;
  std::vector<Decision> decisions;

 private:
  static constexpr double kTick = 0.01;

  void send(std::uint32_t n, const Probed& p) {
    const auto rtt = answer(n, p.anchor);
    out_.push_back({NexthopId{n}, anchor_address(p.anchor), rtt ? Outcome::reply : Outcome::lost,
                    at(now()), at(now() + (rtt ? *rtt / 1000 : p.timeout_s)), ms(rtt.value_or(0)),
                    TimestampSource::kernel});
  }

  std::uint32_t nexthops_;
  std::vector<Probed> anchors_;
  std::vector<Sample> out_;
  long tick_ = 0;
};

const std::vector<Probed> kThree{{1}, {2}, {3}};

}  // namespace

TEST_CASE("one bad anchor of three kills no gateway, two do", "[engine]") {
  for (const bool slow : {false, true}) {
    const Rtt bad = slow ? Rtt(150) : std::nullopt;
    Anchors b(2, kThree);
    b.run(60);
    b.answer = [&](auto n, auto a) { return n == 1 && a == 1 ? bad : 20; };
    b.run(60);
    CHECK(b.state(1) == PathState::up);
    CHECK(b.decisions.size() == 1);
    const Rtt worse = slow ? Rtt(400) : std::nullopt;
    b.answer = [&](auto n, auto a) { return n == 1 && a <= 2 ? worse : 20; };
    b.run(3);
    CHECK(b.state(1) == (slow ? PathState::degraded : PathState::down));
    b.run(30);
    CHECK(b.state(1) == (slow ? PathState::degraded : PathState::down));  // no flapping
    b.answer = [&](auto n, auto a) { return n == 1 && a == 1 ? bad : 20; };
    b.run(30);
    CHECK(b.state(1) == PathState::up);
  }
}

TEST_CASE("of two anchors both must agree, and a quorum of 1 asks all of three", "[engine]") {
  Anchors two(2, {{1}, {2}});
  two.run(60);
  two.answer = [](auto n, auto a) { return n == 1 && a == 1 ? Rtt() : 20; };
  two.run(60);
  CHECK(two.state(1) == PathState::up);
  two.answer = [](auto n, auto) { return n == 1 ? Rtt() : 20; };
  two.run(2);
  CHECK(two.state(1) == PathState::down);

  Options strict;
  strict.quorum = 1;
  Anchors three(2, kThree, strict);
  three.run(60);
  three.answer = [](auto n, auto a) { return n == 1 && a <= 2 ? Rtt() : 20; };
  three.run(60);
  CHECK(three.state(1) == PathState::up);
}

TEST_CASE("an anchor that the configuration drops has no voice any more", "[engine]") {
  Anchors b(2, kThree);
  b.run(60);
  b.probe({{1}});  // answers of the others are still on their way
  b.answer = [](auto n, auto) { return n == 1 ? Rtt() : 20; };
  b.run(1);
  CHECK(b.state(1) == PathState::down);
  CHECK(b.told("anchors=1"));
  // One that comes back begins anew.
  b.probe(kThree);
  b.answer = [](auto, auto) { return 20; };
  b.run(60);
  CHECK(b.state(1) == PathState::up);
}

TEST_CASE("a nexthop in fault by an anchor that is dropped is judged by those that stay",
          "[engine]") {
  Anchors b(2, {{1}});
  b.run(60);
  b.answer = [](auto n, auto a) { return n == 1 && a == 1 ? Rtt() : 20; };
  b.run(2);
  REQUIRE(b.state(1) == PathState::down);
  b.probe({{2}});
  b.run(30);
  CHECK(b.state(1) == PathState::up);
}

TEST_CASE("an anchor that fails through every nexthop is to blame, until it is well", "[engine]") {
  Anchors b(3, kThree);
  b.run(60);
  b.answer = [](auto, auto a) { return a == 1 ? Rtt() : 20; };
  b.run(5);
  CHECK(b.engine.blamed() == std::vector<Anchor>{anchor_address(1)});
  CHECK(b.engine.nexthop(NexthopId{1})->blamed == std::vector<Anchor>{anchor_address(1)});
  // Now two are left, and one of them alone is no quorum.
  b.answer = [](auto n, auto a) { return a == 1 || (n == 1 && a == 2) ? Rtt() : 20; };
  b.run(10);
  CHECK(b.state(1) == PathState::up);
  CHECK(b.decisions.size() == 1);
  b.answer = [](auto n, auto a) { return n == 1 && a == 2 ? Rtt() : 20; };
  b.run(60);
  CHECK(b.engine.blamed().empty());
}

TEST_CASE("an anchor that fails through one nexthop of two is not to blame", "[engine]") {
  Anchors b(2, kThree);
  b.run(60);
  b.answer = [](auto n, auto a) { return n == 1 && a == 1 ? Rtt() : 20; };
  b.run(10);
  CHECK(b.engine.blamed().empty());
}

TEST_CASE("with a lossy anchor to blame, the pool of the others is clean", "[engine]") {
  Anchors b(2, kThree);
  b.run(60);
  std::mt19937 random(1);
  b.answer = [&](auto, auto a) { return a == 1 && random() % 2 == 0 ? Rtt() : 20; };
  b.run(120);
  CHECK(b.engine.blamed() == std::vector<Anchor>{anchor_address(1)});
  CHECK(b.decisions.size() == 1);
}

TEST_CASE("loss is pooled: three anchors show it sooner than one", "[engine]") {
  const auto until_degraded = [](std::vector<Probed> anchors, std::uint32_t seed) {
    Anchors b(2, std::move(anchors));
    b.run(60);
    std::mt19937 random(seed);
    b.answer = [&](auto n, auto) { return n == 1 && random() % 10 == 0 ? Rtt() : 20; };
    while (b.state(1) != PathState::degraded && b.now() < 200) b.run(0.1);
    CHECK(b.engine.blamed().empty());
    return b.now() - 60;
  };
  double one = 0;
  double three = 0;
  for (std::uint32_t seed = 1; seed <= 30; ++seed) {
    one += until_degraded({{1}}, seed) / 30;
    three += until_degraded(kThree, seed) / 30;
  }
  INFO("one " << one << " three " << three);
  CHECK(three < 0.75 * one);
}

TEST_CASE("an anchor asked each five seconds delays no verdict of those asked often", "[engine]") {
  Anchors fast(2, {{1}, {2}, {3}});
  Anchors mixed(2, {{1}, {2}, {3}, {4, 5, 3}, {5, 5, 3}});
  std::vector<double> times;
  for (Anchors* b : {&fast, &mixed}) {
    b->run(120.3);
    b->answer = [](auto n, auto) { return n == 1 ? Rtt() : 20; };
    while (b->state(1) != PathState::down && b->now() < 160) b->run(0.1);
    times.push_back(b->now() - 120.3);
    b->run(30);
    CHECK(b->state(1) == PathState::down);  // what it said before says nothing
    b->answer = [](auto, auto) { return 20; };
    b->run(60);
    CHECK(b->state(1) == PathState::up);
  }
  CHECK(times[1] <= times[0] + 0.11);
  CHECK(times[0] < 1);
}

TEST_CASE("an anchor asked seldom contradicts as soon as it was heard", "[engine]") {
  Anchors b(2, {{1}, {2, 5, 3}});
  b.run(120);
  b.answer = [](auto n, auto a) { return n == 1 && a == 1 ? Rtt() : 20; };
  b.run(60);
  CHECK(b.state(1) == PathState::up);
}

TEST_CASE("silence of all nexthops at once moves nothing, and says so", "[engine]") {
  Anchors b(3, kThree);
  b.run(60);
  b.answer = [](auto, auto) { return Rtt(); };
  b.run(20);
  CHECK(b.told("all_nexthops_at_once"));
  for (const Decision& d : b.decisions)
    for (const PathShare& p : d.paths) CHECK(p.after == Approx(1.0 / 3));
  // The kernel's word still acts at once.
  b.engine.observe(NexthopEvent{NexthopId{1}, at(b.now()), false, true});
  b.run(0.1);
  CHECK(b.engine.group(GroupId{1})[0].weight == 0);
}

TEST_CASE("one nexthop's silence is not called everybody's", "[engine]") {
  Anchors b(3, kThree);
  b.run(60);
  b.answer = [](auto n, auto) { return n == 1 ? Rtt() : 20; };
  b.run(20);
  CHECK(b.state(1) == PathState::down);
  CHECK_FALSE(b.told("all_nexthops_at_once"));
}

TEST_CASE("paths that lose alike, but show it seconds apart, are told to be worse together",
          "[engine]") {
  int moves = 0;
  for (std::uint32_t seed = 1; seed <= 20; ++seed) {
    Anchors b(2, kThree);
    b.run(60);
    std::mt19937 random(seed);
    b.answer = [&](auto, auto) { return random() % 100 < 15 ? Rtt() : 20; };
    b.run(8);
    for (const Decision& d : b.decisions) moves += d.paths[0].after != Approx(0.5);
  }
  CHECK(moves <= 4);  // nine without the wait
}
