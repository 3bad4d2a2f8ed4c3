// The staging device for a prober that runs without the daemon.
#pragma once

#include "probes/binding/staging.hpp"

namespace hopwise::bench {

/// Made in the namespace where it is called. It lives no longer than what is returned.
probes::Staging stage();

}  // namespace hopwise::bench
