#include "test/unit/simulation/night.hpp"

namespace hopwise::test {
namespace {

using namespace std::chrono_literals;

Duration ms(double number) {
  return Duration(static_cast<std::int64_t>(number * 1e6));
}

Anchor anchor(int i) {
  return i == 2 ? Anchor(*IpAddress::parse("2001:db8::3"), ProbeKind::tcp, 443)
                : Anchor(*IpAddress::parse("192.0.2." + std::to_string(i + 1)));
}

constexpr double kBases[] = {10, 15, 30};

}  // namespace

Night::Night(engine::Engine& engine) : engine_(engine) {}

void Night::begin() {
  const std::vector<Anchor> anchors{anchor(0), anchor(1), anchor(2)};
  for (const NexthopId id : {kFast, kSlow, kThird}) {
    engine_.set_anchors(id, anchors);
    engine_.observe(NexthopEvent{id, now_, true, true});
  }
  engine_.set_terms(kFast, {engine::Capacity{1e8, true}, 5e7, 0.1});
  engine_.set_group(
      {kGroup, {{PathId{1}, kFast, 1}, {PathId{2}, kSlow, 1}, {PathId{3}, kThird, 2}}}, now_);
  engine_.set_terms(kGroup,
                    {engine::Policy{}, {100ms, 0.1, {}, engine::Unmet::best}, {{kSlow, 1ms}}});
}

// Knuth's MMIX generator: the same on every machine.
double Night::chance() {
  seed_ = seed_ * 6364136223846793005U + 1442695040888963407U;
  return static_cast<double>(seed_ >> 11) / 9007199254740992.0;
}

void Night::probe(NexthopId nexthop, double base_ms, const Anchor& at) {
  const bool first = nexthop == kFast;
  const bool lost = chance() < (first ? loss : 0.001);
  const Duration rtt = ms(base_ms + (first ? extra_ms : 0) + 0.5 * chance());
  Sample sample{nexthop, at, lost ? Outcome::lost : Outcome::reply, now_ - ms(100 * chance()),
                now_};
  sample.known = lost ? sample.sent + 500ms : sample.sent + rtt;
  sample.rtt = lost ? Duration{} : rtt;
  sample.source = TimestampSource::kernel;
  sample.flow = static_cast<std::uint8_t>(4 * chance());
  if (chance() < 0.1) sample.forward = rtt / 2;
  engine_.observe(sample);
}

void Night::read_traffic() {
  for (std::uint32_t i = 1; i <= 3; ++i) {
    PathTraffic traffic;
    traffic.forward_bytes = static_cast<std::uint64_t>(1e6 * chance());
    traffic.forward_packets = traffic.forward_bytes / 1000;
    PassiveRtt rtt;
    rtt.samples = 100;
    rtt.mean = rtt.p50 = rtt.p10 = rtt.p90 = rtt.p99 = ms(kBases[i - 1] + chance());
    rtt.by_method = {90, 10};
    engine_.observe(PathReading{PathId{i}, now_, 1s, traffic, rtt});
    engine_.observe(LoadReading{NexthopId{i}, now_, 1s, 8e6 * chance()});
  }
  engine_.observe(ControlReading{kGroup, now_, 1s, {}, {}});
}

void Night::run(Duration time) {
  for (const TimePoint end = now_ + time; now_ < end;) {
    now_ += 100ms + Duration(static_cast<std::int64_t>(100'000 * chance()));
    ++ticks_;
    if (ticks_ % 2 == 0)
      for (std::uint32_t i = 0; i < 3; ++i)
        for (int at = 0; at < 3; ++at) probe(NexthopId{i + 1}, kBases[i], anchor(at));
    if (ticks_ % 10 == 0) read_traffic();
    for (Decision& decision : engine_.decide(now_)) decisions.push_back(std::move(decision));
    at_tick();
  }
}

void Player::begins(const simulation::RecordingHead& told) {
  head = told;
  engine = std::make_unique<engine::Engine>(told.options);
  again.begin(told, *engine);
  engine->set_tap(&again);
}

void Player::decide(TimePoint now) {
  for (Decision& decision : engine->decide(now)) made.push_back(std::move(decision));
}

// Bit by bit: == of doubles would take -0 for 0.
bool same(const Decision& a, const Decision& b) {
  simulation::RecordingWriter one, two;
  const engine::Engine engine{engine::Options{}};
  one.begin({}, engine), two.begin({}, engine);
  one.decided(a), two.decided(b);
  return one.take() == two.take();
}

}  // namespace hopwise::test
