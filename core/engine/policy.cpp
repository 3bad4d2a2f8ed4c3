#include "core/engine/policy.hpp"

#include <algorithm>
#include <array>
#include <cmath>

namespace hopwise::engine {
namespace {

constexpr std::array<std::string_view, 5> kNames{"balanced", "latency", "throughput", "loss",
                                                 "cost"};

}  // namespace

std::span<const std::string_view> policy_names() {
  return kNames;
}

std::optional<Policy> policy_named(std::string_view name) {
  if (std::ranges::find(kNames, name) == kNames.end()) return std::nullopt;
  Policy policy;
  policy.name = name;
  if (name == "latency") {
    policy.queue_weight = 1.0;
    policy.loss_weight = 0.5;
    policy.jitter_weight = 0.5;
  } else if (name == "throughput") {
    policy.delay_weight = 0.25;
    policy.queue_weight = 0.25;
    policy.jitter_weight = 0;
    policy.load_weight = 2.0;
  } else if (name == "loss") {
    policy.delay_weight = 0.25;
    policy.queue_weight = 0.5;
    policy.loss_weight = 4.0;
    policy.loss_limit = 0.02;
  } else if (name == "cost") {
    policy.delay_weight = 0.25;
    policy.queue_weight = 0.25;
    policy.jitter_weight = 0.1;
    policy.price_weight = 1.0;
  }
  return policy;
}

Policy sound(const Policy& policy) {
  const Policy usual;
  Policy kept = policy;
  const auto keep = [&](double Policy::*figure) {
    if (!std::isfinite(kept.*figure) || kept.*figure < 0) kept.*figure = usual.*figure;
  };
  for (const auto figure :
       {&Policy::delay_weight, &Policy::queue_weight, &Policy::loss_weight, &Policy::jitter_weight,
        &Policy::price_weight, &Policy::load_weight, &Policy::loss_limit, &Policy::price_limit})
    keep(figure);
  return kept;
}

}  // namespace hopwise::engine
