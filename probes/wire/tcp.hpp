// The wire format of a TCP probe: a SYN whose answer, SYN-ACK or RST, is all that is wanted; pure.
//
// A port that is open answers with SYN-ACK, a closed one with RST and ACK (RFC 9293, 3.5.2): both
// acknowledge our initial sequence number + 1, so that number says which probe was answered. It
// carries the prober's slot and sequence under a secret of the process (SynSecret): who does not
// see our SYNs meets one that is out with no better chance than one in 2^32 for each of them, and
// has to know port and address as well. TCP checksums of answers are not looked at: on virtual
// interfaces they are filled in later than a raw socket sees them.
//
// An answer of SYN-ACK leaves a half-open connection on the other side. Our RST ends it, the way
// the SYN took (the kernel, which knows no such connection, sends one too, without the mark). It is
// sent where no answer was heard as well: a half-open connection takes no other SYN from its port
// (RFC 9293, 3.10.7.4), and its SYN-ACK would be repeated and pass for a late answer. The
// ports must be held by a bound TCP socket, or the kernel gives them to connections.
//
// Source addresses: a raw socket of IPv4 makes the IP header but no TCP checksum, and the checksum
// covers the source address. So this must be known before, and the packet be sent from it
// (IP_PKTINFO). With a raw socket of IPv6, IPV6_CHECKSUM (offset 16) has the kernel do it, whatever
// stands there.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>

#include "core/model/address.hpp"

namespace hopwise::probes {

/// Which probe a SYN is: `slot` of the prober, `sequence` the low bits of the probe's.
struct SynTag {
  std::uint32_t slot = 0;
  std::uint32_t sequence = 0;

  bool operator==(const SynTag&) const = default;
};

/// Of 32 bits: 262,144 probers, and 16,384 probes of each until numbers come again (at 100 a
/// second after 164 s; late replies are recognised for 10 s).
inline constexpr unsigned kSynSlotBits = 18;
inline constexpr unsigned kSynSequenceBits = 14;

/// A permutation of all 32-bit numbers that only its key tells: four Feistel rounds (Luby and
/// Rackoff, 1988) of SipHash-2-4 (Aumasson and Bernstein, 2012).
class SynSecret {
 public:
  /// `key` is random and stays in the process.
  explicit SynSecret(const std::array<std::uint64_t, 2>& key) : key_(key) {}

  /// Bits of slot and sequence beyond those above are dropped.
  [[nodiscard]] std::uint32_t isn(const SynTag& tag) const;
  /// The inverse; every number is one of some tag.
  [[nodiscard]] SynTag tag(std::uint32_t isn) const;

 private:
  std::array<std::uint64_t, 2> key_;
};

/// The whole number of a probe of which `low` has kSynSequenceBits, when `next` is the one that is
/// sent next: the newest that is before it.
std::uint32_t whole_sequence(std::uint32_t low, std::uint32_t next);

/// Both ends of a connection, as its SYN has them.
struct TcpEnds {
  IpAddress source, destination;  // of one family
  std::uint16_t source_port = 0, destination_port = 0;
};

inline constexpr std::size_t kSynBytes = 24;  // header, and the option MSS
inline constexpr std::size_t kRstBytes = 20;

/// The MSS is that of an MTU of 1500, the window 64,240 as Linux offers: middleboxes drop oddities.
std::array<std::uint8_t, kSynBytes> build_syn(const TcpEnds& ends, std::uint32_t isn);
/// Ends what a SYN-ACK began (RFC 9293, 3.10.7.3). `sequence`: TcpAnswer::acknowledged.
std::array<std::uint8_t, kRstBytes> build_rst(const TcpEnds& ends, std::uint32_t sequence);

/// The initial sequence number and the destination's port, where `segment` is a SYN as build_syn()
/// makes it.
struct SynSeen {
  std::uint32_t isn = 0;
  std::uint16_t destination_port = 0;
};
std::optional<SynSeen> parse_syn(std::span<const std::uint8_t> segment);

/// An answer to a SYN.
struct TcpAnswer {
  enum class Kind : std::uint8_t { open, closed };  // SYN-ACK, RST

  Kind kind = Kind::open;
  std::uint16_t source_port = 0;       // theirs
  std::uint16_t destination_port = 0;  // ours
  std::uint32_t acknowledged = 0;      // our initial sequence number + 1; our RST's sequence

  [[nodiscard]] std::uint32_t isn() const { return acknowledged - 1; }
};

/// `datagram` is what a raw socket delivers: with the IP header for IPv4, without for IPv6.
std::optional<TcpAnswer> parse_answer(Family family, std::span<const std::uint8_t> datagram);

}  // namespace hopwise::probes
