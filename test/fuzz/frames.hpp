// An endless supply of frames, good and bad, always the same ones for a seed.
//
// Each begins as a whole packet of some kind (transport with options, QUIC, echo, ICMP error with
// the packet it is about, fragments, extension headers, VLAN, not IP ...) between few enough
// addresses and ports that flows meet again; most are then damaged a little: bits, lengths, types,
// cuts. Checksums are mostly mended afterwards, so that the damage gets past the first gate.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <vector>

namespace hopwise::fuzz {

using Bytes = std::vector<std::uint8_t>;

/// SplitMix64 (Steele, Lea, Flood 2014).
class Random {
 public:
  explicit Random(std::uint64_t seed) : state_(seed) {}

  std::uint64_t word();
  /// 0 .. below - 1
  std::uint32_t below(std::uint32_t limit);
  bool one_in(std::uint32_t n) { return below(n) == 0; }
  std::uint32_t any_of(std::initializer_list<std::uint32_t> values);

 private:
  std::uint64_t state_;
};

class Frames {
 public:
  explicit Frames(std::uint64_t seed) : random_(seed) {}

  /// At least an Ethernet header and, where it says IP, a header's worth: the kernel runs programs
  /// on no less. `back`: as from the WAN.
  Bytes next(bool back);

 private:
  void address(std::uint8_t family, bool inside);
  void addresses(std::uint8_t family, bool back);
  void number(std::uint32_t value, int bytes);
  void noise(std::size_t bytes);
  void tcp();
  void udp();
  void quic();
  void echo(std::uint8_t family);
  void error(std::uint8_t family, bool back);
  void transport(std::uint8_t family, std::uint8_t protocol, bool back);
  void ip4(std::uint8_t protocol, bool back, bool plain);
  void ip6(std::uint8_t protocol, bool back, bool plain);
  void packet(std::uint8_t family, bool back);
  void damage();
  void mend();

  Random random_;
  Bytes frame_;
};

}  // namespace hopwise::fuzz
