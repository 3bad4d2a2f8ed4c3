// Whether somebody keeps CLOCK_REALTIME in step with the world's, as chrony or ntpd do.
#pragma once

#include <optional>

#include "core/model/time.hpp"

namespace hopwise::probes {

/// How far it may be off, by who keeps it (adjtimex(2)); empty: nobody does.
std::optional<Duration> kept_clock_error();

}  // namespace hopwise::probes
