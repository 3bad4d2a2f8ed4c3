// The routing daemon's routes against the kernel's, a few a second.
#include <algorithm>

#include "core/daemon/speaker_watch.hpp"

namespace hopwise {
namespace {

constexpr std::uint32_t kMainTable = 254;  // RT_TABLE_MAIN
constexpr Duration kBetweenLooks = std::chrono::milliseconds(200);

std::string route_command(SpeakerKind kind, const Prefix& prefix,
                          const std::vector<std::string>& kernels) {
  const bool v4 = prefix.address.is_v4();
  if (kind == SpeakerKind::frr)
    return std::string("show ") + (v4 ? "ip" : "ipv6") + " route " + prefix.text() + " json";
  const std::string& kernel = kernels[v4 ? 0 : 1];
  return kernel.empty() ? "" : "show route " + prefix.text() + " export " + kernel;
}

}  // namespace

// The daemon is asked for its main table alone.
bool SpeakerWatch::compares_routes() const {
  return parts_.routes.vrf.empty() && parts_.routes.table == kMainTable;
}

bool SpeakerWatch::looks_at(const Process& process) const {
  return process.pulse.name() == "zebra" || process.pulse.name() == "bird";
}

// A case that waits for its second look comes before the sample. False where nothing is due.
bool SpeakerWatch::ask_look(Process& process, TimePoint now) {
  if (now < next_look_) return false;
  const bool frr = place_->kind == SpeakerKind::frr;
  if (!frr && !kernels_asked_) {
    ask_bird_kernels(process);
    return true;
  }
  auto prefix = divergences_.due(now);
  if (!prefix) prefix = sample_.next();
  if (!prefix) return false;
  next_look_ = now + kBetweenLooks;
  const std::string command = route_command(place_->kind, *prefix, kernels_);
  if (command.empty()) return false;
  ask(process, command, [this, frr, prefix = *prefix](const std::string& text) {
    look(prefix, frr ? speaker::frr_route(text, prefix) : speaker::bird_route(text, prefix));
  });
  return true;
}

void SpeakerWatch::ask_bird_kernels(Process& process) {
  kernels_asked_ = true;
  ask(process, "show protocols", [this](const std::string& text) {
    kernels_ = speaker::bird_kernels(text);
    not_understood_ = kernels_[0].empty() && kernels_[1].empty()
                          ? "BIRD has no kernel protocol of table master4 or master6"
                          : "";
  });
}

std::vector<speaker::Leg> SpeakerWatch::kernel_legs(const Prefix& prefix) const {
  std::vector<speaker::Leg> legs;
  const auto route = parts_.follower.find(prefix);
  if (!route) return legs;
  const auto& interfaces = parts_.follower.interfaces();
  for (const auto& nexthop : route->nexthops()) {
    const auto interface = interfaces.find(nexthop.key.ifindex);
    if (interface == interfaces.end()) return {};  // it is going
    legs.push_back({nexthop.key.gateway, interface->second.name, nexthop.weight});
  }
  return legs;
}

void SpeakerWatch::look(const Prefix& prefix, const Result<speaker::BelievedRoute>& believed) {
  ++looks_;
  not_understood_ = believed ? "" : believed.error().message;
  const auto kernel = kernel_legs(prefix);
  std::optional<speaker::Difference> difference;
  // BIRD knows nothing of others' routes in the kernel: one that it has not is not its own.
  const bool is_its_own =
      believed && (place_->kind == SpeakerKind::frr || believed->belief != speaker::Belief::none);
  if (is_its_own && !kernel.empty()) difference = speaker::compare(*believed, kernel);
  switch (divergences_.saw(prefix, difference, clock_())) {
    case speaker::Divergences::Change::stands:
      return tell_divergence(prefix, *difference);
    case speaker::Divergences::Change::over:
      return tell_agreement(prefix);
    case speaker::Divergences::Change::none:
      break;
  }
}

void SpeakerWatch::tell_divergence(const Prefix& prefix, const speaker::Difference& difference) {
  const std::string words = speaker::explain(prefix, difference, place_->kind);
  parts_.log.warn("rib_fib_divergent",
                  {{"prefix", prefix.text()},
                   {"kind", std::string(text(difference.kind))},
                   {"because", words},
                   {"then", "traffic goes by the kernel's nexthops, as it does without hopwise"}});
  parts_.tell({words, true});
}

void SpeakerWatch::tell_agreement(const Prefix& prefix) {
  parts_.log.info("rib_fib_agrees", {{"prefix", prefix.text()}});
  parts_.tell(
      {"route " + prefix.text() + ": the kernel has it as routing believes, or it is gone"});
}

}  // namespace hopwise
