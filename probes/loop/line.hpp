// The sockets that probes leave by, and what is about to leave by each: a batch, made by one system
// call. One for all aims of a kind and family; of STAMP one for each pinned flow, whose port it
// has.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "core/model/anchor.hpp"
#include "probes/kinds/icmp.hpp"
#include "probes/kinds/stamp.hpp"
#include "probes/kinds/tcp.hpp"
#include "probes/socket/datagram_socket.hpp"

namespace hopwise::probes {

struct Line {
  static constexpr std::size_t kBatch = 64;
  enum class Duty : std::uint8_t {
    probes,
    errors,  // only hears ICMP errors, about probes of another kind
  };

  Line(DatagramSocket the_socket, const Kind& the_kind, std::uint8_t the_flow, Duty the_duty);

  /// Where the next message is written, and what else is to be filled; then added().
  [[nodiscard]] std::span<std::uint8_t> room();
  [[nodiscard]] Outgoing& next() { return outgoing[queued]; }
  /// `aim` has no verdict to wait for where it is null.
  void added(Aim* aim, std::size_t bytes);
  [[nodiscard]] bool full() const { return queued == kBatch; }

  DatagramSocket socket;
  const Kind& kind;
  std::uint8_t flow;
  Duty duty;
  std::optional<TimePoint> dropped;  // when replies were last found to have been dropped
  std::size_t queued = 0;
  std::array<Outgoing, kBatch> outgoing{};
  std::array<Aim*, kBatch> aims{};
  std::array<int, kBatch> errors{};

 private:
  std::size_t most_bytes_;
  std::vector<std::uint8_t> messages_;
};

class Lines {
 public:
  Lines(const Aims& aims, const Options& options);

  /// Makes the sockets for that kind, unless they are there; those that are new.
  Result<std::vector<Line*>> open(ProbeKind kind, Family family);
  /// Which must be open.
  [[nodiscard]] Line& of(ProbeKind kind, Family family, std::uint8_t flow) const;
  /// When replies of that kind, of any flow, were last found to have been dropped.
  [[nodiscard]] std::optional<TimePoint> dropped(ProbeKind kind, Family family) const;
  [[nodiscard]] const std::vector<std::unique_ptr<Line>>& all() const { return lines_; }

  IcmpKind icmp;
  TcpKind tcp;
  StampKind stamp;

 private:
  using ByFlow = std::array<Line*, probes::Options::kMaxFlows>;
  [[nodiscard]] ByFlow& flows(ProbeKind kind, Family family);
  Result<> open_icmp(Family family);
  Result<> open_tcp(Family family);
  Result<> open_stamp(Family family);
  Result<> open_errors(Family family, std::span<const std::uint16_t> ports, const Kind& kind);
  Line* keep(DatagramSocket socket, const Kind& kind, std::uint8_t flow, Line::Duty duty);

  std::uint32_t flows_;
  std::vector<std::unique_ptr<Line>> lines_;
  std::array<std::array<ByFlow, 2>, 3> by_kind_{};
};

}  // namespace hopwise::probes
