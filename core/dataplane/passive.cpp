// Counters are read, never reset: the programs add to them meanwhile. A reading is the difference
// to the one before, bucket by bucket, modulo the counters' size. Histograms exist for paths in use
// only, so reading all of them by batches reads no others.
#include "core/dataplane/passive.hpp"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include <algorithm>
#include <cerrno>
#include <cmath>
#include <numeric>
#include <vector>

#include "bpf/rtt.h"

namespace hopwise::dataplane {
namespace {

static_assert(HW_RTT_KINDS == kPassiveMethods);

constexpr std::uint32_t kBatch = 32;  // histograms; each of 1376 bytes a CPU
constexpr std::uint32_t kSound = 0, kWeak = 1;
constexpr int kTries = 8;

Duration middle(std::uint32_t bucket) {
  const std::uint64_t lower = hw_rtt_lower(bucket);
  const std::uint64_t last = hw_rtt_lower(bucket + 1) - 1;
  return Duration((lower + last) * 500);  // of microseconds
}

}  // namespace

void RttHistogram::add(const hw_rtt& of_a_cpu) {
  sum_us += of_a_cpu.sum_us;
  for (std::size_t i = 0; i < samples.size(); ++i) samples[i] += of_a_cpu.samples[i];
  for (std::size_t i = 0; i < bucket.size(); ++i) bucket[i] += of_a_cpu.bucket[i];
}

RttHistogram RttHistogram::since(const RttHistogram& earlier) const {
  RttHistogram added{sum_us - earlier.sum_us};
  for (std::size_t i = 0; i < samples.size(); ++i)
    added.samples[i] = samples[i] - earlier.samples[i];
  for (std::size_t i = 0; i < bucket.size(); ++i) added.bucket[i] = bucket[i] - earlier.bucket[i];
  return added;
}

std::uint64_t RttHistogram::count() const {
  return std::accumulate(bucket.begin(), bucket.end(), std::uint64_t{0});
}

Duration RttHistogram::quantile(double share) const {
  const double rank = std::ceil(share * static_cast<double>(count()));
  double below = 0;
  for (std::uint32_t i = 0; i < bucket.size(); ++i) {
    below += bucket[i];
    if (bucket[i] != 0 && below >= rank) return middle(i);
  }
  return middle(HW_RTT_BUCKETS - 1);
}

PassiveRtt summarise(const RttHistogram& sound, const RttHistogram& weak) {
  PassiveRtt rtt;
  rtt.samples = sound.count();
  for (std::size_t i = 0; i < kPassiveMethods; ++i)
    rtt.by_method[i] = std::uint64_t{sound.samples[i]} + weak.samples[i];
  if (rtt.samples == 0) return rtt;
  rtt.mean = Duration(sound.sum_us * 1000 / rtt.samples);
  rtt.p10 = sound.quantile(0.10);
  rtt.p50 = sound.quantile(0.50);
  rtt.p90 = sound.quantile(0.90);
  rtt.p99 = sound.quantile(0.99);
  return rtt;
}

void Passive::adopt(std::span<const Group> groups) {
  const Indexed left = read();
  for (const Group& group : groups)
    for (const std::uint32_t index : indices(group))
      if (const auto found = left.find(index); found != left.end())
        series_[index] = {group.id, found->second};
  for (const auto& [index, contents] : left)
    if (!series_.contains(index)) erase(index);
  for (const Group& group : groups) set_group(group);
}

std::vector<std::uint32_t> Passive::indices(const Group& group) const {
  std::vector<std::uint32_t> indices;
  for (const Path& path : group.paths) indices.push_back(raw(path.id));
  if (control_share_ > 0) indices.push_back(HW_CONTROL_PATH(raw(group.id)));
  return indices;
}

void Passive::set_group(const Group& group) {
  for (const std::uint32_t index : indices(group)) make(group.id, index);
}

void Passive::make(GroupId group, std::uint32_t index) {
  if (series_.try_emplace(index, Series{group, {}}).second) create(index);
}

// The histogram stays when the group is steered again: flows that began before go on as they are.
void Passive::set_use(GroupId id, Use use) {
  if (use == Use::dry_run) make(id, HW_CONTROL_PATH(raw(id)));
}

void Passive::remove_group(GroupId id) {
  for (auto it = series_.begin(); it != series_.end();) {
    if (it->second.group == id) {
      erase(it->first);
      it = series_.erase(it);
    } else {
      ++it;
    }
  }
}

Dataplane::PassiveReadings Passive::take() {
  Dataplane::PassiveReadings readings;
  Indexed now = read();
  for (auto& [index, series] : series_)
    if (Contents& contents = now[index]; contents.histograms < 2) {
      create(index);
      series.read = contents;  // what is missing begins at nothing
    }
  for (const auto& [index, contents] : now) {
    const auto found = series_.find(index);
    if (found == series_.end()) continue;
    Contents& before = found->second.read;
    const PassiveRtt rtt =
        summarise(contents.sound.since(before.sound), contents.weak.since(before.weak));
    before = contents;
    const auto all = std::accumulate(rtt.by_method.begin(), rtt.by_method.end(), std::uint64_t{0});
    if (all == 0) continue;
    if (index < HW_MAX_PATHS)
      readings.paths[PathId{index}] = rtt;
    else
      readings.control[GroupId{index - HW_MAX_PATHS}] = rtt;
  }
  return readings;
}

// The kernel takes a new entry's memory from a small stock that it fills up again in the
// background: many at once may find it empty. What is missing then is made at the next reading.
void Passive::create(std::uint32_t index) const {
  const std::vector<hw_rtt> zero(static_cast<std::size_t>(libbpf_num_possible_cpus()));
  for (const std::uint32_t weak : {kSound, kWeak}) {
    const hw_rtt_key key{index, weak};
    for (int i = 0; i < kTries; ++i)
      if (bpf_map_update_elem(fd_, &key, zero.data(), BPF_NOEXIST) != -ENOMEM) break;
  }
}

void Passive::erase(std::uint32_t index) const {
  for (const std::uint32_t weak : {kSound, kWeak}) {
    const hw_rtt_key key{index, weak};
    bpf_map_delete_elem(fd_, &key);
  }
}

Passive::Indexed Passive::read() const {
  const auto cpus = static_cast<std::size_t>(libbpf_num_possible_cpus());
  std::vector<hw_rtt_key> keys(kBatch);
  std::vector<hw_rtt> values(kBatch * cpus);
  Indexed contents;
  std::uint32_t position = 0;
  for (int failed = 0; failed == 0 || failed == -ENOSPC;) {
    auto count = static_cast<__u32>(keys.size());
    failed = bpf_map_lookup_batch(fd_, &position, &position, keys.data(), values.data(), &count,
                                  nullptr);
    if (failed == -ENOSPC) {  // more than that fall into one slot of the kernel's hash table
      keys.resize(keys.size() * 2);
      values.resize(keys.size() * cpus);
    }
    if (failed != 0 && failed != -ENOENT) continue;
    for (std::size_t i = 0; i < count; ++i) {
      Contents& of_path = contents[keys[i].path];
      RttHistogram& histogram = keys[i].weak == kSound ? of_path.sound : of_path.weak;
      ++of_path.histograms;
      for (std::size_t cpu = 0; cpu < cpus; ++cpu) histogram.add(values[i * cpus + cpu]);
    }
  }
  return contents;
}

}  // namespace hopwise::dataplane
