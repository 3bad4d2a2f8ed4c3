// One side of a talk with the anchors of a Lan: numbered messages of each protocol, and which
// number an answer is to. Gateways answer ICMP and TCP (RST) by themselves; UDP is echoed by
// `answer()`.
#pragma once

#include <array>
#include <cstdint>
#include <deque>
#include <functional>
#include <optional>
#include <utility>
#include <vector>

#include "probes/socket/datagram_socket.hpp"
#include "test/unit/probes/lan.hpp"

namespace hopwise::probes {

/// What a socket speaks.
struct Tongue {
  Family family;
  DatagramSocket::Protocol protocol;
};

inline constexpr std::array<Tongue, 6> kTongues{{
    {Family::v4, DatagramSocket::Protocol::icmp},
    {Family::v4, DatagramSocket::Protocol::tcp},
    {Family::v4, DatagramSocket::Protocol::udp},
    {Family::v6, DatagramSocket::Protocol::icmp},
    {Family::v6, DatagramSocket::Protocol::tcp},
    {Family::v6, DatagramSocket::Protocol::udp},
}};
/// One of them each run, for tests that change the Lan.
Tongue any_tongue();

class Talk {
 public:
  /// In the router's namespace. Marks 1 and 2 lead to the gateways a and b.
  Talk(const Lan& lan, const Tongue& tongue, DatagramSocket::Options options = {});
  Talk(const Talk&) = delete;
  Talk& operator=(const Talk&) = delete;
  ~Talk();

  /// Message `number`, by tongue of gateway a.
  DatagramSocket::Outgoing message(std::uint32_t number);
  [[nodiscard]] std::optional<std::uint32_t> number(const DatagramSocket::Left& left) const;
  [[nodiscard]] std::optional<std::uint32_t> number(const DatagramSocket::Arrived& arrived) const;

  /// Sends; the errors.
  std::vector<int> send(const std::vector<DatagramSocket::Outgoing>& batch);
  /// Drains, and lets UDP be answered.
  bool drain(const DatagramSocket::Events& events);
  /// Drains until `done`, for 10 s at most. Returns whether it is.
  bool drain_until(const DatagramSocket::Events& events, const std::function<bool()>& done);

  [[nodiscard]] IpAddress anchor() const;
  [[nodiscard]] IpAddress own() const;

  static constexpr std::uint16_t kIdentifier = 0x4711;
  static constexpr std::uint16_t kPort = 862;

 private:
  void answer() const;

  Tongue tongue_;
  NetNamespace::Visit visit_;
  std::deque<std::pair<std::uint32_t, std::vector<std::uint8_t>>> messages_;
  std::vector<int> echoes_;

 public:
  DatagramSocket socket;
};

/// Of an interface of the router.
std::uint32_t ifindex(const Lan& lan, const char* interface);
/// The Ethernet address of an interface.
EthernetAddress mac(const NetNamespace& where, const char* interface);

}  // namespace hopwise::probes
