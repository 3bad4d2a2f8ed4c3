// Emulated point-to-point Ethernet links: delay, jitter, loss, rate and queue without netem.
//
// A link is two TAP devices, one in each of two namespaces, and the relay is the wire between:
// one thread that reads every frame, decides its fate on arrival, and writes it on the other side
// when it is due. Both directions are independent, as on a real line:
//
//   arrival -> queue (rate; tail drop beyond `queue`) -> loss -> delay +- jitter -> delivery
//
// Frames of one direction never overtake each other, whatever the jitter. Times are kept to about
// 0.1 ms; test/lab/README.md has the measured figures.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <utility>

#include "core/model/result.hpp"
#include "core/model/time.hpp"
#include "test/lab/namespace.hpp"

namespace hopwise::lab {

/// What a line does to frames in one direction.
struct Impairment {
  Duration delay{};                                // one way
  Duration jitter{};                               // uniform in delay +- jitter
  double loss = 0;                                 // 0..1, each frame by itself; 1: black hole
  std::uint64_t rate_bit_s = 0;                    // of Ethernet frames without FCS; 0: no limit
  Duration queue = std::chrono::milliseconds(50);  // longest wait for the rate; beyond: dropped

  bool operator==(const Impairment&) const = default;
};

enum class LinkId : std::uint32_t {};
enum class Direction : std::uint8_t { forward, backward };  // a to b, b to a

enum class Side : std::uint8_t { a = 0x0a, b = 0x0b };

/// The MAC address of a link's device.
std::string mac_address(LinkId link, Side side);

/// Transport protocol (IANA number) and the port on side b, where servers are: the destination
/// port forward, the source port backward. Port 0 for ICMP and everything without ports.
using Service = std::pair<std::uint8_t, std::uint16_t>;

struct Count {
  std::uint64_t packets = 0;
  std::uint64_t bytes = 0;  // of Ethernet frames without FCS
};

/// What one direction did since the link was made.
struct DirectionCounters {
  Count delivered;
  std::uint64_t lost = 0;               // by chance
  std::uint64_t dropped = 0;            // by the full queue, or by a device that took no more
  std::map<Service, Count> by_service;  // delivered IP packets
};

struct LinkCounters {
  DirectionCounters forward;
  DirectionCounters backward;
};

class Relay {
 public:
  /// Starts the thread.
  static Result<std::unique_ptr<Relay>> open();
  ~Relay();  // the links go with it

  /// Makes the two devices, up, with the addresses of mac_address(), and a perfect line between.
  /// IP addresses are for the caller to add. Links are made by one thread; every other member is
  /// safe to call from any. Traffic may flow all the time.
  Result<LinkId> connect(const Port& a, const Port& b);

  /// Takes effect with the next frame that arrives; those on the way keep their times.
  void set(LinkId link, const Impairment& both);
  void set(LinkId link, Direction direction, const Impairment& impairment);
  [[nodiscard]] Impairment get(LinkId link, Direction direction) const;

  /// A copy; cheap enough for every 100 ms.
  [[nodiscard]] LinkCounters counters(LinkId link) const;

  /// CPU time that the relay's thread has used.
  [[nodiscard]] Duration cpu_time() const;

 private:
  struct Impl;
  explicit Relay(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace hopwise::lab
