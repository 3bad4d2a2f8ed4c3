// The prober against a gateway that lies: what it says is counted, and is no sample.
#include <atomic>
#include <set>
#include <thread>

#include "probes/wire/bytes.hpp"
#include "test/catch.hpp"
#include "test/unit/probes/bench.hpp"
#include "test/unit/probes/tap.hpp"

using namespace hopwise;
using namespace hopwise::probes;
using namespace std::chrono_literals;

namespace {

// Offsets in an echo's message, of the tag in its payload.
constexpr std::size_t kNonce = 8, kSlot = 20;

// Gateway a, whose kernel answers nothing.
struct Liar {
  explicit Liar(const Lan& lan) : tap(lan.a, "eth0") {
    lan.a.sh(
        "sysctl -qw net.ipv4.icmp_echo_ignore_all=1; nft add table ip t; nft add chain ip t c "
        "'{ type filter hook input priority 0; }'; nft add rule ip t c tcp dport 444 drop");
  }
  // For each echo request that came in.
  template <class Action>
  void each_request(Action action) {
    for (const Seen& seen : tap.read())
      if (seen.is_echo_request()) action(seen);
  }
  void answer(
      const Seen& request, const std::function<void(Frame&)>& edit = [](Frame&) {}) {
    tap.send(request.back([&](Frame& frame) {
      frame[request.message] = 0;
      edit(frame);
    }));
  }

  Tap tap;
};

const Anchor kEcho(address("203.0.113.1"));

}  // namespace

TEST_CASE("forged and cut replies are counted, and the probe is lost", "[probes][netns]") {
  NEEDS_ROOT();
  const Lan lan;
  Bench bench(lan);
  Liar liar(lan);
  bench.probe({lan.nexthop(1, kV4.a), {kEcho}}, {true});
  REQUIRE(bench.wait_for([&] {
    liar.each_request([&](const Seen& request) {
      const std::size_t m = request.message;
      liar.answer(request, [&](Frame& f) { f[m + kNonce] ^= 1U; });
      liar.answer(request, [&](Frame& f) { f[26 + 3] = 99; });  // from 203.0.113.99
      liar.answer(request, [&](Frame& f) { f[m + kSlot] ^= 1U; });
      liar.answer(request, [&](Frame& f) { f.resize(m + 16); });
    });
    return bench.count(1, Outcome::lost) >= 20;
  }));
  CHECK(bench.count(1, Outcome::lost) == bench.samples.size());
  CHECK(bench.status(1).forged >= 40);
  CHECK(bench.prober->totals().unknown_replies >= 40);
}

TEST_CASE("duplicates and replays are counted, and no second sample", "[probes][netns]") {
  NEEDS_ROOT();
  const Lan lan;
  Bench bench(lan);
  Liar liar(lan);
  bench.probe({lan.nexthop(1, kV4.a), {kEcho}}, {true});
  std::vector<Seen> all;
  REQUIRE(bench.wait_for([&] {
    liar.each_request([&](const Seen& request) {
      all.push_back(request);
      liar.answer(request);
      liar.answer(request);
      liar.answer(all[all.size() / 2]);
    });
    return all.size() >= 100;
  }));
  REQUIRE(bench.wait_for([&] { return bench.status(1).duplicate >= 100; }));
  std::set<TimePoint> answered;
  for (const Sample& s : bench.samples)
    if (s.outcome != Outcome::lost) CHECK(answered.insert(s.sent).second);
  const auto status = bench.status(1);
  CHECK(status.received + status.late <= status.sent);
  CHECK(status.received + status.late == answered.size());
  CHECK(bench.prober->totals().unknown_replies > 0);
}

TEST_CASE("a reply that comes late takes its loss back", "[probes][netns]") {
  NEEDS_ROOT();
  const Lan lan;
  Bench bench(lan);
  Liar liar(lan);
  bench.probe({lan.nexthop(1, kV4.a), {kEcho}}, {true});
  std::optional<Seen> held;
  REQUIRE(bench.wait_for([&] {
    liar.each_request([&](const Seen& request) {
      if (!held && bench.status(1).received >= 10)
        held = request;
      else
        liar.answer(request);
    });
    return held && bench.count(1, Outcome::lost) >= 1;
  }));
  liar.answer(*held);
  REQUIRE(bench.wait_for([&] { return bench.count(1, Outcome::late) == 1; }));
}

TEST_CASE("forged answers to SYNs and to STAMP are counted, a refusal is told", "[probes][netns]") {
  NEEDS_ROOT();
  const Lan lan;
  Bench bench(lan);
  Liar liar(lan);
  const Anchor tcp(address("203.0.113.1"), ProbeKind::tcp, 444);
  const Anchor stamp(address("203.0.113.1"), ProbeKind::stamp, 862);
  bench.probe({lan.nexthop(1, kV4.a), {tcp, stamp}}, {true});
  REQUIRE(bench.wait_for([&] {
    for (const Seen& seen : liar.tap.read()) {
      if (seen.is_syn())
        liar.tap.send(seen.back([&](Frame& f) {
          put(std::span(f).subspan(seen.message + 8), std::uint32_t{0x12345678});
          f[seen.message + 13] = 0x12;  // SYN, ACK
        }));
      if (seen.protocol == Seen::kUdp)
        liar.tap.send(seen.back([&](Frame& f) {
          const std::size_t m = seen.message + 8;
          std::copy_n(f.begin() + m, 4, f.begin() + m + 24);  // its number, and another T1
        }));
    }
    return bench.status(1, tcp).lost >= 10 && bench.status(1, stamp).lost >= 10;
  }));
  CHECK(bench.count(1, Outcome::lost) == bench.samples.size());
  CHECK(bench.status(1, stamp).forged >= 5);
  CHECK(bench.prober->totals().unknown_replies >= 5);
  // Its kernel has no reflector, and says so; at most six times a second.
  CHECK(bench.status(1, stamp).refused >= 1);
  CHECK(bench.status(1, stamp).last_error->find("10.9.0.1") == std::string::npos);
  CHECK(bench.status(1, tcp).refused == 0);
}

TEST_CASE("who repeats an answer to a SYN gets no RST for each", "[probes][netns]") {
  NEEDS_ROOT();
  const Lan lan;
  lan.router.sh(  // the kernel's own
      "nft add table inet t; nft add chain inet t out '{ type filter hook output priority 0; }'; "
      "nft add rule inet t out 'tcp flags & rst == rst meta mark 0 drop'");
  Bench bench(lan);
  Liar liar(lan);
  const Anchor tcp(address("203.0.113.1"), ProbeKind::tcp, 444);
  bench.probe({lan.nexthop(1, kV4.a), {tcp}}, {true});
  constexpr std::uint8_t kSynAck = 0x12, kRst = 4;
  std::size_t syns = 0, ends = 0, answers = 0;
  REQUIRE(bench.wait_for([&] {
    for (const Seen& seen : liar.tap.read()) {
      if (seen.protocol != Seen::kTcp) continue;
      ends += (seen.frame.at(seen.message + 13) & kRst) != 0;
      if (!seen.is_syn()) continue;
      syns++;
      const auto number = get<std::uint32_t>(std::span(seen.frame).subspan(seen.message + 4));
      const Frame answer = seen.back([&](Frame& f) {
        put(std::span(f).subspan(seen.message + 8), number + 1);
        f[seen.message + 13] = kSynAck;
      });
      for (int i = 0; i < 100; i++) answers += liar.tap.send(answer);
    }
    return syns >= 40;
  }));
  CHECK(bench.status(1).received >= 30);
  CHECK(bench.status(1).duplicate >= 1000);
  CHECK(ends >= 30);
  CHECK(ends <= 2 * syns + 32);
}

TEST_CASE("a flood of forged replies starves nobody and loses nothing", "[probes][netns]") {
  NEEDS_ROOT();
  const Lan lan;
  Bench bench(lan);
  const Tap tap(lan.a, "eth0");
  bench.probe({lan.nexthop(1, kV4.a), {kEcho}}, {true});
  std::optional<Seen> request;
  REQUIRE(bench.wait_for([&] {
    for (const Seen& seen : tap.read())
      if (seen.is_echo_request()) request = seen;
    return request && bench.status(1).received >= 10;
  }));
  const Frame forged = request->back([&](Frame& f) {
    f[request->message] = 0;
    f[request->message + kNonce] ^= 1U;
  });
  std::atomic<bool> enough{false};
  std::thread flood([&] {
    while (!enough) tap.send(forged);
  });
  const auto received = bench.status(1).received;
  const bool goes_on = bench.wait_for([&] {
    return bench.status(1).received >= received + 100 && bench.status(1).forged >= 10000;
  });
  enough = true;
  flood.join();
  CHECK(goes_on);
  CHECK(bench.count(1, Outcome::lost) == 0);
}
