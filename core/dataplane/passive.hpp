// Passive round-trip times: the histograms that the programs fill (hw_rtt in bpf/abi.h), made for
// every path of a group and read as what was added since the last reading.
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <span>
#include <vector>

#include "bpf/abi.h"
#include "core/dataplane/dataplane.hpp"
#include "core/model/passive.hpp"
#include "core/model/path.hpp"

namespace hopwise::dataplane {

/// A histogram's contents over all CPUs, or the difference of two. Counts are modulo 2^32, as the
/// programs count.
struct RttHistogram {
  std::uint64_t sum_us = 0;
  std::array<std::uint32_t, HW_RTT_KINDS> samples{};
  std::array<std::uint32_t, HW_RTT_BUCKETS> bucket{};

  void add(const hw_rtt& of_a_cpu);
  [[nodiscard]] RttHistogram since(const RttHistogram& earlier) const;
  [[nodiscard]] std::uint64_t count() const;
  /// The time below which this share of the samples lies: the middle of the bucket that holds it,
  /// so within 1/32 of it, and exact to the microsecond below 32 us. `count()` > 0.
  [[nodiscard]] Duration quantile(double share) const;
};

/// Of the sound methods' samples; `weak` adds only how many it has.
PassiveRtt summarise(const RttHistogram& sound, const RttHistogram& weak);

class Passive {
 public:
  /// `control_share` > 0: groups have a histogram of their control flows too.
  Passive(int rtt_fd, double control_share) : fd_(rtt_fd), control_share_(control_share) {}

  /// Takes over what an earlier daemon left of these groups, as read, and removes the rest.
  void adopt(std::span<const Group> groups);
  /// Makes the group's histograms where they are missing.
  void set_group(const Group& group);
  void remove_group(GroupId id);
  /// Of a group in dry run all flows are its control flows, which are timed then.
  void set_use(GroupId id, Use use);

  /// What was added since the last call; paths without any samples are left out. Makes histograms
  /// that the kernel had no memory for before.
  Dataplane::PassiveReadings take();

 private:
  struct Contents {
    RttHistogram sound, weak;
    std::uint32_t histograms = 0;  // of these two, that the kernel has
  };
  struct Series {
    GroupId group{};
    Contents read;
  };
  using Indexed = std::map<std::uint32_t, Contents>;  // by index of hw_traffic

  [[nodiscard]] std::vector<std::uint32_t> indices(const Group& group) const;
  void make(GroupId group, std::uint32_t index);
  void create(std::uint32_t index) const;
  void erase(std::uint32_t index) const;
  [[nodiscard]] Indexed read() const;

  int fd_;
  double control_share_;
  std::map<std::uint32_t, Series> series_;
};

}  // namespace hopwise::dataplane
