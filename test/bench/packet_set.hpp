// What the packet benchmark runs on: a namespace, a data plane in it, and one set of flows whose
// packets go through variants of the steering program.
#pragma once

#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "core/dataplane/dataplane.hpp"
#include "core/dataplane/mapped_array.hpp"
#include "test/bench/bpf/frame.h"
#include "test/bench/program.hpp"
#include "test/bench/steering.hpp"
#include "test/bench/visit.hpp"
#include "test/lab/last_will.hpp"
#include "test/lab/namespace.hpp"

namespace hopwise::bench {

/// What the loop does with each packet; as bench_mode in bpf/packet.h.
enum class Work : std::uint32_t { write, steer, look_up };

/// Where the routes come from.
enum class Over : std::uint8_t { hopwise, trie, kernel };

struct Stint {
  Work work = Work::steer;
  std::uint32_t flows = 1;    // the first of the set
  std::uint32_t packets = 1;  // each of the next flow
  bool touch = false;         // what the packets are made of is read before the clock starts
};

class PacketSet {
 public:
  PacketSet();
  ~PacketSet();

  [[nodiscard]] const lab::Namespace& where() const { return where_; }
  dataplane::Dataplane& dataplane() { return *dataplane_; }
  [[nodiscard]] Program load(Over over, const hw_settings& settings) const;

  /// Into the data plane and the tries; the kernel's FIB is the caller's.
  void add_routes(std::span<const Prefix> routes);
  void set_flows(const std::vector<bench_flow>& flows);
  /// Makes the first `flows` established ones: they send, are answered, and send again.
  void establish(std::uint32_t flows);
  void set_affinity(dataplane::Affinity affinity);
  void set_direct(bool direct);

  /// Nanoseconds a packet. Throws when not every packet was redirected, or no route found.
  double run(const Program& program, const Stint& stint);
  /// The program that sees answers: nanoseconds for one that belongs to a flow of the set, and for
  /// a packet of no flow.
  double observe(bool known);

 private:
  void answer(std::uint32_t flow);
  std::vector<std::uint8_t> answer_frame(std::uint32_t flow);
  [[nodiscard]] std::vector<std::uint8_t> blank_frame() const;

  std::string pin_root_;
  lab::LastWill unpin_;
  lab::Namespace where_;
  std::optional<Visit> visit_;
  std::uint32_t lan_ = 0;
  std::vector<Uplink> uplinks_;
  std::unique_ptr<dataplane::Dataplane> dataplane_;
  std::string maps_;
  std::optional<Program> greeter_;  // without a limit of new flows; owner of the maps shared by all
  std::optional<Program> trie_;
  std::optional<Program> observer_;
  std::unique_ptr<dataplane::MappedArray<bench_flow>> flows_;
  std::unique_ptr<dataplane::MappedArray<bench_run>> run_;
  bool v4_ = true;
  std::uint32_t next_ = 0;
  std::uint32_t round_ = 0;  // of the next run
  std::uint32_t sent_ = 0;   // that the last run began with
};

}  // namespace hopwise::bench
