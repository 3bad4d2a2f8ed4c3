#include "core/daemon/destinations.hpp"

#include <algorithm>
#include <cmath>

namespace hopwise {
namespace {

// Half of what is known of a destination is of this time.
constexpr Duration kHalfLife = std::chrono::seconds(30);

// So that what is among the heaviest surely has a counter.
constexpr std::size_t kCountersEach = 4;

std::size_t counters(const config::Destinations& config) {
  return kCountersEach * std::max<std::size_t>(config.count, 1);
}

}  // namespace

Destinations::Destinations(const Parts& parts, const config::Destinations& config, Clock clock)
    : parts_(parts), config_(config), clock_(std::move(clock)), top_(counters(config)) {}

void Destinations::tick() {
  if (config_.count == 0) return;
  if (!looking_) {
    if (began_ && clock_() - *began_ < config_.every) return;
    begin_look();
  }
  const auto more = parts_.dataplane.read_flow_counts([this](const FlowCount& f) { count(f); });
  if (!more) parts_.log.warn("destinations", {{"error", more.error().message}});
  if (more && *more) return;
  looking_ = false;
  if (more) end_look();
}

void Destinations::begin_look() {
  const TimePoint now = clock_();
  growth_.begin(now, began_ ? now - *began_ : config_.every);
  top_.age(ageing());
  for (auto& [group, bytes] : group_bytes_) bytes *= ageing();
  std::erase_if(group_bytes_, [](const auto& entry) { return entry.second < 1; });
  began_ = now;
  looking_ = true;
  flows_ = 0;
}

void Destinations::count(const FlowCount& flow) {
  ++flows_;
  const double bytes = growth_.grown({flow.id, flow.bytes, flow.started, flow.last_seen});
  if (!(bytes > 0)) return;
  const auto base =
      parts_.steering.base_of(Prefix::covering(flow.destination, flow.destination.bits()));
  if (!base) return;
  top_.add(destination_prefix(flow.destination, base->route), bytes);
  group_bytes_[base->group] += bytes;
}

void Destinations::end_look() {
  notice_ended();
  const std::ptrdiff_t room = parts_.steering.room();
  tell_room(room);
  carry_out(promotion_.look(candidates(), {config_.count, config_.min_share, room}, clock_()));
  status_.flows = flows_;
  status_.untracked_share = top_.untracked_share();
}

std::vector<Promotion::Candidate> Destinations::candidates() const {
  const double rate = 8 * (1 - ageing()) / seconds(config_.every);
  std::vector<Promotion::Candidate> all;
  for (const TopPrefixes::Counter& counter : top_.top(top_.counters())) {
    const auto base = parts_.steering.base_of(counter.prefix);
    const auto group = base ? group_bytes_.find(base->group) : group_bytes_.end();
    if (group == group_bytes_.end()) continue;
    all.push_back({.prefix = counter.prefix,
                   .share = counter.surely() / group->second,
                   .share_most = counter.bytes / group->second,
                   .bit_s = counter.surely() * rate});
  }
  return all;
}

void Destinations::carry_out(const Promotion::Changes& changes) {
  for (const Prefix& prefix : changes.demote) {
    parts_.steering.demote(prefix);
    promotion_.ended(prefix);
    ++status_.demotions;
    parts_.log.info("destination_demoted", {{"prefix", prefix.text()}});
  }
  for (const Prefix& prefix : changes.promote) {
    if (const auto done = parts_.steering.promote(prefix); !done) {
      parts_.log.debug("destination_not_promoted", {{"error", done.error().message}});
      continue;
    }
    promotion_.begun(prefix, clock_());
    ++status_.promotions;
    parts_.log.info(
        "destination_promoted",
        {{"prefix", prefix.text()},
         {"group", std::to_string(raw(parts_.steering.promoted().find(prefix)->group))}});
  }
  status_.promoted = promotion_.promoted();
}

// Routing took some away meanwhile.
void Destinations::notice_ended() {
  for (const Prefix& prefix : promotion_.all()) {
    if (parts_.steering.promoted().find(prefix) != nullptr) continue;
    promotion_.ended(prefix);
    ++status_.ended;
    parts_.log.info("destination_ended", {{"prefix", prefix.text()},
                                          {"because", "the route that it lived by has changed"}});
  }
}

void Destinations::tell_room(std::ptrdiff_t room) {
  const bool is_short = room <= 0;
  if (is_short && !room_short_)
    parts_.log.warn(
        "destinations_held",
        {{"because", "the ids of groups and paths that are left are kept for routing"}});
  room_short_ = is_short;
}

double Destinations::ageing() const {
  return std::exp2(-seconds(config_.every) / seconds(kHalfLife));
}

void Destinations::reconfigure(const config::Destinations& config) {
  const bool other_count = config.count != config_.count;
  config_ = config;
  if (!other_count) return;
  top_ = TopPrefixes(counters(config));
  group_bytes_.clear();
  if (config.count == 0) carry_out({{}, promotion_.all()});
}

std::optional<DestinationsStatus> Destinations::status() const {
  if (config_.count == 0) return std::nullopt;
  DestinationsStatus status = status_;
  status.promoted = parts_.steering.promoted().size();
  return status;
}

}  // namespace hopwise
