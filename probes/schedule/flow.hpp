// The flows of probes: each (nexthop, anchor) with its stream and what its probes need on the wire.
//
// A flow keeps its slot as long as it lives, and its probes carry slot and nonce: so a reply finds
// its flow at once, and a reply to one that lived in that slot before finds none.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "core/model/path.hpp"
#include "probes/schedule/stream.hpp"
#include "probes/socket/echo_socket.hpp"
#include "probes/wire/icmp.hpp"

namespace hopwise::probes {

struct SendFailure {
  int error = 0;
};
struct RefusedBy {
  IpAddress by;
  std::uint8_t type = 0, code = 0;
};
/// What went wrong last. Text only for what happens before a probe is tried; probing itself never
/// allocates.
using Trouble = std::variant<std::monostate, SendFailure, RefusedBy, std::string>;

std::optional<std::string> text(const Trouble& trouble);

struct Flow {
  NexthopId nexthop{};
  IpAddress anchor;
  EchoSocket::Route route;
  std::uint64_t nonce = 0;
  Stream stream;
  std::uint32_t slot = 0;
  Trouble trouble;
};

class Flows {
 public:
  /// Into the first free slot.
  void add(Flow flow);
  [[nodiscard]] bool has(NexthopId id, const IpAddress& anchor) const;
  /// The flow that sent a probe of this tag.
  [[nodiscard]] Flow* find(const EchoTag& tag) const;
  void remove(NexthopId id);
  /// Removes those of the nexthop whose anchor is not among these.
  void remove_others(NexthopId id, const std::vector<IpAddress>& anchors);
  /// When the first of them has something to do.
  [[nodiscard]] std::optional<TimePoint> due() const;

  template <class Action>
  void each(Action action) const {
    for (const auto& flow : slots_)
      if (flow) action(*flow);
  }
  template <class Action>
  void each(NexthopId id, Action action) const {
    for (const auto& flow : slots_)
      if (flow && flow->nexthop == id) action(*flow);
  }

 private:
  std::vector<std::unique_ptr<Flow>> slots_;
};

}  // namespace hopwise::probes
