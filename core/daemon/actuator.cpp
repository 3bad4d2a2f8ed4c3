#include "core/daemon/actuator.hpp"

namespace hopwise {
namespace {

using dataplane::Actuator;

// A rule set may be long; what to look for is clear from its beginning.
constexpr std::size_t kNamed = 8;

std::string list(const std::vector<std::string>& rules) {
  std::string all;
  for (std::size_t i = 0; i < rules.size() && i < kNamed; ++i)
    all += (i == 0 ? "\"" : ", \"") + rules[i] + '"';
  if (rules.size() > kNamed) all += " and " + std::to_string(rules.size() - kNamed) + " more";
  return all;
}

}  // namespace

const char* text(Actuator actuator) {
  switch (actuator) {
    case Actuator::redirect:
      return "redirect";
    case Actuator::mark:
      return "mark";
    case Actuator::automatic:
      break;
  }
  return "auto";
}

std::vector<std::string> skipped_by(Actuator actuator, const std::vector<KernelPolicy>& found,
                                    std::uint32_t rule_priority) {
  std::vector<std::string> skipped;
  for (const KernelPolicy& policy : found) {
    const bool behind_ours =
        policy.kind == KernelPolicy::Kind::rule && policy.priority >= rule_priority;
    if (actuator == Actuator::redirect || behind_ours) skipped.push_back(policy.text);
  }
  return skipped;
}

ActuatorChoice choose_actuator(Actuator configured, const Result<std::vector<KernelPolicy>>& found,
                               std::uint32_t rule_priority) {
  if (configured != Actuator::automatic) return {configured, "the configuration says so"};
  if (!found) return {Actuator::mark, "the kernel's rules are not known: " + found.error().message};
  std::vector<KernelPolicy> obeyed;
  for (const KernelPolicy& policy : *found)
    if (skipped_by(Actuator::mark, {policy}, rule_priority).empty()) obeyed.push_back(policy);
  if (obeyed.empty()) return {Actuator::redirect, "the kernel has no rules that it would skip"};
  return {Actuator::mark,
          "redirect would skip " + list(skipped_by(Actuator::redirect, obeyed, rule_priority))};
}

std::string why_held(Actuator configured, Actuator in_use, const std::vector<KernelPolicy>& found,
                     std::uint32_t rule_priority) {
  const auto skipped = skipped_by(in_use, found, rule_priority);
  if (skipped.empty()) return {};
  const char* restart =
      choose_actuator(configured, found, rule_priority).actuator == in_use
          ? ""
          : "restart hopwise: it chooses the actuator \"mark\" then, which obeys them; or ";
  return std::string(in_use == Actuator::mark ? "marked" : "redirected") + " packets would skip " +
         list(skipped) + " (" + restart + "set \"bypass_policy\": true if they may)";
}

}  // namespace hopwise
