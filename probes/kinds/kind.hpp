// What the kinds of probes have in common: how one is asked, and who is meant by what comes back.
//
// A kind knows its messages and how they name their aim; it knows no sockets and no clocks. One
// that names an aim without knowing what only an answer to its probe can know is a forgery.
#pragma once

#include <cstdint>
#include <optional>
#include <span>

#include "probes/schedule/aim.hpp"
#include "probes/socket/datagram_socket.hpp"
#include "probes/wire/quote.hpp"

namespace hopwise::probes {

/// A probe that is to be made: the next one of its aim's stream.
struct Question {
  const Aim& aim;
  std::uint32_t sequence = 0;
  std::uint8_t flow = 0;
  WallTime wall;  // now, of STAMP
};

/// A probe that was made.
struct Named {
  Aim* aim = nullptr;
  std::uint32_t sequence = 0;
};

/// What a STAMP reflector tells beside its answer.
struct Reflected {
  std::uint32_t request = 0, reply = 0;  // the numbers of both, in their session
  WallTime received, sent;               // T2 and T3
  bool synchronised = false;             // both clocks
};

struct Heard {
  enum class Says : std::uint8_t { unknown, forged, reply, refusal };

  Says says = Says::unknown;
  Aim* aim = nullptr;  // all but unknown
  std::uint32_t sequence = 0;
  Duration turnaround{};
  std::optional<Reflected> reflected{};
  bool half_open = false;           // the anchor waits for a connection, which is to be ended
  std::uint8_t type = 0, code = 0;  // refusal: of ICMP
};

class Kind {
 public:
  Kind() = default;
  Kind(const Kind&) = delete;
  Kind& operator=(const Kind&) = delete;
  virtual ~Kind() = default;

  /// Of its messages.
  [[nodiscard]] virtual std::size_t most_bytes() const = 0;
  /// Writes the probe, which has that many bytes.
  virtual std::size_t ask(const Question& question, std::span<std::uint8_t> room) const = 0;
  /// Which probe that message of pinned flow `flow` was, as the interface got it.
  [[nodiscard]] virtual std::optional<Named> left(std::span<const std::uint8_t> message,
                                                  std::uint8_t flow) const = 0;
  [[nodiscard]] virtual Heard heard(const DatagramSocket::Arrived& arrived,
                                    std::uint8_t flow) const = 0;
  /// Whose probe an ICMP error is about.
  [[nodiscard]] virtual std::optional<Named> quoted(const Quote& quote) const = 0;
};

}  // namespace hopwise::probes
