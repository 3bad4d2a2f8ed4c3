#include "core/simulation/controller.hpp"

#include <array>

#include "core/simulation/baselines.hpp"
#include "core/simulation/hopwise.hpp"

namespace hopwise::simulation {
namespace {

constexpr std::array<std::string_view, 8> kNames{"hopwise",   "ecmp",       "static",      "greedy",
                                                 "threshold", "hysteresis", "inverse_rtt", "texcp"};

}  // namespace

std::span<const std::string_view> controller_names() {
  return kNames;
}

std::unique_ptr<Controller> make_controller(std::string_view name, const Router& router) {
  if (name == "hopwise") return std::make_unique<HopwiseController>(router);
  return make_baseline(name, router);
}

}  // namespace hopwise::simulation
