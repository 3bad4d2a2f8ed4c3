// What the data path may do with a frame, told a second time: from the RFCs and the reasons' own
// words, sharing no line with bpf/parse.h, over bytes that are checked one by one.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>

#include "bpf/abi.h"

namespace hopwise::fuzz {

using Frame = std::span<const std::uint8_t>;

/// Reasons, a bit each, in favour of leaving a packet to the kernel. A packet with several faults
/// may be counted under any of them; one without a fault has to be steered.
using Faults = std::uint32_t;
constexpr Faults fault(hw_reason reason) {
  return Faults{1} << reason;
}
std::string text(Faults faults);

enum class Kind : std::uint8_t { flow, fragment, error };

struct Reading {
  Faults faults = 0;
  Kind kind = Kind::flow;
  hw_flow_key key{};  // without faults: whole
  std::uint8_t hops = 0;
  std::uint8_t dscp = 0;      // RFC 2474; of an error: of what it quotes
  std::size_t bytes = 0;      // of layer 3
  std::size_t transport = 0;  // where it begins in the frame; 0: not in this packet
};

/// `frame` is all of the packet, and with `aggregate` several in one, as GRO makes them. Faults of
/// the frame's own only: not of routes, lease or marks.
enum class Merged : std::uint8_t { no, aggregate };
/// `together`: fragments are put together before they are routed, as marked ones are.
enum class Fragments : std::uint8_t { apart, together };
struct Handling {
  Merged merged = Merged::no;
  Fragments fragments = Fragments::apart;
};
Reading read_frame(Frame frame, Handling handling);

/// Whether `after` is `before` with one hop less, a right checksum and nothing else new behind its
/// Ethernet addresses.
bool forwarded(Frame before, Frame after);

}  // namespace hopwise::fuzz
