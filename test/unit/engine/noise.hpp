// Many paths full of ordinary noise, and single faults in it: how often the engine is wrong, and
// how soon it is right. Pure functions of a plan and a seed, on simulated time, by the engine's
// public interface alone, so that a benchmark may call them and an older engine may be measured
// too.
//
// Noise: log-normal jitter, spikes, a route that moves by 2 ms, independent losses, bursts of 30 to
// 100 ms in which a path (or one anchor's way) loses everything, and stalls of the host: for 200 ms
// nothing is sent, what was out is void, and a few replies are first reported lost and then late.
// The prober is probes/' own in short: 5 probes a second and anchor in turns of pinned flows,
// faster for 3 s after a loss or a delay out of bounds, or while the engine says so; the first loss
// is followed up at once.
#pragma once

#include <cstdint>
#include <optional>

namespace hopwise::engine {

struct NoisePlan {
  std::uint32_t paths = 4;
  std::uint32_t anchors = 3;    // behind each path, the same ones
  std::uint32_t flows = 4;      // pinned, of each anchor
  double pace = 5;              // probes a second and anchor
  double suspicious_pace = 20;  // while in doubt
  double rtt_ms = 20;
  double jitter_ms = 0.5;     // median of the log-normal part, sigma 0.8
  double loss = 0.005;        // independent
  double spikes = 0.002;      // of replies, +20 to +300 ms
  double flutter_ms = 2;      // the route moves by so much, each minute or so
  double burst_every_s = 60;  // of a path or an anchor, mean; 0: none
  double stall_every_s = 60;  // of the host, mean; 0: none
};

struct NoiseReport {
  std::uint64_t probes = 0;
  std::uint64_t lost = 0;  // late ones too
  int falls = 0;           // paths called degraded or down
  int moves = 0;           // decisions for faults; holds too
  double suspicious = 0;   // part of the time, of a path
  double shifted = 0;      // the same; 0 of an engine that knows no shifts
};

NoiseReport play_noise(const NoisePlan& plan, double minutes, std::uint32_t seed);

/// What befalls the first path after a minute.
struct Fault {
  double loss = 0;           // added, on all its flows
  double delay_ms = 0;       // added, on all its flows
  double flow_loss = 0;      // on one flow of each anchor
  double flow_delay_ms = 0;  // on one flow of each anchor
};

/// Seconds from the fault; empty: not within `within` seconds.
struct Detection {
  std::optional<double> suspicion;  // the engine wanted faster probes, or told a shift
  std::optional<double> verdict;    // degraded or down
  std::optional<double> shift;      // of the delay, told
  bool others_fell = false;
};

Detection detect(const NoisePlan& plan, const Fault& fault, double within, std::uint32_t seed);

}  // namespace hopwise::engine
