#include "test/unit/engine/loop.hpp"

#include <algorithm>
#include <cmath>
#include <numeric>

namespace hopwise::engine {
namespace {

constexpr double kTick = 0.1;

}  // namespace

Loop::Loop(std::vector<LoopLink> l, std::vector<LoopGroup> g, const LoopOptions& options)
    : engine(options.engine),
      links(std::move(l)),
      groups(std::move(g)),
      options_(options),
      random_(options.seed) {
  for (std::uint32_t i = 0; i < groups.size(); ++i) {
    Group group{GroupId{i + 1}, {}};
    for (const std::uint32_t n : groups[i].links)
      group.paths.push_back({PathId{i * 100 + n + 1}, NexthopId{n + 1}, 1});
    engine.set_group(group, at(0));
    engine.set_terms(GroupId{i + 1}, groups[i].terms);
    const std::size_t n = groups[i].links.size();
    groups[i].carried.assign(n, groups[i].demand / static_cast<double>(n));
    heading_.emplace_back(n, 0);
  }
  for (std::uint32_t n = 0; n < links.size(); ++n) {
    NexthopTerms terms;
    if (links[n].told) terms.capacity = Capacity{*links[n].told};
    engine.set_terms(NexthopId{n + 1}, terms);
    engine.observe(NexthopEvent{NexthopId{n + 1}, at(0), true, true});
  }
}

double Loop::normal() {
  double sum = 0;
  for (int i = 0; i < 3; ++i) sum += static_cast<double>(random_()) * 0x1p-31 - 1;
  return sum;  // deviation 1
}

double Loop::weight(std::uint32_t group, std::uint32_t path) const {
  return engine.group(GroupId{group + 1}).at(path).weight;
}

void Loop::flow() {
  for (LoopLink& link : links) link.load = link.background + link.hidden;
  for (std::uint32_t i = 0; i < groups.size(); ++i) {
    LoopGroup& g = groups[i];
    g.wave += -g.wave * kTick / 10 + g.noise * std::sqrt(2 * kTick / 10) * normal();
    const auto paths = engine.group(GroupId{i + 1});
    for (std::size_t p = 0; p < g.links.size(); ++p) {
      const double rate = std::min(1.0, kTick / g.lifetime_s);
      g.carried[p] += rate * (paths[p].weight * g.demand - g.carried[p]);
      links[g.links[p]].load += g.carried[p] * (1 + g.wave);
    }
  }
  for (LoopLink& link : links) {
    link.queue_ms = std::max(0.0, link.queue_ms + (link.load / link.capacity - 1) * kTick * 1000);
    link.loss = link.queue_ms > link.buffer_ms ? 1 - link.capacity / link.load : 0;
    link.queue_ms = std::min(link.queue_ms, link.buffer_ms);
  }
  for (const LoopGroup& g : groups)
    for (std::size_t p = 0; p < g.links.size(); ++p) {
      const LoopLink& link = links[g.links[p]];
      const double load = g.carried[p] * (1 + g.wave);
      offered_ += load;
      arrived_ += load * (1 - link.loss);
      delay_ += load * (1 - link.loss) * (link.rtt_ms + link.queue_ms);
    }
}

void Loop::probe() {
  for (std::uint32_t n = 0; n < links.size(); ++n) {
    const LoopLink& link = links[n];
    const double t = static_cast<double>(tick_) * kTick;
    const double rtt = link.rtt_ms + link.queue_ms + std::abs(normal()) * link.jitter_ms;
    const bool lost = static_cast<double>(random_()) * 0x1p-32 < link.loss;
    engine.observe(
        Sample{NexthopId{n + 1}, anchor_address(1), lost ? Outcome::lost : Outcome::reply, at(t),
               at(t + (lost ? 0.5 : rtt / 1000)), ms(lost ? 0 : rtt), TimestampSource::kernel});
  }
}

void Loop::tell() {
  const TimePoint when = at(static_cast<double>(tick_) * kTick - options_.stale_s);
  for (std::uint32_t i = 0; i < groups.size(); ++i)
    for (std::size_t p = 0; p < groups[i].links.size(); ++p) {
      PathReading r{
          PathId{i * 100 + groups[i].links[p] + 1}, when, std::chrono::seconds(1), {}, {}};
      const double sent = groups[i].carried[p] * (1 + groups[i].wave);
      r.traffic.forward_bytes = static_cast<std::uint64_t>(sent / 8);
      r.traffic.forward_packets = r.traffic.forward_bytes / 1200 + 1;
      engine.observe(r);
    }
  for (std::uint32_t n = 0; n < links.size(); ++n)
    engine.observe(LoadReading{NexthopId{n + 1}, when, std::chrono::seconds(1),
                               links[n].load - links[n].hidden});
}

void Loop::run(double s) {
  for (const long end = tick_ + std::lround(s / kTick); tick_ < end; ++tick_) {
    flow();
    if (tick_ % 2 == 0) probe();
    if (options_.traffic && tick_ % 10 == 0) tell();
    for (Decision& d : engine.decide(at(static_cast<double>(tick_) * kTick + 0.05))) {
      auto& heading = heading_[raw(d.group) - 1];
      for (std::size_t p = 0; p < d.paths.size() && p < heading.size(); ++p) {
        const double moved = d.paths[p].after - d.paths[p].before;
        if (std::abs(moved) < 1e-6) continue;
        ++moves_;
        reversals_ += moved * heading[p] < 0;
        heading[p] = moved;
      }
      decisions.push_back(std::move(d));
    }
  }
}

void Loop::settle() {
  offered_ = arrived_ = delay_ = 0;
  reversals_ = moves_ = 0;
  for (auto& h : heading_) std::fill(h.begin(), h.end(), 0);
}

// Groups that have all links: the fastest first.
double Loop::oracle_ms(double most) const {
  std::vector<std::size_t> order(links.size());
  std::iota(order.begin(), order.end(), 0);
  std::sort(order.begin(), order.end(),
            [&](auto a, auto b) { return links[a].rtt_ms < links[b].rtt_ms; });
  double demand = 0;
  for (const LoopGroup& g : groups) demand += g.demand;
  double left = demand;
  double sum = 0;
  for (const std::size_t n : order) {
    const double takes = std::min(left, most * links[n].capacity - links[n].background);
    sum += takes * links[n].rtt_ms;
    left -= takes;
  }
  return sum / (demand - left);
}

std::string Loop::log() const {
  std::string all;
  for (const Decision& d : decisions) {
    char line[96];
    std::snprintf(line, sizeof line, "%8.1f g%u %-16s", seconds(d.at - at(0)), raw(d.group),
                  text(d.reason).data());
    all += line;
    for (const PathShare& p : d.paths) {
      std::snprintf(line, sizeof line, " %.3f->%.3f", p.before, p.after);
      all += line;
    }
    all += "  " + d.evidence + "\n";
  }
  return all;
}

}  // namespace hopwise::engine
