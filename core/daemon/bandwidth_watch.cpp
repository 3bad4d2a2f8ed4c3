#include "core/daemon/bandwidth_watch.hpp"

#include <algorithm>

#include "core/daemon/calm.hpp"

namespace hopwise {
namespace {

constexpr int kSecondsPerSpeedCheck = 10;

/// Of a nexthop's anchors the first that a train can go to; nullptr where there is none.
const probes::AnchorSpec* reflector(const std::vector<probes::AnchorSpec>& anchors) {
  const auto found = std::ranges::find_if(
      anchors, [](const probes::AnchorSpec& spec) { return spec.anchor.kind == ProbeKind::stamp; });
  return found == anchors.end() ? nullptr : &*found;
}

}  // namespace

BandwidthWatch::BandwidthWatch(const Parts& parts, Clock clock)
    : parts_(parts), clock_(std::move(clock)) {
  if (auto interfaces = InterfaceReadings::open())
    interfaces_.emplace(std::move(*interfaces));
  else
    parts_.log.warn("bandwidth", {{"error", interfaces.error().message}});
}

void BandwidthWatch::measure(const Steering& steering,
                             const std::map<PathId, PathTraffic>& traffic) {
  if (!interfaces_) return;
  BandwidthReading reading;
  reading.at = clock_();
  for (const auto& [id, record] : steering.nexthops()) reading.nexthops.push_back(record.nexthop);
  for (const Group* group : steering.groups())
    reading.paths.insert(reading.paths.end(), group->paths.begin(), group->paths.end());
  if (auto counters = interfaces_->counters()) reading.interfaces = std::move(*counters);
  reading.traffic = traffic;
  if (seconds_++ % kSecondsPerSpeedCheck == 0)
    known_.set_link_speeds(interfaces_->speeds(reading.nexthops));
  known_.count(std::move(reading));
}

std::vector<TrainJournal::Candidate> BandwidthWatch::candidates(const Steering& steering) const {
  std::vector<TrainJournal::Candidate> all;
  for (const auto& [id, record] : steering.nexthops()) {
    if (!is_calm(record, parts_.engine) || !reflector(steering.target_of(record).anchors)) continue;
    TrainJournal::Candidate candidate{id};
    for (const Bandwidth& known :
         known_.of(record.nexthop, steering.capacity_of(record.nexthop), clock_()))
      if (known.exact())
        candidate.line_bit_s = std::min(candidate.line_bit_s.value_or(known.bit_s), known.bit_s);
    all.push_back(candidate);
  }
  return all;
}

void BandwidthWatch::send_train(const Steering& steering, const config::Trains& trains) {
  probes::TrainPlan plan;
  plan.packets = trains.packets;
  if (!trains_.has_room(plan.bytes(), clock_())) return;
  const auto id = trains_.due(candidates(steering), {trains.every, plan.bytes()}, clock_());
  if (!id) return;
  const auto target = steering.target_of(steering.nexthops().at(*id));
  const probes::AnchorSpec& to = *reflector(target.anchors);
  plan.to = {to.anchor.address, to.anchor.port, target.nexthop.key.ifindex};
  plan.key = to.stamp_key;
  const std::uint64_t train = trains_.begin(*id, plan.bytes(), clock_());
  parts_.probes.train(
      *id, plan, [this, train, name = target.nexthop.name](const Result<probes::Train>& came) {
        const auto told = came ? Result<probes::Dispersion>(dispersion_of(*came)) : came.error();
        trains_.end(train, told, clock_());
        parts_.log.debug("train",
                         {{"nexthop", name},
                          {"result", !told ? told.error().message : std::string(text(told->fault))},
                          {"bit_s", told ? std::to_string(static_cast<std::uint64_t>(told->bit_s))
                                         : "unknown"}});
      });
}

std::vector<Bandwidth> BandwidthWatch::of(const Nexthop& nexthop,
                                          std::optional<std::uint64_t> capacity_bit_s) const {
  auto all = known_.of(nexthop, capacity_bit_s, clock_());
  if (const auto shown = trains_.bandwidth(nexthop.id)) all.push_back(*shown);
  return all;
}

}  // namespace hopwise
