#include "probes/schedule/aim.hpp"

#include "probes/kinds/tcp.hpp"
#include "probes/wire/bytes.hpp"
#include "test/catch.hpp"
#include "test/unit/probes/lan.hpp"

using namespace hopwise;
using namespace hopwise::probes;
using namespace std::chrono_literals;

namespace {

const TimePoint kStart{1000s};
constexpr std::uint16_t kOurPort = 40000;

// One SYN prober by TCP, with one pinned flow.
struct Dialogue {
  Dialogue() { kind.use_ports(Family::v4, std::array{kOurPort}); }

  Aim& add(std::uint32_t nexthop, TimePoint now) {
    const Anchor anchor(address("203.0.113.1"), ProbeKind::tcp, 443);
    Aim* aim = aims.add({.nexthop = NexthopId{nexthop},
                         .spec = anchor,
                         .stream = Stream(pacing, now),
                         .from = address("10.9.0.9")},
                        now);
    REQUIRE(aim != nullptr);
    aim->stream.set_ready(true, now);
    return *aim;
  }
  // The SYN of a probe, which counts as sent.
  std::array<std::uint8_t, kSynBytes> ask(Aim& aim, TimePoint now) {
    std::array<std::uint8_t, kSynBytes> syn{};
    kind.ask({aim, aim.stream.sequence(), 0, {}}, syn);
    aim.stream.sent(now, 0.5);
    return syn;
  }
  // What the anchor's closed port says to it.
  Heard answer(std::span<const std::uint8_t> syn) {
    std::array<std::uint8_t, 40> packet{0x45};
    packet[9] = 6;
    const auto segment = std::span(packet).subspan(20);
    put(segment, get<std::uint16_t>(syn.subspan(2)));
    put(segment.subspan(2), get<std::uint16_t>(syn));
    put(segment.subspan(8), get<std::uint32_t>(syn.subspan(4)) + 1);
    segment[12] = 0x50, segment[13] = 0x14;
    DatagramSocket::Arrived arrived;
    arrived.from = address("203.0.113.1");
    arrived.bytes = packet;
    return kind.heard(arrived, 0);
  }

  Pacing pacing = [] {
    Pacing one;
    one.options.flows = 1;
    return one;
  }();
  Aims aims;
  TcpKind kind{aims, {1, 2}};
};

}  // namespace

TEST_CASE("a reply to who probed the same anchor before is no reply to who does now", "[aims]") {
  Dialogue dialogue;
  Aim& before = dialogue.add(1, kStart);
  const auto syn = dialogue.ask(before, kStart);
  REQUIRE(dialogue.answer(syn).aim == &before);
  dialogue.aims.remove(before, kStart + 10ms);
  Aim& after = dialogue.add(2, kStart + 10ms);
  dialogue.ask(after, kStart + 10ms);
  const Heard heard = dialogue.answer(syn);
  CHECK(heard.says == Heard::Says::unknown);
  CHECK(heard.aim == nullptr);
}

TEST_CASE("slots are used again, once nothing of their former aims can come", "[aims]") {
  Dialogue dialogue;
  Aim& first = dialogue.add(1, kStart);
  const std::uint32_t slot = first.slot;
  dialogue.aims.remove(first, kStart);
  CHECK(dialogue.aims.size() == 0);
  CHECK(dialogue.add(1, kStart + Aims::kRest - 1ms).slot != slot);
  CHECK(dialogue.add(1, kStart + Aims::kRest).slot == slot);
  CHECK(dialogue.aims.size() == 2);
}

TEST_CASE("a slot rests no longer than there are others", "[aims]") {
  Dialogue dialogue;
  Aim* last = nullptr;
  for (std::size_t i = 0; i < Aims::kMost; i++) last = &dialogue.add(1, kStart);
  const std::uint32_t slot = last->slot;
  dialogue.aims.remove(*last, kStart);
  CHECK(dialogue.add(2, kStart).slot == slot);
  Aim one_more{.spec = {}, .stream = Stream(dialogue.pacing, kStart)};
  CHECK(dialogue.aims.add(std::move(one_more), kStart) == nullptr);
}

TEST_CASE("only a SYN that leaves is a probe that leaves", "[aims]") {
  Dialogue dialogue;
  Aim& aim = dialogue.add(1, kStart);
  const auto syn = dialogue.ask(aim, kStart);
  const auto left = dialogue.kind.left(syn, 0);
  REQUIRE(left);
  CHECK(left->aim == &aim);
  CHECK(left->sequence == 0);
  // The end of another connection, whose number is by chance that of this SYN.
  const TcpEnds ends{address("10.9.0.9"), address("203.0.113.1"), kOurPort, 443};
  CHECK_FALSE(
      dialogue.kind.left(build_rst(ends, get<std::uint32_t>(std::span(syn).subspan(4))), 0));
}
