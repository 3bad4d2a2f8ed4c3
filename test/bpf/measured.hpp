// A conversation through a router, and the round-trip times that were read off it.
#pragma once

#include <optional>

#include "test/bpf/conversation.hpp"
#include "test/catch.hpp"

namespace hopwise::test {

/// By which the tests age a flow between packet and answer.
inline constexpr Duration kPath = std::chrono::milliseconds(80);

/// Runs on this router's one flow, and what came of it.
struct Measured {
  explicit Measured(Family family, std::uint8_t protocol = IPPROTO_TCP)
      : flow((router.two_upstreams(), router), family, protocol) {}

  std::optional<PassiveRtt> reading() {
    const auto readings = router.dataplane().take_passive();
    if (readings.paths.empty()) return std::nullopt;
    REQUIRE(readings.paths.size() == 1);
    CHECK(raw(readings.paths.begin()->first) == flow.entry().path);
    return readings.paths.begin()->second;
  }

  /// The packet, a while, its answer: one sample of that while by this method.
  template <class Send, class Receive>
  void takes(PassiveMethod method, Send send, Receive receive) {
    const auto sent = Router::now();
    send();
    const auto gone = Router::now();
    flow.age(kPath);
    const auto back = Router::now();
    receive();
    const auto over = Router::now();
    const auto rtt = reading();
    REQUIRE(rtt);
    for (std::size_t i = 0; i < kPassiveMethods; ++i)
      CHECK(rtt->by_method.at(i) == (i == static_cast<std::size_t>(method) ? 1 : 0));
    if (method == PassiveMethod::spin) {
      CHECK(rtt->samples == 0);
      return;
    }
    CHECK(rtt->samples == 1);
    CHECK(rtt->mean > kPath + (back - gone) - std::chrono::microseconds(1));
    CHECK(rtt->mean < kPath + (over - sent));
    CHECK(Duration(flow.entry().seen.rtt_us * 1000ULL) > Duration(0));
  }

  /// A connection whose SYN and SYN-ACK have gone by.
  void connect(std::uint32_t sequence = 1000) {
    flow.send({.sequence = sequence, .flags = kSyn});
    flow.receive({.sequence = 5000, .acknowledged = sequence + 1, .flags = kSyn | kAck});
    flow.send({.sequence = sequence + 1, .acknowledged = 5001});
    (void)reading();
  }

  Router router;
  Conversation flow;
};

}  // namespace hopwise::test
