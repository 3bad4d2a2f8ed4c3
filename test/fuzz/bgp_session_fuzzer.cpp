// Streams of bytes into BGP's state machine and the table of paths behind it, by libFuzzer under
// AddressSanitizer.
//
// The input is a list of steps for two peers of one table: a valid OPEN or KEEPALIVE (no mutation
// would soon guess those), an UPDATE around bytes of the input, bytes as they are, time that
// passes, a slice of a sweep, a lost connection. After every step: what is said is well-formed and
// never an UPDATE, an ended session has no path left, and the counts are those of the table.
#include <cstdio>
#include <cstdlib>
#include <map>
#include <memory>
#include <set>

#include "core/bgp/session.hpp"

using namespace hopwise;
using namespace hopwise::bgp;
using namespace std::chrono_literals;

namespace {

void require(bool truth, const char* what) {
  if (truth) return;
  std::fprintf(stderr, "%s\n", what);
  std::abort();
}

Open daemon_open(std::uint8_t how) {
  Open open{65000, static_cast<std::uint16_t>((how & 1U) != 0 ? 0 : 9), 1, {}};
  open.capabilities.unicast = {true, (how & 2U) == 0};
  open.capabilities.multiprotocol = true;
  if ((how & 4U) == 0) open.capabilities.as = 65000;
  open.capabilities.add_path = {{.send = (how & 8U) == 0}, {.send = (how & 16U) == 0}};
  return open;
}

class World {
 public:
  World() {
    for (std::uint8_t i = 0; i < 2; i++) begin(i);
  }

  void step(std::uint8_t what, Bytes bytes) {
    const std::size_t peer = what >> 7U;
    Session& session = *sessions_[peer];
    switch (what & 7U) {
      case 0:
        hear(session, build_open(daemon_open(static_cast<std::uint8_t>(what >> 3U))));
        break;
      case 1:
        hear(session, build_keepalive());
        break;
      case 2:
      case 3:
        hear(session, wrap(bytes));
        break;
      case 4:
        hear(session, {bytes.begin(), bytes.end()});
        break;
      case 5:
        now_ += std::chrono::seconds(what >> 3U & 15U);
        session.tick(now_);
        break;
      case 6:
        table_.sweep(what >> 3U & 15U);
        break;
      default:
        session.lost("the connection broke");
    }
    check(session);
    if (session.ended()) begin(peer);
  }

 private:
  void begin(std::size_t peer) {
    const auto last = static_cast<std::uint8_t>(peer + 1);
    const IpAddress address{Family::v4, {127, 0, 1, last}};
    options_ = {.address = address, .max_prefixes = 40};
    sessions_[peer] = std::make_unique<Session>(
        SessionIdentity{65000, 2, IpAddress{Family::v4, {127, 0, 0, 2}}, address}, options_, table_,
        counters_);
    sessions_[peer]->start(now_);
  }

  static std::vector<std::uint8_t> wrap(Bytes bytes) {
    auto message = bgp::begin(MessageType::update);
    message.insert(message.end(), bytes.begin(), bytes.end());
    return finish(std::move(message));
  }

  void hear(Session& session, const std::vector<std::uint8_t>& bytes) {
    session.receive(bytes);
    while (session.step(now_)) {
    }
  }

  void check(Session& session) {
    const auto said = session.take_output();
    for (std::size_t at = 0; at < said.size();) {
      require(said.size() - at >= kHeaderBytes, "half a header is said");
      const auto parsed = parse_header(Bytes(said).subspan(at, kHeaderBytes));
      require(std::holds_alternative<Header>(parsed), "a header is said that we would refuse");
      require(std::get<Header>(parsed).type != MessageType::update, "something is announced");
      at += std::get<Header>(parsed).length;
      require(at <= said.size(), "half a message is said");
    }
    require(!session.ended() || !session.source(), "an ended session has a source");
    std::map<SourceId, SourceCounts> held;
    for (const Prefix& prefix : known_) {
      std::set<SourceId> sources;
      for (const KnownPath& path : table_.paths(prefix)) {
        held[path.source].paths++;
        if (sources.insert(path.source).second) held[path.source].prefixes++;
        require(!path.path->nexthop.is_unspecified(), "a next hop that is nobody's");
      }
    }
    for (const auto& live : sessions_) {
      const auto source = live->source();
      if (!source) continue;
      const SourceCounts counts = table_.counts(*source);
      require(counts.paths == held[*source].paths, "paths are not counted as they are");
      require(counts.prefixes == held[*source].prefixes, "prefixes are not counted as they are");
      held.erase(*source);
    }
    for (const auto& [source, counts] : held) require(counts.paths == 0, "a dead session's paths");
  }

  std::set<Prefix> known_;
  PathTable table_{{.changed = [this](const Prefix& prefix) { known_.insert(prefix); }}};
  PeerCounters counters_;
  PeerOptions options_;
  TimePoint now_{1h};
  std::array<std::unique_ptr<Session>, 2> sessions_;
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  World world;
  Bytes rest(data, size);
  while (rest.size() >= 2) {
    const std::uint8_t what = rest[0];
    const std::size_t length = std::min<std::size_t>(rest[1], rest.size() - 2);
    world.step(what, rest.subspan(2, length));
    rest = rest.subspan(2 + length);
  }
  return 0;
}
