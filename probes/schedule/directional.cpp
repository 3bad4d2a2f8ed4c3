#include "probes/schedule/directional.hpp"

namespace hopwise::probes {

void Directional::observe(std::uint32_t request, std::uint32_t reply) {
  stateful_ = stateful_ || request != reply;
  if (!newest_) {
    newest_ = {request, reply};
    return;
  }
  // Modulo 2^32: a step back is a number that is very far ahead.
  const auto on_request = static_cast<std::int32_t>(request - newest_->request);
  const auto on_reply = static_cast<std::int32_t>(reply - newest_->reply);
  if (on_request < 0 && on_reply < 0) {  // overtaken on its way, and taken for lost
    if (loss_.backward > 0) loss_.backward--;
    return;
  }
  if (on_request > 0 && on_reply > 0 && on_reply <= on_request) {
    loss_.forward += static_cast<std::uint32_t>(on_request - on_reply);
    loss_.backward += static_cast<std::uint32_t>(on_reply - 1);
  }
  // Else the reflector counts anew: it, or what it knew of us, was gone.
  newest_ = {request, reply};
}

std::optional<DirectionalLoss> Directional::loss() const {
  if (!stateful_) return {};
  return loss_;
}

}  // namespace hopwise::probes
