// Which way packets are sent to their nexthops, and when neither way may be used. Pure.
//
// `redirect` is the fastest, and skips whatever policy the kernel has. `mark` obeys it, but for
// policy rules behind our own, and costs the stack's way. So "auto" is redirect where there is
// nothing to skip, else mark; and steering is held while what is used would skip something.
#pragma once

#include <string>
#include <vector>

#include "core/daemon/policy.hpp"
#include "core/dataplane/dataplane.hpp"

namespace hopwise {

struct ActuatorChoice {
  dataplane::Actuator actuator = dataplane::Actuator::redirect;  // never automatic
  std::string because;
};

const char* text(dataplane::Actuator actuator);

/// `found` or why it is not known; `rule_priority`: that of our own rules.
ActuatorChoice choose_actuator(dataplane::Actuator configured,
                               const Result<std::vector<KernelPolicy>>& found,
                               std::uint32_t rule_priority);

/// Those that packets would skip which `actuator` sends.
std::vector<std::string> skipped_by(dataplane::Actuator actuator,
                                    const std::vector<KernelPolicy>& found,
                                    std::uint32_t rule_priority);

/// Why steering must be held, with a remedy; empty: it need not.
std::string why_held(dataplane::Actuator configured, dataplane::Actuator in_use,
                     const std::vector<KernelPolicy>& found, std::uint32_t rule_priority);

}  // namespace hopwise
