#include "probes/socket/clock_error.hpp"

#include <sys/timex.h>

namespace hopwise::probes {

ErrorEstimate wall_clock_error() {
  timex told{};
  const int state = adjtimex(&told);
  if (state < 0) return ErrorEstimate::of(Duration::max());
  auto error = ErrorEstimate::of(std::chrono::microseconds(told.maxerror));
  error.synchronised = state != TIME_ERROR && (told.status & STA_UNSYNC) == 0;
  return error;
}

}  // namespace hopwise::probes
