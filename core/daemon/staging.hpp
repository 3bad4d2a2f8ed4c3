// probes -> data plane: the staging device, for Prober::open(). Probes do not know the data plane.
#pragma once

#include <functional>

#include "core/dataplane/stage.hpp"
#include "probes/binding/staging.hpp"

namespace hopwise {

/// Removes the device that a dead daemon left; a new one is made when the prober asks for it, and
/// lives no longer than what is returned. `trouble` is called on the prober's io_context when it
/// cannot be made, once for each reason: probing goes on with a rule for each nexthop.
probes::Staging stage_probes(const dataplane::Stage::Options& options,
                             std::function<void(const Error&)> trouble);

}  // namespace hopwise
