// The aims of probes: each (nexthop, anchor) with its stream and what its probes need on the wire.
//
// An aim keeps its slot as long as it lives, and its probes carry the slot: so a reply finds its
// aim at once. Not all kinds have room for a nonce beside the slot, and who lived in it before may
// have asked the same anchor by another nexthop: so a slot rests before it is used again.
#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "core/model/path.hpp"
#include "core/model/status.hpp"
#include "probes/schedule/directional.hpp"
#include "probes/schedule/stream.hpp"
#include "probes/target.hpp"
#include "probes/wire/hmac_key.hpp"

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

struct Aim {
  NexthopId nexthop{};
  std::uint32_t ifindex = 0;                 // of the nexthop
  std::optional<EthernetAddress> gateway{};  // of the nexthop, where it is known
  AnchorSpec spec;
  std::optional<HmacKey> key{};  // of spec.stamp_key
  std::uint32_t mark = 0;
  std::uint64_t nonce = 0;
  Stream stream;
  std::uint32_t slot = 0;
  std::optional<IpAddress> from{};  // source address of its probes ...
  std::uint64_t from_as_of = 0;     // ... of that state of the host
  bool counted_fast = false;        // as the budget has it
  bool stuck = false;               // the last probe could not be sent
  std::uint8_t ends_left = 0;       // TCP: how many SYN-ACKs may be answered
  Trouble trouble{};
  std::uint64_t forged = 0;
  std::uint64_t refused = 0;
  std::vector<Directional> sessions{};  // STAMP: by pinned flow
  std::optional<Duration> forward{}, backward{};

  [[nodiscard]] const Anchor& anchor() const { return spec.anchor; }
  [[nodiscard]] Family family() const { return spec.anchor.address.family; }
  /// Without `rate`, which the budget knows.
  [[nodiscard]] ProbeStatus status(TimePoint now) const;
};

class Aims {
 public:
  /// A STAMP session identifier holds no more.
  static constexpr std::size_t kMost = 65535;
  /// So long a slot stays empty, unless there is no other: longer than packets live.
  static constexpr Duration kRest = std::chrono::minutes(1);

  /// Into a free slot; nothing when there are kMost.
  Aim* add(Aim aim, TimePoint now);
  [[nodiscard]] Aim* at(std::uint32_t slot) const {
    return slot < slots_.size() ? slots_[slot].get() : nullptr;
  }
  [[nodiscard]] Aim* find(NexthopId id, const AnchorSpec& spec) const;
  /// Removes one that is there.
  void remove(const Aim& aim, TimePoint now);
  [[nodiscard]] std::size_t size() const { return slots_.size() - free_.size(); }

  template <class Action>
  void each(Action action) const {
    for (const auto& aim : slots_)
      if (aim) action(*aim);
  }
  /// `action` may remove the aim that it is given.
  template <class Action>
  void each(NexthopId id, Action action) const {
    const auto found = by_nexthop_.find(id);
    if (found == by_nexthop_.end()) return;
    for (const std::uint32_t slot : std::vector(found->second)) action(*slots_[slot]);
  }

 private:
  std::vector<std::unique_ptr<Aim>> slots_;
  struct Free {
    std::uint32_t slot = 0;
    TimePoint since;
  };
  std::deque<Free> free_;  // the longest free first
  std::map<NexthopId, std::vector<std::uint32_t>> by_nexthop_;
};

}  // namespace hopwise::probes
