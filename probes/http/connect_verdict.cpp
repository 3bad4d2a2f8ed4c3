#include "probes/http/connect_verdict.hpp"

#include <algorithm>

namespace hopwise::probes {
namespace {

// The first retransmission comes after a second: an answer that took nearly as long as the whole
// handshake is one to the first SYN, and what is left is the loop's delay.
constexpr Duration kSlack = std::chrono::milliseconds(500);

}  // namespace

std::optional<ConnectVerdict> judge(const Handshake& handshake) {
  const Duration whole = std::max<Duration>(handshake.answered - handshake.started, Duration(1));
  const bool told = handshake.kernel_rtt && *handshake.kernel_rtt > Duration::zero() &&
                    *handshake.kernel_rtt <= whole;
  if (handshake.retransmissions == 0) {
    if (!told) return ConnectVerdict{Outcome::reply, handshake.started, whole};
    return ConnectVerdict{Outcome::reply, handshake.started, *handshake.kernel_rtt,
                          TimestampSource::kernel};
  }
  if (!told) return std::nullopt;
  const Duration rtt = *handshake.kernel_rtt;
  if (rtt > whole - kSlack)
    return ConnectVerdict{Outcome::late, handshake.started, rtt, TimestampSource::kernel};
  return ConnectVerdict{Outcome::reply, handshake.answered - rtt, rtt, TimestampSource::kernel};
}

}  // namespace hopwise::probes
