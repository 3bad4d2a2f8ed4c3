// How far off the wall clock may be, as the kernel was told by who disciplines it (adjtimex(2)).
#pragma once

#include "probes/wire/ntp_time.hpp"

namespace hopwise::probes {

/// The kernel's maximum error (it grows while nobody corrects the clock), and whether the clock is
/// synchronised at all.
ErrorEstimate wall_clock_error();

}  // namespace hopwise::probes
