#include "test/fuzz/tables.hpp"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include <algorithm>
#include <ctime>

#include "test/catch.hpp"

namespace hopwise::fuzz {

Tables::Tables(test::Router& router)
    : reasons_(router.map_fd("hw_reasons")),
      flows_(router.map_fd("hw_flows")),
      embryos_(router.map_fd("hw_embryos")),
      read_(static_cast<std::size_t>(libbpf_num_possible_cpus()) * HW_REASON_COUNT) {}

Tables::Reasons Tables::reasons() {
  std::array<__u32, HW_REASON_COUNT> keys{};
  __u32 next = 0, count = HW_REASON_COUNT;
  const int failed =
      bpf_map_lookup_batch(reasons_, nullptr, &next, keys.data(), read_.data(), &count, nullptr);
  if ((failed != 0 && failed != -ENOENT) || count != HW_REASON_COUNT)
    FAIL("reading hw_reasons: " << failed << ", " << count << " entries");
  Reasons sums{};
  const std::size_t cpus = read_.size() / HW_REASON_COUNT;
  for (std::size_t i = 0; i < read_.size(); ++i) sums.at(keys.at(i / cpus)) += read_[i];
  return sums;
}

std::optional<hw_reason> Tables::counted(const Reasons& before, const Reasons& after) {
  std::optional<hw_reason> found;
  for (std::size_t i = 0; i < after.size(); ++i) {
    if (after.at(i) == before.at(i)) continue;
    if (found || after.at(i) != before.at(i) + 1) return std::nullopt;
    found = static_cast<hw_reason>(i);
  }
  return found;
}

std::optional<hw_flow> Tables::find(const hw_flow_key& key) const {
  hw_flow flow{};
  for (const int table : {flows_, embryos_})
    if (bpf_map_lookup_elem(table, &key, &flow) == 0) return flow;
  return std::nullopt;
}

void Tables::judge() const {
  judge(flows_);
  judge(embryos_);
}

void Tables::judge(int table) const {
  timespec clock{};
  clock_gettime(CLOCK_MONOTONIC, &clock);
  const auto now_ns = static_cast<std::uint64_t>(clock.tv_sec) * 1'000'000'000 +
                      static_cast<std::uint64_t>(clock.tv_nsec);
  constexpr std::uint8_t kTcp = 6, kUdp = 17, kIcmp4 = 1, kIcmp6 = 58;
  hw_flow_key key{}, next{};
  hw_flow flow{};
  for (const void* from = nullptr; bpf_map_get_next_key(table, from, &next) == 0; from = &key) {
    key = next;
    if (bpf_map_lookup_elem(table, &key, &flow) != 0) continue;
    const bool v4 = key.family == 4;
    const auto zeros = [](const std::uint8_t* rest) {
      return std::all_of(rest, rest + 12, [](auto byte) { return byte == 0; });
    };
    bool sane =
        (v4 || key.family == 6) && key.pad == 0 &&
        (key.protocol == kTcp || key.protocol == kUdp || key.protocol == (v4 ? kIcmp4 : kIcmp6)) &&
        (!v4 || (zeros(key.source + 4) && zeros(key.destination + 4)));
    const bool control = (flow.flags & HW_FLOW_CONTROL) != 0;
    sane = sane && control == (flow.nexthop == 0) && flow.nexthop < HW_MAX_NEXTHOPS &&
           (control ? flow.path > HW_MAX_PATHS && flow.path < HW_MAX_TRAFFIC
                    : flow.path > 0 && flow.path < HW_MAX_PATHS) &&
           (flow.flags & ~(HW_FLOW_CONTROL | HW_FLOW_ANSWERED)) == 0 && flow.escapes <= 4 &&
           (flow.packets == 0 || flow.bytes >= 20) && flow.last_seen_ns <= now_ns &&
           flow.started_ns <= flow.last_seen_ns && flow.moved_ns <= now_ns &&
           flow.seen.retransmitted <= flow.seen.segments && flow.seen.stamp_kind <= HW_RTT_KINDS &&
           flow.seen.stamp_ns <= now_ns && flow.seen.rtt_us <= 3'600'000'000U;
    if (!sane)
      FAIL("a flow that cannot be: family "
           << +key.family << " protocol " << +key.protocol << " path " << flow.path << " nexthop "
           << flow.nexthop << " flags " << flow.flags << " packets " << flow.packets << " bytes "
           << flow.bytes << " started " << flow.started_ns << " seen " << flow.last_seen_ns
           << " moved " << flow.moved_ns << " now " << now_ns << " rtt us " << flow.seen.rtt_us);
  }
}

}  // namespace hopwise::fuzz
