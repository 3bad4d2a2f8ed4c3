// The wait between taking something away from the programs and using its place anew: some 10 ms.
#pragma once

#include <functional>

namespace hopwise::dataplane {

/// Returns once every program that runs now has ended; false when that cannot be known.
using GracePeriod = std::function<bool()>;

/// Waits for running BPF programs by a bpf(2) call that promises to.
GracePeriod programs_grace_period();

}  // namespace hopwise::dataplane
