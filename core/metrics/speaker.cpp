#include "core/metrics/speaker.hpp"

#include <algorithm>
#include <map>

#include "core/metrics/figures.hpp"

namespace hopwise::metrics {
namespace {

void add_processes(Page& page, const std::vector<SpeakerProcess>& processes) {
  for (const SpeakerProcess& process : processes)
    for (const auto health : {SpeakerHealth::alive, SpeakerHealth::silent, SpeakerHealth::dead})
      page.add(Metric::speaker_state, one_if(health == process.health),
               {{"process", process.name}, {"state", std::string(text(health))}});
  for (const SpeakerProcess& process : processes)
    if (process.uptime)
      page.add(Metric::speaker_uptime_seconds, seconds(*process.uptime),
               {{"process", process.name}});
  for (const SpeakerProcess& process : processes)
    page.add(Metric::speaker_restarts_total, process.restarts, {{"process", process.name}});
}

void add_divergences(Page& page, const SpeakerStatus& speaker) {
  for (std::size_t i = 0; i < kDivergenceKinds; ++i) {
    const auto kind = static_cast<DivergenceKind>(i);
    page.add(Metric::rib_fib_divergent,
             static_cast<double>(std::ranges::count(speaker.divergences, kind, &Divergence::kind)),
             {{"kind", std::string(text(kind))}});
  }
  page.add(Metric::rib_fib_looks_total, speaker.looks);
}

}  // namespace

void add_speaker(Page& page, const Status& status) {
  const SpeakerStatus& speaker = status.speaker;
  if (speaker.kind == SpeakerKind::none) return;
  page.add(Metric::speaker_info, 1.0, {{"kind", std::string(text(speaker.kind))}});
  add_processes(page, speaker.processes);
  add_divergences(page, speaker);
  if (speaker.bfd.empty()) return;  // where BFD is not in use, a thousand nexthops need no series
  for (const NexthopStatus& nexthop : status.nexthops)
    page.add(Metric::nexthop_bfd_down, one_if(nexthop.bfd_down),
             {{"nexthop", nexthop.nexthop.name}});
  // There may be two by one interface to one peer, from two addresses of ours: one series.
  std::map<std::pair<IpAddress, std::string>, bool> up;
  for (const BfdSession& session : speaker.bfd)
    up[{session.peer, session.interface}] |= session.state == BfdState::up;
  for (const auto& [session, is_up] : up)
    page.add(Metric::bfd_session_up, one_if(is_up),
             {{"peer", session.first.text()}, {"interface", session.second}});
}

}  // namespace hopwise::metrics
