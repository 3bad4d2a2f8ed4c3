// A flow and its packets, both ways, through a router under test; its entry in the flow table,
// whose times a test may move into the past instead of waiting.
#pragma once

#include <cstdint>
#include <optional>
#include <utility>

#include "test/bpf/router.hpp"

namespace hopwise::test {

constexpr std::uint16_t kFin = 0x01, kSyn = 0x02, kRst = 0x04, kAck = 0x10, kEce = 0x40,
                        kCwr = 0x80, kAccurate = 0x100;

struct Segment {
  std::uint32_t sequence = 0;
  std::uint32_t acknowledged = 0;
  std::uint16_t flags = kAck;
  std::size_t payload = 0;
  std::optional<std::pair<std::uint32_t, std::uint32_t>> timestamps{};  // TSval, TSecr
  std::uint16_t window = 1000;
  Bytes options{};  // instead of those that `timestamps` makes
};

struct Aggregate {
  std::uint32_t packets = 1;  // that GRO has merged
};

class Conversation {
 public:
  Conversation(Router& router, Family family, std::uint8_t protocol = 6);

  /// From the LAN; fails the test when it is not steered.
  void send(const Segment& segment, Aggregate aggregate = {});
  /// From the WAN.
  void receive(const Segment& segment, Aggregate aggregate = {});
  void send_frame(const Bytes& frame, Aggregate aggregate = {});
  void receive_frame(const Bytes& frame, Aggregate aggregate = {});

  void ping(std::uint16_t sequence);
  void pong(std::uint16_t sequence);
  /// A UDP datagram.
  void send_datagram(const Bytes& content);
  void receive_datagram(const Bytes& content);

  [[nodiscard]] Bytes frame_of(const Segment& segment) const;
  [[nodiscard]] Bytes answer_of(const Segment& segment) const;

  [[nodiscard]] hw_flow entry() const;
  void set_entry(const hw_flow& entry);
  /// As if its packets had gone by so much earlier.
  void age(Duration by);

  [[nodiscard]] std::uint32_t nexthop() const { return entry().nexthop; }
  /// Of the path that it is on.
  [[nodiscard]] PathTraffic traffic() const;

 private:
  [[nodiscard]] Bytes icmp(std::uint16_t sequence, bool reply) const;
  [[nodiscard]] Bytes datagram(const PacketSpec& spec, const Bytes& content) const;

  Router& router_;
  PacketSpec spec_;
};

}  // namespace hopwise::test
