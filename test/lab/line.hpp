// One direction of an emulated line, as arithmetic: what becomes of a frame that arrives now.
#pragma once

#include <cstddef>
#include <optional>
#include <random>

#include "core/model/time.hpp"
#include "test/lab/link.hpp"

namespace hopwise::lab {

enum class Fate : std::uint8_t { delivered, lost, dropped };

class Line {
 public:
  explicit Line(std::uint64_t seed) : random_(seed) {}

  Impairment impairment;

  struct Verdict {
    Fate fate;
    TimePoint due;  // when it is delivered; not before any earlier frame
  };
  /// The rate is a virtual clock: the line is busy until `free_`, and a frame that would wait for
  /// it longer than the queue allows is dropped. A frame lost by chance has used its time on the
  /// line like any other.
  Verdict accept(std::size_t bytes, TimePoint now);

 private:
  double chance() { return std::uniform_real_distribution<>(0, 1)(random_); }

  std::mt19937_64 random_;
  TimePoint free_;      // the line has sent everything before
  TimePoint last_due_;  // of the newest frame
};

}  // namespace hopwise::lab
