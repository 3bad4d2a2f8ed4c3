// One simulated link: a fluid queue before a server of a given capacity, behind a fixed delay.
//
//   dq = (load + cross - C) dt, clamped to the buffer; what the buffer cannot hold is lost;
//   round-trip time = base + q / C.
//
// Random losses come on top, the same for all who use the link: Bernoulli, and bursts by Gilbert's
// and Elliott's two states. Cross traffic is somebody else's: it fills the link and heeds nobody.
// What probes meet need not be what users meet: a way that is longer beyond the anchor, or an
// anchor that does not answer all.
#pragma once

#include <cstdint>
#include <string>

#include "core/simulation/random.hpp"

namespace hopwise::simulation {

/// Of two states of exponential length, the bad one loses packets (Gilbert 1960, Elliott 1963).
struct Bursts {
  double loss = 0;   // in the bad state, 0..1; 0: there are none
  double bad_s = 1;  // mean length
  double good_s = 60;
};

enum class CrossKind : std::uint8_t {
  constant,  // `mean_bit_s`
  sine,      // mean + amplitude sin(2 pi t / period)
  on_off,    // `mean_bit_s` while on, for period/2 on average; then off for as long
  walk,      // Ornstein-Uhlenbeck round the mean, deviation `amplitude`, time constant `period`
};

struct Cross {
  CrossKind kind = CrossKind::constant;
  double mean_bit_s = 0;
  double amplitude_bit_s = 0;
  double period_s = 60;
  bool ours = false;  // of the router's own: its interface counts it, nobody steers it
};

/// How a link is out of order.
enum class Outage : std::uint8_t {
  none,
  black_hole,  // swallows all, and nobody is told
  link_down,   // the router sees that its carrier is gone
};

struct LinkSpec {
  std::string name{};
  double capacity_bit_s = 1e9;
  double base_ms = 20;       // round trip, without any queue
  double drift_ms_s = 0;     // of the base, a second
  double buffer_ms = 100;    // of the queue, at this capacity
  double jitter_ms = 0.3;    // mean of what is added to each packet's time: exponential
  double spike = 0;          // probability that a packet takes 200 ms more
  double loss = 0;           // Bernoulli, 0..1
  double user_extra_ms = 0;  // what users' round trips take beyond the anchor: no probe sees it
  double probe_loss = 0;     // of probes alone, 0..1: of an anchor that rations its answers
  Bursts bursts{};
  Cross cross{};
  Outage outage = Outage::none;
};

/// What a link did in its last step, and what has become of all bits so far.
struct LinkState {
  double rtt_ms = 0;  // base and queue, without jitter
  double base_ms = 0;
  double loss = 0;        // of what came in this step, 0..1
  double load_bit_s = 0;  // of those who are steered
  double cross_bit_s = 0;
  double queue_bits = 0;
  double in_bits = 0, out_bits = 0, lost_bits = 0;  // since the beginning, cross traffic too
};

class Link {
 public:
  Link(const LinkSpec& spec, std::uint64_t seed, std::uint64_t stream);

  /// One step of the fluid; `t_s` is the time at its end.
  void step(double load_bit_s, double t_s, double dt_s);
  /// Takes effect at the next step; the queue stays, within the new buffer.
  void change(const LinkSpec& spec);

  [[nodiscard]] const LinkSpec& spec() const { return spec_; }
  [[nodiscard]] const LinkState& state() const { return state_; }

 private:
  double cross_bit_s(double t_s, double dt_s);
  double random_loss(double dt_s);

  LinkSpec spec_;
  LinkState state_;
  Random burst_random_;
  Random cross_random_;
  bool bad_ = false;  // Gilbert-Elliott
  double burst_left_s_ = 0;
  bool on_ = false;  // of on_off
  double phase_left_s_ = 0;
  double walk_ = 0;  // of walk, in deviations
};

}  // namespace hopwise::simulation
