// What a decision costs: 1,000 groups of 16 paths over 64 nexthops, with samples of each nexthop's
// three anchors and, once a second, a reading of every path, as a daemon tells them. The clock is
// around decide() alone; what observe() takes is told by itself. Allocations are counted by
// replacing operator new in this program.
#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdlib>
#include <new>
#include <vector>

#include "core/engine/engine.hpp"
#include "test/bench/parts.hpp"

namespace {

std::atomic<std::uint64_t> allocations{0};

}  // namespace

// NOLINTBEGIN(misc-new-delete-overloads): malloc is what the default calls too.
void* operator new(std::size_t size) {
  ++allocations;
  if (void* memory = std::malloc(size == 0 ? 1 : size)) return memory;
  throw std::bad_alloc();
}
void* operator new(std::size_t size, std::align_val_t align) {  // memory resources ask this one
  ++allocations;
  const auto unit = static_cast<std::size_t>(align);
  if (void* memory = std::aligned_alloc(unit, (size / unit + 1) * unit)) return memory;
  throw std::bad_alloc();
}
void operator delete(void* memory, std::align_val_t /*align*/) noexcept {
  std::free(memory);
}
void operator delete(void* memory, std::size_t /*size*/, std::align_val_t /*align*/) noexcept {
  std::free(memory);
}
void operator delete(void* memory) noexcept {
  std::free(memory);
}
void operator delete(void* memory, std::size_t /*size*/) noexcept {
  std::free(memory);
}
// NOLINTEND(misc-new-delete-overloads)

namespace hopwise::bench {
namespace {

using std::chrono::milliseconds;

constexpr std::uint32_t kGroups = 1000, kPaths = 16, kNexthops = 64, kAnchors = 3;
constexpr double kLimitMs = 5;

double elapsed_ms(TimePoint since) {
  return hopwise::milliseconds(std::chrono::steady_clock::now() - since);
}

class House {
 public:
  House() : engine_(engine::Options{}) {
    for (std::uint32_t n = 1; n <= kNexthops; ++n)
      engine_.observe(NexthopEvent{NexthopId{n}, now_, true, true});
    for (std::uint32_t g = 0; g < kGroups; ++g) {
      Group group{GroupId{g + 1}, {}};
      for (std::uint32_t n = 0; n < kPaths; ++n)
        group.paths.push_back(
            {PathId{g * kPaths + n + 1}, NexthopId{(g * 7 + n) % kNexthops + 1}, 1});
      engine_.set_group(group, now_);
    }
  }

  /// One tick of simulated time; what observe() and decide() took.
  struct Took {
    double observe_ms = 0, decide_ms = 0;
    std::uint64_t allocated = 0;  // in decide()
    std::size_t decisions = 0;
  };
  Took tick() {
    now_ += milliseconds(100);
    Took took;
    const TimePoint before = std::chrono::steady_clock::now();
    if (++ticks_ % 2 == 0) probe();
    if (ticks_ % 10 == 0) read();
    took.observe_ms = elapsed_ms(before);
    const std::uint64_t allocated = allocations;
    const TimePoint began = std::chrono::steady_clock::now();
    took.decisions = engine_.decide(now_).size();
    took.decide_ms = elapsed_ms(began);
    took.allocated = allocations - allocated;
    return took;
  }

 private:
  // Nexthops are within the dead band of each other, with a little noise: nothing should move.
  void probe() {
    for (std::uint32_t n = 0; n < kNexthops * kAnchors; ++n) {
      seed_ = seed_ * 6364136223846793005U + 1442695040888963407U;
      const Duration rtt = milliseconds(20) + Duration(seed_ >> 45);
      const Anchor anchor({}, ProbeKind::tcp, static_cast<std::uint16_t>(n % kAnchors + 1));
      engine_.observe(
          Sample{NexthopId{n / kAnchors + 1}, anchor, Outcome::reply, now_ - rtt, now_, rtt});
    }
  }
  void read() {
    PassiveRtt rtt;
    rtt.samples = 20;
    rtt.mean = rtt.p10 = rtt.p50 = rtt.p90 = rtt.p99 = milliseconds(20);
    rtt.by_method[0] = 20;
    for (std::uint32_t p = 1; p <= kGroups * kPaths; ++p)
      engine_.observe(PathReading{PathId{p}, now_, std::chrono::seconds(1), {100, 100'000}, rtt});
    for (std::uint32_t n = 1; n <= kNexthops; ++n)
      engine_.observe(LoadReading{NexthopId{n}, now_, std::chrono::seconds(1), 8e8});
  }

  engine::Engine engine_;
  TimePoint now_{std::chrono::hours(1)};
  std::uint64_t seed_ = 1;
  int ticks_ = 0;
};

double percentile(std::vector<double> sorted, double p) {
  return sorted[static_cast<std::size_t>(p * static_cast<double>(sorted.size() - 1))];
}

}  // namespace

void measure_tick(Report& report, Effort effort) {
  report.explain("tick",
                 "decide() of 1,000 groups x 16 paths over 64 nexthops, wall time of one core; "
                 "samples every 0.2 s, a reading of each path every second, simulated time.");
  House house;
  const int warm = effort == Effort::quick ? 100 : 1300,
            measured = effort == Effort::quick ? 200 : 3000;
  progress("warming the engine up");
  for (int i = 0; i < warm; ++i) house.tick();
  progress("measuring its ticks");
  std::vector<double> all, epochs, observes;
  std::uint64_t allocated = 0;
  std::size_t decisions = 0;
  for (int i = 0; i < measured; ++i) {
    const auto took = house.tick();
    all.push_back(took.decide_ms);
    allocated += took.allocated;
    decisions += took.decisions;
    if (i % 10 == 9) observes.push_back(took.observe_ms);
  }
  std::ranges::sort(all);
  std::ranges::sort(observes);
  const auto row = [&](const char* name, const std::vector<double>& sorted) {
    for (const auto& [column, p] :
         {std::pair{"p50 ms", 0.5}, {"p90 ms", 0.9}, {"p99 ms", 0.99}, {"max ms", 1.0}}) {
      const double v = percentile(sorted, p);
      report.add({"tick", name, column, {v, v, v}});
    }
  };
  row("decide()", all);
  row("observe() of a second's 16,000 readings", observes);
  report.judge({"p99 of a tick of 1,000 groups x 16 paths", Bound::at_most, kLimitMs,
                percentile(all, 0.99), "ms"});
  report.judge({"allocations a tick in the steady state", Bound::at_most, 0,
                static_cast<double>(allocated) / measured, ""});
  report.judge({"decisions while nothing should move", Bound::at_most, 0,
                static_cast<double>(decisions), ""});
}

}  // namespace hopwise::bench
