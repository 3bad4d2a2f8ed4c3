// What the SYNs of one connection tell of the path.
//
// The kernel sends a SYN again after one second and later, so the time until connected has those
// waits in it where one was lost. Its own round trip (TCP_INFO's tcpi_rtt) has not: without a
// retransmission it is taken from the SYN that was answered, to the microsecond; with one from the
// timestamp that the SYN-ACK returns (RFC 7323, 4.1), to the millisecond, and where the peer has
// no timestamps there is none. Which SYN was answered follows from it. Pure.
#pragma once

#include <cstdint>
#include <optional>

#include "core/model/sample.hpp"
#include "core/model/time.hpp"

namespace hopwise::probes {

/// A handshake that was answered, by SYN-ACK or RST.
struct Handshake {
  TimePoint started;                   // the first SYN left
  TimePoint answered;                  // as seen by the loop
  std::uint32_t retransmissions = 0;   // of the SYN; each one before is lost, provisionally
  std::optional<Duration> kernel_rtt;  // none for RST
};

/// `outcome` is reply or late; late: the first SYN was answered after all.
struct ConnectVerdict {
  Outcome outcome = Outcome::reply;
  TimePoint sent;
  Duration rtt{};  // > 0
  TimestampSource source = TimestampSource::user;
};

/// Empty: answered, but nobody knows which SYN was.
std::optional<ConnectVerdict> judge(const Handshake& handshake);

}  // namespace hopwise::probes
