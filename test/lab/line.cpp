#include "test/lab/line.hpp"

#include <algorithm>

namespace hopwise::lab {

Line::Verdict Line::accept(std::size_t bytes, TimePoint now) {
  const Impairment& how = impairment;
  TimePoint sent = now;
  if (how.rate_bit_s > 0) {
    const TimePoint start = std::max(free_, now);
    if (start - now > how.queue) return {Fate::dropped, {}};
    sent = start + Duration(bytes * 8 * std::nano::den / how.rate_bit_s);
    free_ = sent;
  }
  if (how.loss > 0 && chance() < how.loss) return {Fate::lost, {}};
  Duration delay = how.delay;
  if (how.jitter > Duration::zero())
    delay += std::chrono::duration_cast<Duration>(how.jitter * (2 * chance() - 1));
  last_due_ = std::max(last_due_, sent + std::max(delay, Duration::zero()));
  return {Fate::delivered, last_due_};
}

}  // namespace hopwise::lab
