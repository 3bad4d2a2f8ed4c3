// TCP SYN: the initial sequence number names slot and sequence, under a secret of this process. The
// pinned flows are source ports, which all aims share.
#pragma once

#include <array>
#include <vector>

#include "probes/kinds/kind.hpp"
#include "probes/wire/tcp.hpp"

namespace hopwise::probes {

class TcpKind : public Kind {
 public:
  TcpKind(const Aims& aims, const std::array<std::uint64_t, 2>& secret)
      : aims_(aims), secret_(secret) {}

  /// Those by pinned flow.
  void use_ports(Family family, std::span<const std::uint16_t> ports);
  /// What ends the connection that that SYN of `aim` may have begun.
  std::size_t end(const Aim& aim, std::uint32_t sequence, std::span<std::uint8_t> room) const;

  [[nodiscard]] std::size_t most_bytes() const override { return kSynBytes; }
  /// The source address, aim.from, must be known.
  std::size_t ask(const Question& question, std::span<std::uint8_t> room) const override;
  [[nodiscard]] std::optional<Named> left(std::span<const std::uint8_t> message,
                                          std::uint8_t flow) const override;
  [[nodiscard]] Heard heard(const DatagramSocket::Arrived& arrived,
                            std::uint8_t flow) const override;
  [[nodiscard]] std::optional<Named> quoted(const Quote& quote) const override;

 private:
  [[nodiscard]] const std::vector<std::uint16_t>& ports(Family family) const;
  [[nodiscard]] std::optional<Named> named(std::uint32_t isn, std::uint16_t port) const;

  const Aims& aims_;
  SynSecret secret_;
  std::array<std::vector<std::uint16_t>, 2> ports_;  // of IPv4 and IPv6
};

}  // namespace hopwise::probes
