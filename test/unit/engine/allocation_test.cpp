// While nothing has to move, the engine asks the heap for nothing: neither decide() nor observe(),
// however many groups there are. What a decision itself allocates is its own affair.
#include "test/catch.hpp"
#include "test/unit/allocations.hpp"
#include "test/unit/engine/simulation.hpp"

using namespace hopwise;
using namespace hopwise::engine;
using namespace std::chrono_literals;

namespace {

constexpr std::uint32_t kPaths = 16, kNexthops = 64, kAnchors = 3;

GroupTerms demanding() {
  GroupTerms terms;
  terms.objectives.max_latency = 150ms;
  terms.objectives.max_loss = 0.02;
  terms.objectives.min_bandwidth_bit_s = 1e6;
  terms.preferences = {{NexthopId{1}, 1ms}};
  return terms;
}

class House {
 public:
  explicit House(std::uint32_t groups) : groups_(groups) {
    for (std::uint32_t n = 1; n <= kNexthops; ++n) {
      engine_.observe(NexthopEvent{NexthopId{n}, now_, true, true});
      NexthopTerms terms;
      terms.capacity = Capacity{1e10};
      terms.commit_bit_s = 9e9;
      engine_.set_terms(NexthopId{n}, terms);
    }
    for (std::uint32_t g = 0; g < groups; ++g) {
      Group group{GroupId{g + 1}, {}};
      for (std::uint32_t n = 0; n < kPaths; ++n)
        group.paths.push_back(
            {PathId{g * kPaths + n + 1}, NexthopId{(g * 7 + n) % kNexthops + 1}, 1});
      engine_.set_group(group, now_);
      if (g % 2 == 0) engine_.set_terms(group.id, demanding());
    }
  }
  /// What these many seconds allocated.
  struct Counted {
    std::uint64_t observing = 0, deciding = 0;
    std::size_t decisions = 0;
  };
  Counted run(int s) {
    Counted counted;
    for (int tick = 1; tick <= 10 * s; ++tick) {
      now_ += 100ms;
      const std::uint64_t before = allocations();
      if (tick % 2 == 0) probe();
      if (tick % 10 == 0) read();
      const std::uint64_t observed = allocations();
      const auto decisions = engine_.decide(now_);
      counted.deciding += allocations() - observed;
      counted.observing += observed - before;
      counted.decisions += decisions.size();
    }
    return counted;
  }

  Engine engine_{Options{}};

 private:
  // Within the dead band of each other, with noise, and one probe in 400 lost.
  void probe() {
    for (std::uint32_t n = 0; n < kNexthops * kAnchors; ++n) {
      seed_ = seed_ * 6364136223846793005U + 1442695040888963407U;
      const Duration rtt = 20ms + Duration(seed_ >> 45);
      const bool lost = (seed_ >> 33) % 400 == 0;
      engine_.observe(Sample{NexthopId{n / kAnchors + 1}, anchor_address(n % kAnchors + 1),
                             lost ? Outcome::lost : Outcome::reply, now_ - rtt, now_,
                             lost ? Duration::zero() : rtt, TimestampSource::kernel});
    }
  }
  void read() {
    PassiveRtt rtt;
    rtt.samples = 20;
    rtt.mean = rtt.p10 = rtt.p50 = rtt.p90 = rtt.p99 = 20ms;
    rtt.by_method[0] = 20;
    for (std::uint32_t p = 1; p <= groups_ * kPaths; ++p)
      engine_.observe(PathReading{PathId{p}, now_, 1s, {100, 100'000}, rtt});
    for (std::uint32_t g = 1; g <= groups_; ++g)
      engine_.observe(ControlReading{GroupId{g}, now_, 1s, {2, 2'000}, rtt});
    for (std::uint32_t n = 1; n <= kNexthops; ++n)
      engine_.observe(LoadReading{NexthopId{n}, now_, 1s, 8e8});
  }

  std::uint32_t groups_;
  TimePoint now_{std::chrono::hours(1)};
  std::uint64_t seed_ = 1;
};

}  // namespace

TEST_CASE("in the steady state decisions and observations allocate nothing", "[engine]") {
  House house(50);
  house.run(150);
  const auto counted = house.run(60);
  CHECK(counted.decisions == 0);
  CHECK(counted.deciding == 0);
  CHECK(counted.observing == 0);
  // What status and probing ask for all the time.
  const std::uint64_t before = allocations();
  int suspicious = 0;
  for (std::uint32_t n = 1; n <= kNexthops; ++n)
    suspicious += house.engine_.suspicious(NexthopId{n});
  CHECK(allocations() == before);
  CHECK(suspicious <= static_cast<int>(kNexthops));
}
