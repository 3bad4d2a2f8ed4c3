// STAMP to a reflector (RFC 8762, 8972; TWAMP-Light too), by UDP. The pinned flows are source
// ports, each a session of its own: numbers begin at 0 and go on by one in each.
//
// The session identifier is the slot's number + 1. Reflectors that do not know it leave it out; so
// the slot is in T1 as well, which all repeat: in its lowest 16 bits (15 us), under a secret with
// all that the packet says else. Who has not seen the probe meets them once in 65,536 times, if he
// knows both ports and the number. That T1 is no more exact than that its error estimate says.
#pragma once

#include <array>
#include <vector>

#include "probes/kinds/kind.hpp"
#include "probes/wire/ntp_time.hpp"

namespace hopwise::probes {

class StampKind : public Kind {
 public:
  StampKind(const Aims& aims, const std::array<std::uint64_t, 2>& secret, std::uint32_t flows)
      : aims_(aims), secret_(secret), flows_(flows) {}

  /// Those by pinned flow.
  void use_ports(Family family, std::span<const std::uint16_t> ports);
  /// How far this host's clock may be off.
  void set_clock_error(const ErrorEstimate& error);

  [[nodiscard]] std::size_t most_bytes() const override;
  std::size_t ask(const Question& question, std::span<std::uint8_t> room) const override;
  [[nodiscard]] std::optional<Named> left(std::span<const std::uint8_t> message,
                                          std::uint8_t flow) const override;
  [[nodiscard]] Heard heard(const DatagramSocket::Arrived& arrived,
                            std::uint8_t flow) const override;
  [[nodiscard]] std::optional<Named> quoted(const Quote& quote) const override;

 private:
  /// What a probe says of itself: its number in its session, and T1.
  struct Said {
    std::uint32_t number = 0;
    std::uint64_t sent = 0;
  };
  [[nodiscard]] std::uint16_t veil(std::uint32_t sequence, std::uint64_t sent) const;
  [[nodiscard]] std::optional<Named> named(const Said& said, std::uint8_t flow) const;
  [[nodiscard]] std::optional<Named> answered(const DatagramSocket::Arrived& arrived,
                                              std::uint8_t flow) const;
  [[nodiscard]] Heard stranger(const DatagramSocket::Arrived& arrived) const;

  const Aims& aims_;
  std::array<std::uint64_t, 2> secret_;
  std::uint32_t flows_;
  ErrorEstimate error_ = ErrorEstimate::of(kLeastError);
  std::array<std::vector<std::uint16_t>, 2> ports_;  // of IPv4 and IPv6

  static constexpr Duration kLeastError = std::chrono::microseconds(16);
};

}  // namespace hopwise::probes
