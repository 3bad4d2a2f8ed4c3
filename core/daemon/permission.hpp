// Whether steering is permitted: the actuator is chosen once, at the start, and held whenever it
// would skip rules of the kernel that the operator has not given up. To steer past them is the
// operator's choice, never ours.
#pragma once

#include <string>
#include <vector>

#include "core/config/config.hpp"
#include "core/daemon/actuator.hpp"
#include "core/daemon/log.hpp"

namespace hopwise {

class Permission {
 public:
  Permission(const config::Config& config, Log& log);

  [[nodiscard]] const ActuatorChoice& actuator() const { return actuator_; }
  [[nodiscard]] dataplane::Options dataplane_options(const config::Config& config) const;
  [[nodiscard]] probes::Options probe_options(const config::Config& config) const;

  /// Looks at the kernel's rules as they are now, and says when the answer has changed.
  void check(const config::Config& config, const std::vector<std::string>& lan_interfaces);
  [[nodiscard]] bool was_checked_for(const std::vector<std::string>& lan_interfaces) const {
    return asked_for_ == lan_interfaces;
  }
  /// Empty: it is permitted.
  [[nodiscard]] const std::string& held_because() const { return held_because_; }

  /// Warns of what the configuration wants and the actuator cannot do.
  void check_wishes(const config::Config& config) const;

 private:
  Log& log_;
  ActuatorChoice actuator_;
  std::string held_because_;
  std::vector<std::string> asked_for_;
};

}  // namespace hopwise
