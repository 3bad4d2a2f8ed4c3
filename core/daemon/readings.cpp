#include "core/daemon/readings.hpp"

#include <set>

namespace hopwise {
namespace {

constexpr Duration kFresh = std::chrono::seconds(60);

// Weak samples count, but have no times: those that stand stay.
void add(Readings::Reading& reading, const PassiveRtt& rtt, TimePoint now) {
  for (std::size_t method = 0; method < kPassiveMethods; ++method)
    reading.total.by_method[method] += rtt.by_method[method];
  if (rtt.samples == 0) return;
  reading.total.samples += rtt.samples;
  reading.total.sum += rtt.mean * static_cast<Duration::rep>(rtt.samples);
  reading.rtt = rtt;
  reading.at = now;
}

template <class Id>
const Readings::Reading* find(const std::map<Id, Readings::Reading>& readings, Id id) {
  const auto found = readings.find(id);
  return found == readings.end() ? nullptr : &found->second;
}

}  // namespace

std::optional<PassiveRtt> Readings::Reading::fresh(TimePoint now) const {
  return rtt.samples > 0 && now - at < kFresh ? std::optional(rtt) : std::nullopt;
}

void Readings::add(const dataplane::Dataplane::PassiveReadings& readings, TimePoint now) {
  for (const auto& [id, rtt] : readings.paths) hopwise::add(paths_[id], rtt, now);
  for (const auto& [id, rtt] : readings.control) hopwise::add(control_[id], rtt, now);
}

void Readings::keep(const std::vector<const Group*>& groups) {
  std::set<PathId> paths;
  std::set<GroupId> ids;
  for (const Group* group : groups) {
    ids.insert(group->id);
    for (const Path& path : group->paths) paths.insert(path.id);
  }
  std::erase_if(paths_, [&](const auto& entry) { return !paths.contains(entry.first); });
  std::erase_if(control_, [&](const auto& entry) { return !ids.contains(entry.first); });
}

const Readings::Reading* Readings::path(PathId id) const {
  return find(paths_, id);
}

const Readings::Reading* Readings::control(GroupId id) const {
  return find(control_, id);
}

}  // namespace hopwise
