// The routing daemon's BFD sessions -> nexthops.
#include <algorithm>

#include "core/daemon/speaker_watch.hpp"

namespace hopwise {
namespace {

using namespace std::chrono_literals;

// While there are sessions, but never more than a twentieth of the daemon's time.
constexpr Duration kPoll = 100ms;
constexpr int kPauses = 20;
// An answer that took long says little: either process may have waited for a processor. So what
// answers are believed to take at most doubles with each.
constexpr Duration kQuick = kPoll / kPauses;
constexpr Duration kIdlePoll = 5s;

}  // namespace

bool SpeakerWatch::speaks_bfd(const Process& process) const {
  return options_.bfd && (process.pulse.name() == "bfdd" || process.pulse.name() == "bird");
}

// FRR's name of the VRF that is followed; of a table by number it is not known.
std::string SpeakerWatch::our_vrf() const {
  if (!parts_.routes.vrf.empty()) return parts_.routes.vrf;
  return compares_routes() ? "default" : "";
}

void SpeakerWatch::ask_bfd(Process& process) {
  const bool frr = place_->kind == SpeakerKind::frr;
  process.next_bfd = clock_() + kIdlePoll;
  ask(process, frr ? "show bfd peers json" : "show bfd sessions",
      [this, frr, &process](const std::string& text) {
        const TimePoint now = clock_();
        take_bfd(frr ? speaker::frr_bfd(text, our_vrf()) : speaker::bird_bfd(text));
        process.bfd_took =
            std::min<Duration>(now - process.asked, std::max(2 * process.bfd_took, kQuick));
        process.next_bfd =
            process.asked +
            (sessions_.empty() ? kIdlePoll : std::max<Duration>(kPoll, kPauses * process.bfd_took));
      });
}

void SpeakerWatch::take_bfd(Result<std::vector<BfdSession>> sessions) {
  if (!sessions) {
    if (!std::exchange(bfd_unread_, true))
      parts_.log.warn("bfd_unread", {{"error", sessions.error().message}});
    return forget_bfd();
  }
  bfd_unread_ = false;
  sessions_ = place_->kind == SpeakerKind::bird ? bird_bfd_.judge(std::move(*sessions), clock_())
                                                : std::move(*sessions);
  watch_peers();
  apply_bfd();
}

// A peer's link-layer address outlives its session: one that fails is of the same router still.
void SpeakerWatch::watch_peers() {
  std::multimap<std::string_view, IpAddress> peers;
  for (const BfdSession& session : sessions_) peers.emplace(session.interface, session.peer);
  for (const auto& [ifindex, interface] : parts_.follower.interfaces()) {
    const auto [first, last] = peers.equal_range(interface.name);
    for (auto peer = first; peer != last; ++peer) {
      const NexthopKey key{ifindex, peer->second};
      if (watched_.insert(key).second) parts_.follower.watch(key);  // calls on_neighbour()
    }
  }
}

void SpeakerWatch::on_neighbour(const NexthopKey& key, const routes::Neighbour& neighbour) {
  if (!neighbour.address || !watched_.contains(key)) return;
  const auto& interfaces = parts_.follower.interfaces();
  if (const auto interface = interfaces.find(key.ifindex); interface != interfaces.end())
    routers_[{interface->second.name, key.gateway}] = *neighbour.address;
}

void SpeakerWatch::apply_bfd() {
  const bool failed = std::any_of(sessions_.begin(), sessions_.end(),
                                  [](const BfdSession& session) { return session.failed; });
  if (!failed && !vetoes_) return;
  vetoes_ = failed;
  const bool changed = parts_.steering.on_bfd([this](const NexthopRecord& record) {
    const BfdSession* session = speaker::veto(
        sessions_, {record.nexthop.interface, record.nexthop.key.gateway, record.gateway_address},
        routers_);
    if ((session != nullptr) == record.bfd_down) return record.bfd_down;
    const std::string& name = record.nexthop.name;
    if (session == nullptr) {
      parts_.log.info("bfd_up", {{"nexthop", name}});
      parts_.tell({"BFD takes " + name + " out no longer"});
      return false;
    }
    parts_.log.warn(
        "bfd_down",
        {{"nexthop", name}, {"peer", session->peer.text()}, {"because", session->because}});
    parts_.tell({"BFD to " + session->peer.text() + " is down (" + session->because + "): " + name +
                     " is not used",
                 true});
    return true;
  });
  if (changed) parts_.nexthops_changed();
}

void SpeakerWatch::forget_bfd() {
  bird_bfd_ = {};
  if (sessions_.empty()) return;
  sessions_.clear();
  apply_bfd();
}

}  // namespace hopwise
