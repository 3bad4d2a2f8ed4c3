#include "core/simulation/sensors.hpp"

#include <algorithm>
#include <cmath>

namespace hopwise::simulation {
namespace {

constexpr double kSegmentBits = 8 * 1400;
constexpr double kSpikeMs = 200;
constexpr double kSuspicion_s = 3;
constexpr std::uint64_t kMeanStreams = 1'000'000;

Duration from_ms(double ms) {
  return std::chrono::duration_cast<Duration>(std::chrono::duration<double, std::milli>(ms));
}

IpAddress anchor_of(std::size_t link) {
  IpAddress address;
  address.bytes = {192, 0, 2, static_cast<std::uint8_t>(link + 1)};
  return address;
}

}  // namespace

// Any moment long enough after the clock's beginning.
TimePoint at(double t_s) {
  return TimePoint{} + std::chrono::hours(24) +
         std::chrono::duration_cast<Duration>(std::chrono::duration<double>(t_s));
}

PathId path_id(const Plant& plant, std::size_t group, std::size_t path) {
  std::size_t id = path + 1;
  for (std::size_t g = 0; g < group; ++g) id += plant.group(g).links.size();
  return PathId{static_cast<std::uint32_t>(id)};
}

Sensors::Sensors(const Measurement& measurement, std::vector<std::size_t> groups,
                 const std::vector<std::size_t>& links, std::uint64_t seed, std::uint64_t stream)
    : measurement_(measurement),
      groups_(std::move(groups)),
      tallies_(groups_.size()),
      load_bits_(links.size()),
      random_(seed, stream),
      means_(seed, stream + kMeanStreams) {
  for (const std::size_t link : links)
    probers_.push_back({.link = link, .next_s = random_.uniform() / measurement_.probes_s});
}

void Sensors::step(const Plant& plant, Controller& controller) {
  const double now_s = plant.now_s();
  watch_carrier(plant, controller);
  for (std::size_t p = 0; p < probers_.size(); ++p)
    while (probers_[p].next_s <= now_s) send(plant, p, controller);
  while (!arrivals_.empty() && arrivals_.top().known_s <= now_s) {
    const Arrival arrival = arrivals_.top();
    arrivals_.pop();
    arrive(arrival, controller);
  }
  count(plant);
  if (now_s - second_s_ >= 1 - 1e-9) close_second(plant);
  for (; !seconds_.empty() && seconds_.front().known_s <= now_s + 1e-9; seconds_.pop()) {
    for (const PathReading& reading : seconds_.front().paths) controller.observe(reading);
    for (const ControlReading& reading : seconds_.front().controls) controller.observe(reading);
    for (const LoadReading& reading : seconds_.front().loads) controller.observe(reading);
  }
}

// The kernel tells of the carrier at once, however stale the rest is.
void Sensors::watch_carrier(const Plant& plant, Controller& controller) {
  for (Prober& p : probers_) {
    const bool up = plant.link(p.link).spec().outage != Outage::link_down;
    if (up == p.up) continue;
    p.up = up;
    controller.observe(
        NexthopEvent{NexthopId{static_cast<std::uint32_t>(p.link + 1)}, at(plant.now_s()), up, up});
  }
}

void Sensors::send(const Plant& plant, std::size_t index, const Controller& controller) {
  Prober& p = probers_[index];
  const NexthopId id{static_cast<std::uint32_t>(p.link + 1)};
  const Link& link = plant.link(p.link);
  const double sent_s = p.next_s;
  const bool fast = sent_s < p.suspicious_until_s || controller.suspicious(id);
  p.next_s += (0.75 + 0.25 * random_.uniform()) /
              (fast ? measurement_.suspicious_s : measurement_.probes_s);
  // Drawn whether they are needed or not.
  const double jitter_ms = random_.exponential(link.spec().jitter_ms) +
                           (random_.chance(link.spec().spike) ? kSpikeMs : 0);
  const bool lost = random_.chance(1 - (1 - link.state().loss) * (1 - link.spec().probe_loss));
  if (!p.up) return;
  const double rtt_ms = link.state().rtt_ms + jitter_ms;
  const double timeout_ms =
      p.started ? std::clamp(std::max(2 * p.srtt_ms, p.srtt_ms + 4 * p.rttvar_ms), 100.0, 1000.0)
                : 1000.0;
  Sample sample{.nexthop = id,
                .anchor = anchor_of(p.link),
                .outcome = Outcome::reply,
                .sent = at(sent_s),
                .known = {},
                .rtt = from_ms(rtt_ms),
                .source = TimestampSource::kernel};
  const double stale_s = measurement_.stale_s;
  const auto known = [&](double ms) {
    sample.known = at(sent_s + ms / 1000 + stale_s);
    arrivals_.push({sent_s + ms / 1000 + stale_s, order_++, index, sample});
  };
  if (lost || rtt_ms > timeout_ms) {
    sample.outcome = Outcome::lost;
    known(timeout_ms);
    sample.outcome = Outcome::late;
  }
  if (!lost) known(rtt_ms);
}

void Sensors::arrive(const Arrival& arrival, Controller& controller) {
  Prober& p = probers_[arrival.prober];
  const Sample& sample = arrival.sample;
  const double rtt_ms = milliseconds(sample.rtt);
  if (sample.outcome == Outcome::lost || (p.started && rtt_ms > p.srtt_ms + 4 * p.rttvar_ms + 5))
    p.suspicious_until_s = arrival.known_s + kSuspicion_s;
  if (sample.outcome != Outcome::lost) {
    p.rttvar_ms = p.started ? 0.75 * p.rttvar_ms + 0.25 * std::abs(rtt_ms - p.srtt_ms) : rtt_ms / 2;
    p.srtt_ms = p.started ? 0.875 * p.srtt_ms + 0.125 * rtt_ms : rtt_ms;
    p.started = true;
  }
  if (p.up) controller.observe(sample);
}

void Sensors::count(const Plant& plant) {
  const double dt_s = plant.step_s();
  for (std::size_t n = 0; n < groups_.size(); ++n) {
    const GroupSpec& group = plant.group(groups_[n]);
    const auto carried = plant.demand(groups_[n]).carried();
    auto& tallies = tallies_[n];
    if (tallies.empty()) tallies.resize(carried.size() + 1);
    for (std::size_t i = 0; i < carried.size(); ++i) {
      const Link& link = plant.link(group.links[i]);
      const double rtt_ms = link.state().rtt_ms + link.spec().user_extra_ms;
      const auto add = [&](Tally& tally, double bit_s, double weight) {
        if (bit_s <= 0) return;
        tally.bits += bit_s * dt_s;
        tally.lost_bits += bit_s * dt_s * link.state().loss;
        tally.jitter_ms = link.spec().jitter_ms;
        if (link.state().loss < 1)
          tally.felt.push_back({static_cast<float>(rtt_ms), static_cast<float>(weight)});
      };
      add(tallies[i], carried[i].steered_bit_s, 1);
      add(tallies.back(), carried[i].control_bit_s, carried[i].control_bit_s);
      for (std::size_t p = 0; p < probers_.size(); ++p)
        if (probers_[p].link == group.links[i]) load_bits_[p] += carried[i].total() * dt_s;
    }
  }
  for (std::size_t p = 0; p < probers_.size(); ++p) {
    const Link& link = plant.link(probers_[p].link);
    if (link.spec().cross.ours) load_bits_[p] += link.state().cross_bit_s * dt_s;
  }
}

void Sensors::close_second(const Plant& plant) {
  const double over_s = plant.now_s() - second_s_;
  second_s_ = plant.now_s();
  const TimePoint now = at(second_s_);
  const Duration over = std::chrono::duration_cast<Duration>(std::chrono::duration<double>(over_s));
  Second second{.known_s = second_s_ + measurement_.stale_s};
  for (std::size_t n = 0; n < groups_.size(); ++n) {
    const std::size_t g = groups_[n];
    auto& tallies = tallies_[n];
    for (std::size_t i = 0; i + 1 < tallies.size(); ++i)
      second.paths.push_back(
          {path_id(plant, g, i), now, over, traffic_of(tallies[i]), rtt_of(tallies[i])});
    if (plant.demand(g).spec().control_share > 0)
      second.controls.push_back({GroupId{static_cast<std::uint32_t>(g + 1)}, now, over,
                                 traffic_of(tallies.back()), rtt_of(tallies.back())});
    for (Tally& tally : tallies) {
      tally.bits = tally.lost_bits = 0;
      tally.felt.clear();
    }
  }
  for (std::size_t p = 0; p < probers_.size(); ++p) {
    const double bits = std::exchange(load_bits_[p], 0);
    if (measurement_.load && probers_[p].up)
      second.loads.push_back(
          {NexthopId{static_cast<std::uint32_t>(probers_[p].link + 1)}, now, over, bits / over_s});
  }
  seconds_.push(std::move(second));
}

PathTraffic Sensors::traffic_of(const Tally& tally) {
  PathTraffic traffic;
  traffic.forward_bytes = static_cast<std::uint64_t>(tally.bits / 8);
  traffic.forward_packets = traffic.segments =
      static_cast<std::uint64_t>(tally.bits / kSegmentBits);
  const double arrived = tally.bits - tally.lost_bits;
  traffic.reverse_packets = static_cast<std::uint64_t>(arrived / (2 * kSegmentBits));
  traffic.reverse_bytes = 60 * traffic.reverse_packets;
  if (!measurement_.passive) {
    traffic.segments = 0;
    return traffic;
  }
  traffic.retransmitted =
      std::min<std::uint64_t>(random_.poisson(tally.lost_bits / kSegmentBits), traffic.segments);
  return traffic;
}

// One sample in ten segments, at most one a millisecond; quantiles are those of a histogram.
std::optional<PassiveRtt> Sensors::rtt_of(Tally& tally) {
  if (!measurement_.passive || tally.felt.empty()) return std::nullopt;
  const double samples = std::min((tally.bits - tally.lost_bits) / kSegmentBits / 10, 1000.0);
  if (samples < 1) return std::nullopt;
  std::sort(tally.felt.begin(), tally.felt.end(),
            [](const Felt& a, const Felt& b) { return a.rtt_ms < b.rtt_ms; });
  double all = 0;
  for (const Felt& f : tally.felt) all += double{f.weight};
  const auto quantile = [&](double q) {
    double left = q * all;
    std::size_t i = 0;
    while (i + 1 < tally.felt.size() && (left -= double{tally.felt[i].weight}) >= 0) ++i;
    const double noise = tally.jitter_ms * random_.normal() / std::sqrt(samples * (1 - q) + 1);
    const double rtt = double{tally.felt[i].rtt_ms} - std::log(1 - q) * tally.jitter_ms + noise;
    return from_ms(std::max(rtt, 0.05) * (1 + (random_.uniform() - 0.5) / 32));
  };
  PassiveRtt rtt;
  rtt.samples = static_cast<std::uint64_t>(samples);
  double sum = 0;
  for (const Felt& f : tally.felt) sum += double{f.weight} * double{f.rtt_ms};
  // Of exponential jitter the deviation is its mean.
  const double noise = tally.jitter_ms * means_.normal() / std::sqrt(samples);
  rtt.mean = from_ms(std::max(sum / all + tally.jitter_ms + noise, 0.05));
  rtt.p10 = quantile(0.1);
  rtt.p50 = std::max(quantile(0.5), rtt.p10);
  rtt.p90 = std::max(quantile(0.9), rtt.p50);
  rtt.p99 = std::max(quantile(0.99), rtt.p90);
  rtt.by_method[static_cast<std::size_t>(PassiveMethod::timestamp)] = rtt.samples;
  return rtt;
}

}  // namespace hopwise::simulation
