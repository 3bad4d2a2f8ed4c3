#include "test/unit/engine/random_run.hpp"

namespace hopwise::engine {
namespace {

constexpr std::uint32_t kAnchors = 3;

class Dice {
 public:
  explicit Dice(std::uint32_t seed) : random_(seed) {}
  double between(double low, double high) {
    return low + (high - low) * static_cast<double>(random_()) * 0x1p-32;
  }
  std::uint32_t upto(std::uint32_t n) {  // 1..n
    return 1 + static_cast<std::uint32_t>(random_()) % n;
  }
  bool chance(double p) { return between(0, 1) < p; }

 private:
  std::mt19937 random_;
};

struct Way {
  double rtt_ms = 20, jitter_ms = 0.5, loss = 0;
  double added_ms = 0;
  bool up = true;
};

GroupTerms random_terms(Dice& dice, std::uint32_t nexthops) {
  GroupTerms terms;
  const auto names = policy_names();
  terms.policy = *policy_named(names[dice.upto(static_cast<std::uint32_t>(names.size())) - 1]);
  if (dice.chance(0.3)) terms.objectives.max_latency = ms(dice.between(10, 120));
  if (dice.chance(0.2)) terms.objectives.max_loss = dice.between(0.001, 0.1);
  if (dice.chance(0.2)) terms.objectives.min_bandwidth_bit_s = dice.between(1e6, 1e9);
  if (dice.chance(0.5)) terms.objectives.unmet = Unmet::routing;
  if (dice.chance(0.3))
    terms.preferences = {{NexthopId{dice.upto(nexthops)}, ms(dice.between(1, 20))}};
  if (dice.chance(0.1)) terms.mode = Mode::dry_run;
  terms.revert = dice.chance(0.8);
  return terms;
}

NexthopTerms random_nexthop(Dice& dice) {
  NexthopTerms terms;
  if (dice.chance(0.5)) terms.capacity = Capacity{dice.between(1e8, 2e9), dice.chance(0.7)};
  if (dice.chance(0.2)) terms.commit_bit_s = dice.between(1e7, 1e9);
  if (dice.chance(0.3)) terms.price = dice.between(0, 2);
  return terms;
}

Group random_group(Dice& dice, std::uint32_t g, std::uint32_t nexthops) {
  Group group{GroupId{g}, {}};
  for (std::uint32_t n = 1; n <= nexthops; ++n)
    if (dice.chance(0.8)) group.paths.push_back({PathId{g * 20 + n}, NexthopId{n}, dice.upto(4)});
  return group;
}

PassiveRtt passive(double rtt) {
  PassiveRtt p;
  p.samples = 20;
  p.mean = p.p50 = ms(rtt);
  p.p10 = ms(rtt * 0.95);
  p.p90 = p.p99 = ms(rtt * 1.2);
  p.by_method[0] = 20;
  return p;
}

void trouble(Dice& dice, Way& way, std::uint32_t n, TimePoint now, std::vector<Input>& tick) {
  switch (dice.upto(6)) {
    case 1:
      way.added_ms = dice.between(5, 80);
      break;
    case 2:
      way.loss = dice.between(0.01, 0.5);
      break;
    case 3:
      way.loss = 1;
      break;
    case 4:
      way.up = !way.up;
      tick.emplace_back(NexthopEvent{NexthopId{n}, now, way.up, true});
      break;
    case 5:
      tick.emplace_back(EscapeEvent{NexthopId{n}, now});
      break;
    default:
      way.added_ms = way.loss = 0;
  }
}

void probe(Dice& dice, const Way& way, std::uint32_t n, TimePoint now, std::vector<Input>& tick) {
  for (std::uint32_t a = 1; a <= kAnchors; ++a) {
    const double rtt = way.rtt_ms + way.added_ms + dice.between(0, 2 * way.jitter_ms);
    const bool lost = !way.up || dice.chance(way.loss);
    const Duration took = lost ? ms(way.rtt_ms + 100) : ms(rtt);
    tick.emplace_back(Sample{NexthopId{n}, anchor_address(a), lost ? Outcome::lost : Outcome::reply,
                             now - took, now, lost ? Duration::zero() : took,
                             TimestampSource::kernel});
  }
}

void read(Dice& dice, const std::vector<Way>& ways, const std::vector<Group>& groups, TimePoint now,
          std::vector<Input>& tick) {
  using std::chrono::seconds;
  for (const Group& group : groups) {
    for (const Path& path : group.paths) {
      const Way& way = ways[raw(path.nexthop) - 1];
      const auto bytes = static_cast<std::uint64_t>(dice.between(1e5, 2e7));
      PathReading reading{path.id, now, seconds(1), {bytes / 1000 + 1, bytes}, {}};
      if (dice.chance(0.7)) reading.rtt = passive(way.rtt_ms + way.added_ms);
      tick.emplace_back(reading);
    }
    tick.emplace_back(
        ControlReading{group.id, now, seconds(1), {200, 200'000}, passive(dice.between(15, 40))});
  }
  for (std::uint32_t n = 1; n <= ways.size(); ++n)
    if (dice.chance(0.9))
      tick.emplace_back(LoadReading{NexthopId{n}, now, seconds(1), dice.between(1e6, 1e9)});
}

enum class Kind { wild, calm };

RandomRun make(std::uint32_t seed, int seconds, Kind kind) {
  Dice dice(seed);
  RandomRun run;
  run.nexthops = 1 + dice.upto(5);
  run.groups = dice.upto(4);
  run.ticks.resize(static_cast<std::size_t>(seconds) * 10);
  std::vector<Way> ways(run.nexthops);
  std::vector<Group> groups;
  const bool wild = kind == Kind::wild;
  for (std::uint32_t n = 1; n <= run.nexthops; ++n) {
    ways[n - 1] = {dice.between(12, 100), dice.between(0.1, wild ? 4 : 0.5)};
    run.ticks[0].emplace_back(NexthopEvent{NexthopId{n}, at(0), true, true});
    if (wild) run.ticks[0].emplace_back(NexthopWants{NexthopId{n}, random_nexthop(dice)});
  }
  for (std::uint32_t g = 1; g <= run.groups; ++g) {
    groups.push_back(random_group(dice, g, run.nexthops));
    run.ticks[0].emplace_back(groups.back());
    if (wild) run.ticks[0].emplace_back(GroupWants{GroupId{g}, random_terms(dice, run.nexthops)});
  }
  for (std::size_t t = 0; t < run.ticks.size(); ++t) {
    auto& tick = run.ticks[t];
    const TimePoint now = at(static_cast<double>(t) / 10);
    for (std::uint32_t n = 1; n <= run.nexthops; ++n) {
      if (wild && dice.chance(0.004)) trouble(dice, ways[n - 1], n, now, tick);
      if (t % 2 == 1) probe(dice, ways[n - 1], n, now, tick);
    }
    if (!wild) continue;
    if (dice.chance(0.003)) {
      Group& group = groups[dice.upto(run.groups) - 1];
      group = random_group(dice, raw(group.id), run.nexthops);
      tick.emplace_back(group);
    }
    if (dice.chance(0.002))
      tick.emplace_back(
          GroupWants{GroupId{dice.upto(run.groups)}, random_terms(dice, run.nexthops)});
    if (t % 10 == 9) read(dice, ways, groups, now, tick);
  }
  return run;
}

}  // namespace

RandomRun random_run(std::uint32_t seed, int seconds) {
  return make(seed, seconds, Kind::wild);
}

RandomRun calm_run(std::uint32_t seed, int seconds) {
  return make(seed, seconds, Kind::calm);
}

void tell(Engine& engine, const Input& input, TimePoint now) {
  if (const auto* group = std::get_if<Group>(&input))
    engine.set_group(*group, now);
  else if (const auto* wants = std::get_if<GroupWants>(&input))
    engine.set_terms(wants->id, wants->terms);
  else if (const auto* terms = std::get_if<NexthopWants>(&input))
    engine.set_terms(terms->id, terms->terms);
  else
    std::visit(
        [&](const auto& told) {
          if constexpr (requires { engine.observe(told); }) engine.observe(told);
        },
        input);
}

std::vector<Decision> decisions_of(const RandomRun& run) {
  Engine engine(run.options);
  std::vector<Decision> all;
  for (std::size_t t = 0; t < run.ticks.size(); ++t) {
    const TimePoint now = at(static_cast<double>(t) / 10);
    for (const Input& input : run.ticks[t]) tell(engine, input, now);
    for (Decision& d : engine.decide(now)) all.push_back(std::move(d));
  }
  return all;
}

}  // namespace hopwise::engine
