// Sees every frame that comes to an interface, and sends what it is told to: a gateway that counts,
// or one that lies.
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <vector>

#include "core/model/address.hpp"
#include "test/unit/probes/lan.hpp"

namespace hopwise::probes {

using Frame = std::vector<std::uint8_t>;

/// An IP packet in an Ethernet frame, as far as probes are concerned.
struct Seen {
  static constexpr std::uint8_t kIcmp = 1, kTcp = 6, kUdp = 17, kIcmpv6 = 58;

  Frame frame;
  std::uint8_t protocol = 0;
  std::size_t message = 0;  // where it begins in the frame

  [[nodiscard]] std::uint16_t half(std::size_t offset) const {
    return static_cast<std::uint16_t>(frame.at(message + offset) << 8U |
                                      frame.at(message + offset + 1));
  }
  [[nodiscard]] bool is_echo_request() const;
  [[nodiscard]] bool is_syn() const;
  /// The frame back to its sender: addresses of both layers are swapped, and ports; the message is
  /// `edit`'s business. Checksums of IPv4 and, for ICMP, of the message are right afterwards.
  [[nodiscard]] Frame back(const std::function<void(Frame&)>& edit) const;
};

class Tap {
 public:
  Tap(const NetNamespace& where, const char* interface);
  Tap(const Tap&) = delete;
  Tap& operator=(const Tap&) = delete;
  ~Tap();

  /// The IP packets that came in since the last time.
  std::vector<Seen> read() const;
  /// True when it went out. Needs no test to be running: a thread may flood.
  bool send(const Frame& frame) const;

 private:
  int fd_ = -1;
};

}  // namespace hopwise::probes
