// Where every flow goes: the headers of what the router sends to each upstream, read by a packet
// socket on the upstream's own end of the WAN link, before any emulated delay or loss. It trusts
// neither hopwise nor the traffic generator.
#pragma once

#include <memory>
#include <vector>

#include "core/model/result.hpp"
#include "core/model/time.hpp"
#include "test/lab/lab.hpp"
#include "test/lab/record.hpp"

namespace hopwise::lab {

class Uplinks {
 public:
  /// Watches TCP to kLongPort and kShortPort. `origin` is the zero of the bins.
  static Result<std::unique_ptr<Uplinks>> watch(const Lab& lab, TimePoint origin);
  ~Uplinks();

  /// Bytes sent to each upstream so far.
  [[nodiscard]] std::vector<std::uint64_t> bytes() const;
  /// Everything seen, by bin.
  [[nodiscard]] std::vector<Slice> slices() const;
  /// Packets that the sockets had no room for: not 0 means that the slices are wrong.
  [[nodiscard]] std::uint64_t missed() const;

 private:
  struct Impl;
  explicit Uplinks(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace hopwise::lab
