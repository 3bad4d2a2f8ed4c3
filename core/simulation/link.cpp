#include "core/simulation/link.hpp"

#include <algorithm>

namespace hopwise::simulation {

Link::Link(const LinkSpec& spec, std::uint64_t seed, std::uint64_t stream)
    : spec_(spec), burst_random_(seed, 2 * stream), cross_random_(seed, 2 * stream + 1) {
  state_.base_ms = state_.rtt_ms = spec.base_ms;
  burst_left_s_ = burst_random_.exponential(spec.bursts.good_s);
  walk_ = cross_random_.normal();
}

void Link::change(const LinkSpec& spec) {
  if (spec.base_ms != spec_.base_ms) state_.base_ms = spec.base_ms;
  spec_ = spec;
}

double Link::cross_bit_s(double t_s, double dt_s) {
  const Cross& c = spec_.cross;
  double rate = c.mean_bit_s;
  switch (c.kind) {
    case CrossKind::constant:
      break;
    case CrossKind::sine:
      rate += c.amplitude_bit_s * std::sin(2 * std::numbers::pi * t_s / c.period_s);
      break;
    case CrossKind::on_off:
      for (phase_left_s_ -= dt_s; phase_left_s_ <= 0;) {
        on_ = !on_;
        phase_left_s_ += cross_random_.exponential(c.period_s / 2) + 1e-3;
      }
      rate = on_ ? rate : 0;
      break;
    case CrossKind::walk: {
      const double kept = std::exp(-dt_s / c.period_s);
      walk_ = kept * walk_ + std::sqrt(1 - kept * kept) * cross_random_.normal();
      rate += c.amplitude_bit_s * walk_;
      break;
    }
  }
  return std::max(rate, 0.0);
}

double Link::random_loss(double dt_s) {
  double passed = 1 - spec_.loss;
  if (spec_.bursts.loss > 0) {
    for (burst_left_s_ -= dt_s; burst_left_s_ <= 0;) {
      bad_ = !bad_;
      burst_left_s_ +=
          burst_random_.exponential(bad_ ? spec_.bursts.bad_s : spec_.bursts.good_s) + 1e-3;
    }
    if (bad_) passed *= 1 - spec_.bursts.loss;
  }
  return 1 - passed;
}

void Link::step(double load_bit_s, double t_s, double dt_s) {
  LinkState& s = state_;
  s.base_ms += spec_.drift_ms_s * dt_s;
  s.load_bit_s = load_bit_s;
  s.cross_bit_s = cross_bit_s(t_s, dt_s);
  const double in = (load_bit_s + s.cross_bit_s) * dt_s;
  const double noise = random_loss(dt_s);
  s.in_bits += in;
  if (spec_.outage != Outage::none) {
    s.lost_bits += in + s.queue_bits;
    s.queue_bits = 0;
    s.loss = 1;
    s.rtt_ms = s.base_ms;
    return;
  }
  const double before = s.queue_bits;
  const double out = std::min(before + in, spec_.capacity_bit_s * dt_s);
  const double room = spec_.capacity_bit_s * spec_.buffer_ms / 1000;
  s.queue_bits = std::min(before + in - out, room);
  const double over = before + in - out - s.queue_bits;
  // The buffer may just have shrunk: then more is lost than came in.
  const double tail = in > 0 ? std::min(over / in, 1.0) : 0;
  s.loss = 1 - (1 - tail) * (1 - noise);
  s.out_bits += out * (1 - noise);
  s.lost_bits += over + out * noise;
  s.rtt_ms = s.base_ms + 1000 * s.queue_bits / spec_.capacity_bit_s;
}

}  // namespace hopwise::simulation
