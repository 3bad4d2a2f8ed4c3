// What a reflector answers, and to whom not; no socket.
#include "probes/reflect/responder.hpp"

#include <vector>

#include "test/catch.hpp"

using namespace hopwise;
using namespace hopwise::probes;
using namespace std::chrono_literals;

namespace {

using Bytes = std::vector<std::uint8_t>;

IpAddress address(const std::string& text) {
  return IpAddress::parse(text).value();
}

constexpr std::uint16_t kPort = 40000;

// A responder and a sender that asks it.
struct Talk {
  explicit Talk(const ReflectorOptions& options = {})
      : responder(Responder::make(options, 4711).value()) {
    if (!options.key.empty()) key.emplace(HmacKey::of(options.key).value());
  }

  [[nodiscard]] Bytes request(std::uint32_t sequence = 0, std::size_t size = 44,
                              std::uint16_t ssid = 1) const {
    stamp::Request request;
    request.sequence = sequence;
    request.ssid = ssid;
    Bytes packet(std::max<std::size_t>(size, key ? 112 : 44));
    stamp::build_request(request, key ? &*key : nullptr, packet);
    packet.resize(size);
    return packet;
  }

  // Asks with `packet`, which becomes the reply.
  Fate ask(Bytes& packet, const std::string& from = "192.0.2.7", std::uint16_t port = kPort) {
    Responder::Asked asked;
    asked.from = address(from);
    asked.from_port = port;
    asked.to = to;
    asked.packet = packet;
    asked.ttl = 61;
    asked.traffic_class = 0xb9;
    asked.received = WallTime(1000s);
    asked.now = now;
    const Fate fate = responder.judge(asked, answer);
    if (fate != Fate::answered) return fate;
    responder.seal(answer, WallTime(1000s + 5us));
    responder.left(answer, Fate::answered);
    return fate;
  }
  Fate ask(const std::string& from, std::uint16_t port = kPort) {
    Bytes packet = request();
    return ask(packet, from, port);
  }

  Responder responder;
  std::optional<HmacKey> key;
  Responder::Answer answer;
  IpAddress to = address("198.51.100.1");
  TimePoint now{100s};
};

}  // namespace

TEST_CASE("a reflector tells when a request came and how it left", "[stamp]") {
  Talk talk;
  talk.responder.set_clock(ErrorEstimate::from(0x8a02));
  Bytes packet = talk.request(77);
  REQUIRE(talk.ask(packet) == Fate::answered);
  const auto reply = stamp::parse_reply(packet, nullptr);
  REQUIRE(reply.has_value());
  CHECK(reply->request.sequence == 77);
  CHECK(reply->sequence == 0);
  CHECK(reply->ssid == std::uint16_t{1});
  CHECK(reply->received == WallTime(1000s));
  CHECK(reply->sent == WallTime(1000s + 5us));
  CHECK(reply->ttl == std::uint8_t{61});
  CHECK(reply->error.word() == 0x8a02);
  CHECK(talk.answer.traffic_class == 0xb8);  // the request's DSCP, not its ECN
}

TEST_CASE("a stateful reflector counts each session by itself", "[stamp]") {
  Talk talk;
  const auto sequence = [&](const char* from, std::uint16_t port, std::uint16_t ssid) {
    Bytes packet = talk.request(500, 44, ssid);
    REQUIRE(talk.ask(packet, from, port) == Fate::answered);
    return stamp::parse_reply(packet, nullptr)->sequence;
  };
  CHECK(sequence("192.0.2.7", kPort, 1) == 0);
  CHECK(sequence("192.0.2.7", kPort, 1) == 1);
  CHECK(sequence("192.0.2.8", kPort, 1) == 0);
  CHECK(sequence("192.0.2.7", kPort + 1, 1) == 0);
  CHECK(sequence("192.0.2.7", kPort, 2) == 0);
  CHECK(sequence("192.0.2.7", kPort, 1) == 2);

  SECTION("what could not be sent is not counted") {
    Bytes packet = talk.request();
    Responder::Asked asked;
    asked.from = address("192.0.2.7");
    asked.from_port = kPort;
    asked.to = talk.to;
    asked.packet = packet;
    asked.now = talk.now;
    REQUIRE(talk.responder.judge(asked, talk.answer) == Fate::answered);
    talk.responder.left(talk.answer, Fate::unsent);
    CHECK(sequence("192.0.2.7", kPort, 1) == 3);
    CHECK(talk.responder.counters().of(Fate::unsent) == 1);
  }
  SECTION("a session that was silent for long begins anew") {
    talk.now += 16min;
    CHECK(sequence("192.0.2.7", kPort, 1) == 0);
  }
}

TEST_CASE("a stateless reflector repeats the sender's sequence", "[stamp]") {
  ReflectorOptions options;
  options.mode = ReflectorOptions::Mode::stateless;
  Talk talk(options);
  Bytes packet = talk.request(500);
  REQUIRE(talk.ask(packet) == Fate::answered);
  CHECK(stamp::parse_reply(packet, nullptr)->sequence == 500);
}

TEST_CASE("sessions are bounded: the oldest go first", "[stamp]") {
  ReflectorOptions options;
  options.sessions = 100;
  options.source_rate = options.total_rate = 1e6;
  Talk talk(options);
  const auto sequence = [&](std::uint16_t port) {
    Bytes packet = talk.request();
    REQUIRE(talk.ask(packet, "192.0.2.7", port) == Fate::answered);
    return stamp::parse_reply(packet, nullptr)->sequence;
  };
  for (std::uint16_t i = 0; i < 1000; i++) {
    sequence(static_cast<std::uint16_t>(kPort + i));
    REQUIRE(sequence(2000) == i);  // in use, so it stays
  }
  CHECK(talk.responder.counters().sessions == 100);
  CHECK(talk.responder.counters().sessions_forgotten == 901);
  CHECK(sequence(kPort) == 0);
}

TEST_CASE("a reply is exactly as long as its request", "[stamp]") {
  ReflectorOptions options;
  options.source_rate = options.total_rate = 1e6;
  Talk talk(options);
  for (std::size_t size = 0; size < 300; size++) {
    Bytes packet = talk.request(9, size);
    const Fate fate = talk.ask(packet);
    REQUIRE(packet.size() == size);
    REQUIRE(fate == (size < 14 ? Fate::too_short : Fate::answered));
    if (size >= 41) REQUIRE(stamp::parse_reply(packet, nullptr)->request.sequence == 9);
  }
  CHECK(talk.responder.counters().of(Fate::too_short) == 14);
}

TEST_CASE("with a key only what is authenticated is answered", "[stamp]") {
  ReflectorOptions options;
  options.key = "a secret of some length";
  options.source_rate = 5;
  Talk talk(options);
  for (int i = 0; i < 50; i++) {
    Bytes forged = talk.request(1, 112);
    forged[100] ^= 1;
    REQUIRE(talk.ask(forged) == Fate::wrong_hmac);
  }
  Bytes open(44);
  CHECK(talk.ask(open) == Fate::too_short);
  // Forgers did not spend the tokens of whose address they forged.
  Bytes packet = talk.request(3, 112);
  REQUIRE(talk.ask(packet) == Fate::answered);
  const auto reply = stamp::parse_reply(packet, &*talk.key);
  REQUIRE(reply.has_value());
  CHECK(reply->request.sequence == 3);
}

TEST_CASE("nobody is answered who could be a victim or a loop", "[stamp]") {
  Talk talk;
  CHECK(talk.ask("224.0.0.1") == Fate::bad_address);
  CHECK(talk.ask("255.255.255.255") == Fate::bad_address);
  CHECK(talk.ask("0.0.0.0") == Fate::bad_address);
  CHECK(talk.ask("ff02::1") == Fate::bad_address);
  CHECK(talk.ask("::") == Fate::bad_address);
  CHECK(talk.ask("192.0.2.7", 862) == Fate::bad_port);
  CHECK(talk.ask("192.0.2.7", 7) == Fate::bad_port);
  CHECK(talk.ask("192.0.2.7", 0) == Fate::bad_port);
  CHECK(talk.ask("192.0.2.7", 1024) == Fate::answered);
  talk.to = address("224.0.0.1");
  CHECK(talk.ask("192.0.2.7") == Fate::bad_address);
  talk.to = IpAddress{};  // broadcast: the socket tells no address
  CHECK(talk.ask("192.0.2.7") == Fate::bad_address);

  ReflectorOptions elsewhere;
  elsewhere.port = 5000;
  Talk other(elsewhere);
  CHECK(other.ask("192.0.2.7", 5000) == Fate::bad_port);
  CHECK(other.ask("192.0.2.7", 862) == Fate::bad_port);
}

TEST_CASE("reflectors on ports of users do not answer one another", "[stamp]") {
  const char* secret = GENERATE("", "a secret of some length");
  ReflectorOptions options;
  options.key = secret;
  options.port = 8620;
  Talk one(options);
  options.port = 8621;
  Talk other(options);
  Bytes packet = one.request(7, 112);
  REQUIRE(one.ask(packet, "192.0.2.7", 8621) == Fate::answered);  // forged: from the other's port
  CHECK(other.ask(packet, "192.0.2.8", 8620) == Fate::reflected);
  CHECK(other.responder.counters().sessions == 0);
  if (one.key) return;

  // Who asks with what was answered last, as some senders do, is answered all the same.
  stamp::Request next{8, to_ntp(WallTime(1000s + 10ms)), {}, 0};
  const auto stale = stamp::parse_reply(packet, nullptr)->received;
  Bytes base(44);
  stamp::build_request(next, nullptr, base);
  std::copy_n(base.begin(), 14, packet.begin());
  REQUIRE(stamp::parse_reply(packet, nullptr)->received == stale);
  CHECK(other.ask(packet, "192.0.2.8", 8620) == Fate::answered);

  // A short one is the same there and back.
  packet = one.request(7, 23);
  CHECK(one.ask(packet, "192.0.2.7", 8621) == Fate::reflected);
}

TEST_CASE("only allowed sources are answered where there is a list", "[stamp]") {
  ReflectorOptions options;
  options.allow = {Prefix::parse("192.0.2.0/24").value(), Prefix::parse("2001:db8::/32").value()};
  Talk talk(options);
  CHECK(talk.ask("192.0.2.255") == Fate::answered);
  CHECK(talk.ask("192.0.3.0") == Fate::not_allowed);
  talk.to = address("2001:db8::1");
  CHECK(talk.ask("2001:db8:1::7") == Fate::answered);
  CHECK(talk.ask("2001:db9::7") == Fate::not_allowed);
  CHECK(talk.responder.counters().of(Fate::not_allowed) == 2);
}

TEST_CASE("a flood from one source starves no other", "[stamp]") {
  ReflectorOptions options;
  options.source_rate = 100;
  options.total_rate = 1000;
  Talk talk(options);
  std::uint64_t flood = 0;
  for (int second = 0; second < 10; second++)
    for (int i = 0; i < 10000; i++) {
      talk.now += 100us;
      if (talk.ask("192.0.2.66") == Fate::answered) flood++;
      if (i % 100 == 0) REQUIRE(talk.ask("192.0.2.7") == Fate::answered);
    }
  // A full bucket, and ten seconds at its rate.
  CHECK(flood >= 1095);
  CHECK(flood <= 1105);
  CHECK(talk.responder.counters().of(Fate::source_rate) == 100000 - flood);
  CHECK(talk.responder.counters().of(Fate::total_rate) == 0);
}

TEST_CASE("hosts of one IPv6 /64 share a rate, and forged sources the common one", "[stamp]") {
  ReflectorOptions options;
  options.source_rate = 10;
  options.total_rate = 200;
  options.sources = 64;
  Talk talk(options);
  talk.to = address("2001:db8::1");
  int answered = 0;
  for (int i = 1; i <= 100; i++)
    if (talk.ask("2001:db8:0:1::" + std::to_string(i)) == Fate::answered) answered++;
  CHECK(answered == 10);
  answered = 0;
  for (int i = 1; i <= 1000; i++)
    if (talk.ask("2001:db8:0:" + std::to_string(i + 1000) + "::1") == Fate::answered) answered++;
  CHECK(answered == 190);
  CHECK(talk.responder.counters().of(Fate::total_rate) == 810);
}

TEST_CASE("a class of service is answered with it, and TLVs are counted", "[stamp]") {
  Talk talk;
  const auto asked_with = [&](std::uint8_t dscp) {
    Bytes packet = talk.request(1, 52);
    stamp::TlvWriter write(std::span<std::uint8_t>(packet).subspan(44));
    REQUIRE(write.ask_class_of_service(dscp));
    REQUIRE(talk.ask(packet) == Fate::answered);
    return stamp::read_tlvs(std::span(packet).subspan(44), 0, nullptr).service.value();
  };
  CHECK((asked_with(46) == stamp::ClassOfService{46, 46, 1, false}));
  CHECK(talk.answer.traffic_class == 46 << 2);
  CHECK((asked_with(10) == stamp::ClassOfService{10, 46, 1, false}));
  CHECK(talk.answer.traffic_class == 10 << 2);
  CHECK((asked_with(56) == stamp::ClassOfService{56, 46, 1, true}));
  CHECK(talk.answer.traffic_class == 46 << 2);

  Bytes malformed = talk.request(1, 52);
  malformed[45] = 3;
  CHECK(talk.ask(malformed) == Fate::answered);
  CHECK(talk.responder.counters().tlvs_malformed == 1);
}
