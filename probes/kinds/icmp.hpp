// ICMP echo: the tag in the payload names slot and sequence, and its nonce is the aim's secret. The
// pinned flows are checksums.
#pragma once

#include "probes/kinds/kind.hpp"

namespace hopwise::probes {

class IcmpKind : public Kind {
 public:
  IcmpKind(const Aims& aims, std::uint16_t identifier) : aims_(aims), identifier_(identifier) {}

  [[nodiscard]] std::uint16_t identifier() const { return identifier_; }
  /// Of probes from now on.
  void set_payload(std::uint32_t bytes);

  [[nodiscard]] std::size_t most_bytes() const override;
  std::size_t ask(const Question& question, std::span<std::uint8_t> room) const override;
  [[nodiscard]] std::optional<Named> left(std::span<const std::uint8_t> message,
                                          std::uint8_t flow) const override;
  [[nodiscard]] Heard heard(const DatagramSocket::Arrived& arrived,
                            std::uint8_t flow) const override;
  [[nodiscard]] std::optional<Named> quoted(const Quote& quote) const override;

 private:
  [[nodiscard]] Heard refusal(const DatagramSocket::Arrived& arrived) const;

  const Aims& aims_;
  std::uint16_t identifier_;
  std::size_t payload_ = 32;
};

}  // namespace hopwise::probes
