#include "probes/socket/kept_clock.hpp"

#include <sys/timex.h>

namespace hopwise::probes {

std::optional<Duration> kept_clock_error() {
  timex state{};
  if (adjtimex(&state) == TIME_ERROR || (state.status & STA_UNSYNC) != 0) return {};
  return std::chrono::microseconds(state.maxerror);
}

}  // namespace hopwise::probes
