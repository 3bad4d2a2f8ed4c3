#include "core/daemon/engine_readings.hpp"

#include <algorithm>

namespace hopwise {
namespace {

constexpr Duration kShortest = std::chrono::milliseconds(100);
constexpr Duration kSecond = std::chrono::seconds(1);  // over which loads are measured

constexpr std::uint64_t PathTraffic::*kCounters[] = {&PathTraffic::forward_packets,
                                                     &PathTraffic::forward_bytes,
                                                     &PathTraffic::reverse_packets,
                                                     &PathTraffic::reverse_bytes,
                                                     &PathTraffic::segments,
                                                     &PathTraffic::retransmitted,
                                                     &PathTraffic::acks,
                                                     &PathTraffic::ece_acks,
                                                     &PathTraffic::escapes};
static_assert(sizeof(PathTraffic) == std::size(kCounters) * sizeof(std::uint64_t));

template <class Map, class Key>
const typename Map::mapped_type* find(const Map& map, const Key& key) {
  const auto found = map.find(key);
  return found == map.end() ? nullptr : &found->second;
}

/// Empty: it begins anew.
std::optional<PathTraffic> grown(const PathTraffic* before, const PathTraffic* after) {
  if (before == nullptr || after == nullptr) return std::nullopt;
  PathTraffic grown;
  for (const auto counter : kCounters) {
    if (after->*counter < before->*counter) return std::nullopt;
    grown.*counter = after->*counter - before->*counter;
  }
  // The counters of several CPUs are not read at one instant.
  grown.retransmitted = std::min(grown.retransmitted, grown.segments);
  grown.ece_acks = std::min(grown.ece_acks, grown.acks);
  return grown;
}

template <class Id>
std::optional<PassiveRtt> timed(const std::map<Id, PassiveRtt>& readings, Id id) {
  const PassiveRtt* rtt = find(readings, id);
  return rtt == nullptr ? std::nullopt : std::optional(*rtt);
}

}  // namespace

EngineReadings::Readings EngineReadings::since_last(
    TrafficCount count, const dataplane::Dataplane::PassiveReadings& passive) {
  if (last_ && count.at - last_->at < kShortest) return {};
  Readings readings;
  if (last_) {
    const Duration over = count.at - last_->at;
    for (const Group* group : count.groups) {
      for (const Path& path : group->paths)
        if (const auto traffic = grown(find(last_->paths, path.id), find(count.paths, path.id)))
          readings.paths.push_back(
              {path.id, count.at, over, *traffic, timed(passive.paths, path.id)});
      if (const auto traffic =
              grown(find(last_->control, group->id), find(count.control, group->id)))
        readings.control.push_back(
            {group->id, count.at, over, *traffic, timed(passive.control, group->id)});
    }
  }
  std::map<PathId, PathTraffic> kept;
  for (const Group* group : count.groups)
    for (const Path& path : group->paths)
      if (const PathTraffic* traffic = find(count.paths, path.id)) kept[path.id] = *traffic;
  count.paths = std::move(kept);
  count.groups.clear();  // they may go before the next call
  last_ = std::move(count);
  return readings;
}

engine::NexthopTerms nexthop_terms(std::span<const Bandwidth> known,
                                   const engine::NexthopTerms& word) {
  engine::NexthopTerms terms;
  terms.commit_bit_s = word.commit_bit_s;
  terms.price = word.price;
  for (const Bandwidth& b : known) {
    const engine::Capacity told{static_cast<double>(b.bit_s), b.exact(), b.method};
    if (b.exact() && (!terms.capacity || told.bit_s < terms.capacity->bit_s)) terms.capacity = told;
    if (!b.exact() && (!terms.at_least || told.bit_s > terms.at_least->bit_s))
      terms.at_least = told;
  }
  return terms;
}

std::set<std::uint32_t> shared_interfaces(const std::map<NexthopId, NexthopRecord>& nexthops) {
  std::map<std::uint32_t, std::optional<EthernetAddress>> neighbours;
  std::set<std::uint32_t> shared;
  for (const auto& [id, record] : nexthops) {
    const auto ifindex = record.nexthop.key.ifindex;
    const auto [known, first] = neighbours.try_emplace(ifindex, record.gateway_address);
    if (!first && (!known->second || known->second != record.gateway_address))
      shared.insert(ifindex);
  }
  return shared;
}

namespace {

void tell_carriers(engine::Engine& engine, const EngineSources& sources, TimePoint now) {
  const auto shared = shared_interfaces(sources.steering.nexthops());
  for (const auto& [id, record] : sources.steering.nexthops()) {
    const auto configured = sources.steering.capacity_of(record.nexthop);
    const auto load = sources.bandwidths.load(record.nexthop, configured);
    if (load && !shared.contains(record.nexthop.key.ifindex))
      engine.observe(LoadReading{id, now, kSecond, load->forward_bit_s});
    engine.set_terms(id, nexthop_terms(sources.bandwidths.of(record.nexthop, configured),
                                       sources.steering.terms_of(record.nexthop)));
  }
}

}  // namespace

void tell_engine(engine::Engine& engine, EngineReadings& readings, const EngineSources& sources,
                 DataplaneCounters counters, const dataplane::Dataplane::PassiveReadings& passive,
                 TimePoint now) {
  const auto told = readings.since_last({now, sources.steering.measured_groups(),
                                         std::move(counters.paths), std::move(counters.control)},
                                        passive);
  for (const PathReading& reading : told.paths) engine.observe(reading);
  for (const ControlReading& reading : told.control) engine.observe(reading);
  tell_carriers(engine, sources, now);
}

}  // namespace hopwise
