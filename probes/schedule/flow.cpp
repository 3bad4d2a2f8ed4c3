#include "probes/schedule/flow.hpp"

#include <algorithm>

#include "core/model/result.hpp"

namespace hopwise::probes {

std::optional<std::string> text(const Trouble& trouble) {
  if (const auto* failure = std::get_if<SendFailure>(&trouble))
    return system_error("send probe", failure->error).message;
  if (const auto* refused = std::get_if<RefusedBy>(&trouble))
    return "ICMP type " + std::to_string(refused->type) + " code " + std::to_string(refused->code) +
           " from " + refused->by.text();
  if (const auto* unbound = std::get_if<std::string>(&trouble)) return *unbound;
  return {};
}

void Flows::add(Flow flow) {
  auto free = std::find(slots_.begin(), slots_.end(), nullptr);
  if (free == slots_.end()) free = slots_.emplace(slots_.end());
  flow.slot = static_cast<std::uint32_t>(free - slots_.begin());
  *free = std::make_unique<Flow>(std::move(flow));
}

bool Flows::has(NexthopId id, const IpAddress& anchor) const {
  return std::any_of(slots_.begin(), slots_.end(), [&](const auto& flow) {
    return flow && flow->nexthop == id && flow->anchor == anchor;
  });
}

Flow* Flows::find(const EchoTag& tag) const {
  if (tag.slot >= slots_.size()) return nullptr;
  Flow* flow = slots_[tag.slot].get();
  return flow != nullptr && flow->nonce == tag.nonce ? flow : nullptr;
}

void Flows::remove(NexthopId id) {
  remove_others(id, {});
}

void Flows::remove_others(NexthopId id, const std::vector<IpAddress>& anchors) {
  for (auto& flow : slots_)
    if (flow && flow->nexthop == id &&
        std::find(anchors.begin(), anchors.end(), flow->anchor) == anchors.end())
      flow.reset();
}

std::optional<TimePoint> Flows::due() const {
  std::optional<TimePoint> due;
  each([&](const Flow& flow) {
    if (!due || flow.stream.due() < *due) due = flow.stream.due();
  });
  return due;
}

}  // namespace hopwise::probes
