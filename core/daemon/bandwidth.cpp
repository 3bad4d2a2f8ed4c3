#include "core/daemon/bandwidth.hpp"

#include <algorithm>
#include <cmath>
#include <set>

namespace hopwise {
namespace {

// A tick of a second may come a little early.
constexpr Duration kWindow = std::chrono::milliseconds(900);
constexpr double kHalfLife_s = 600;

// What was not there a window ago, or counts anew, has carried nothing that is known.
std::uint64_t growth(std::uint64_t before, std::uint64_t after) {
  return after >= before ? after - before : 0;
}

double bit_s(std::uint64_t bytes, double elapsed_s) {
  return static_cast<double>(bytes) * 8 / elapsed_s;
}

template <class Map>
const typename Map::mapped_type* find(const Map& map, const typename Map::key_type& key) {
  const auto found = map.find(key);
  return found == map.end() ? nullptr : &found->second;
}

}  // namespace

void Bandwidths::count(BandwidthReading reading) {
  if (last_ && reading.at - last_->at < kWindow) return;
  if (last_) {
    const double elapsed_s = seconds(reading.at - last_->at);
    measure_interfaces(reading, elapsed_s);
    measure_nexthops(reading, elapsed_s);
  }
  std::set<NexthopId> there;
  for (const Nexthop& nexthop : reading.nexthops) there.insert(nexthop.id);
  std::erase_if(peaks_, [&](const auto& entry) { return !there.contains(entry.first); });
  sharing_.clear();
  for (const Nexthop& nexthop : reading.nexthops) ++sharing_[nexthop.key.ifindex];
  last_ = std::move(reading);
}

void Bandwidths::measure_interfaces(const BandwidthReading& reading, double elapsed_s) {
  rates_.clear();
  for (const auto& [ifindex, counters] : reading.interfaces) {
    const InterfaceCounters* before = find(last_->interfaces, ifindex);
    if (before == nullptr) continue;
    rates_[ifindex] = {bit_s(growth(before->sent_bytes, counters.sent_bytes), elapsed_s),
                       bit_s(growth(before->received_bytes, counters.received_bytes), elapsed_s)};
  }
}

void Bandwidths::measure_nexthops(const BandwidthReading& reading, double elapsed_s) {
  std::map<NexthopId, std::uint64_t> steered;
  for (const Path& path : reading.paths) {
    const PathTraffic* before = find(last_->traffic, path.id);
    const PathTraffic* after = find(reading.traffic, path.id);
    if (before != nullptr && after != nullptr)
      steered[path.nexthop] += growth(before->forward_bytes, after->forward_bytes);
  }
  for (const Nexthop& nexthop : reading.nexthops) {
    const Rates* interface = find(rates_, nexthop.key.ifindex);
    const std::uint64_t* bytes = find(steered, nexthop.id);
    if (interface != nullptr && bytes != nullptr)
      raise_peak(nexthop.id, std::min(bit_s(*bytes, elapsed_s), interface->sent_bit_s), reading.at);
  }
}

void Bandwidths::raise_peak(NexthopId id, double bit_s, TimePoint at) {
  Peak& peak = peaks_[id];
  if (bit_s > 0 && bit_s >= decayed(peak, at)) peak = {bit_s, at};
}

double Bandwidths::decayed(const Peak& peak, TimePoint now) {
  return peak.bit_s * std::exp2(-seconds(now - peak.at) / kHalfLife_s);
}

std::vector<Bandwidth> Bandwidths::of(const Nexthop& nexthop,
                                      std::optional<std::uint64_t> capacity_bit_s,
                                      TimePoint now) const {
  std::vector<Bandwidth> known;
  if (capacity_bit_s) known.push_back({BandwidthMethod::configured, *capacity_bit_s});
  if (const std::uint64_t* speed = find(link_, nexthop.key.ifindex))
    known.push_back({BandwidthMethod::link, *speed});
  if (const Peak* peak = find(peaks_, nexthop.id))
    if (const auto left = static_cast<std::uint64_t>(decayed(*peak, now)); left > 0)
      known.push_back({BandwidthMethod::passive_peak, left, peak->at});
  return known;
}

std::optional<Load> Bandwidths::load(const Nexthop& nexthop,
                                     std::optional<std::uint64_t> capacity_bit_s) const {
  const Rates* rates = find(rates_, nexthop.key.ifindex);
  if (rates == nullptr) return std::nullopt;
  Load load{rates->sent_bit_s, rates->received_bit_s};
  const int* sharing = find(sharing_, nexthop.key.ifindex);
  std::optional<std::uint64_t> whole =
      sharing != nullptr && *sharing == 1 ? capacity_bit_s : std::nullopt;
  if (const std::uint64_t* speed = find(link_, nexthop.key.ifindex); !whole && speed != nullptr)
    whole = *speed;
  if (whole) load.utilisation = std::min(load.forward_bit_s / static_cast<double>(*whole), 1.0);
  return load;
}

}  // namespace hopwise
