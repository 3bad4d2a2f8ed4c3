// A road for packets: three namespaces, a router in the middle, a generator and sinks at the ends.
//
//   hw<pid>-<label>-gen       hw<pid>-<label>-rtr            hw<pid>-<label>-snk
//        g0  ----------------  lan0        wan0  ------------  s0 192.0.2.2
//   10.255.255.2              10.255.255.1 wan1  ------------  s1 198.51.100.2
//
// The generator sends live frames by BPF_PROG_TEST_RUN; the softirqs that carry them through the
// router to the sinks run on the same CPU, within the same call. Neighbours are fixed.
#pragma once

#include <array>
#include <memory>
#include <string>
#include <vector>

#include "core/dataplane/handle.hpp"
#include "core/dataplane/tables.hpp"
#include "test/bench/bpf/frame.h"
#include "test/lab/namespace.hpp"

struct traffic_bpf;

namespace hopwise::bench {

/// What became of a number of packets.
struct Passage {
  std::uint64_t sent = 0;
  std::uint64_t arrived = 0;
  double ns_per_packet = 0;  // the median over stretches of some 10 ms: what disturbs a few of them
                             // does not count
};

/// What stands at the router's LAN ingress in place of a router.
enum class Stand : std::uint8_t { nothing, drop, bare };

class Road {
 public:
  explicit Road(const std::string& label);
  ~Road();

  [[nodiscard]] const lab::Namespace& router() const { return router_; }
  [[nodiscard]] std::uint32_t lan() const { return lan_; }
  [[nodiscard]] std::uint32_t wan(std::size_t i) const { return wan_.at(i); }

  void set_flows(const std::vector<bench_flow>& flows);
  /// One packet of every flow, and then one answer of every flow, unless there is none to be had.
  void greet();
  /// `stretches` times some 10 ms of packets through whatever the router is made to be.
  Passage drive(int stretches);
  /// The same with `stand` at the LAN ingress.
  Passage drive(int stretches, Stand stand);

 private:
  void build();
  void load();
  /// Nanoseconds a packet, by the kernel's own clock around the loop that sends.
  double send(std::uint32_t packets, bool back);
  [[nodiscard]] std::uint64_t seen() const;

  lab::Namespace generator_, router_, sink_;
  std::uint32_t g0_ = 0, s0_ = 0, lan_ = 0;
  std::array<std::uint32_t, 2> wan_{};
  std::unique_ptr<traffic_bpf, void (*)(traffic_bpf*)> programs_;
  std::vector<dataplane::Handle> links_;
  std::unique_ptr<dataplane::MappedArray<bench_flow>> flows_;
  std::unique_ptr<dataplane::MappedArray<bench_plan>> plan_;
  std::array<std::array<std::uint8_t, 12>, 2> ethernet_{};  // forward, back
  std::uint32_t frame_bytes_ = 0;
};

}  // namespace hopwise::bench
