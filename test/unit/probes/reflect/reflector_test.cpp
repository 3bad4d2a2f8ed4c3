// The reflector on real sockets, in namespaces of its own, and against peers that are not ours
// (test/interop).
//
//   asking: 10.7.0.2, fd07::2 --- veth --- answering: 10.7.0.1, fd07::1, and .9, ::9 as well
#include "probes/reflect/reflector.hpp"

#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <csignal>
#include <cstring>
#include <future>
#include <thread>

#include "probes/wire/stamp.hpp"
#include "probes/wire/stamp_tlv.hpp"
#include "test/catch.hpp"
#include "test/unit/probes/lan.hpp"

using namespace hopwise;
using namespace hopwise::probes;
using namespace std::chrono_literals;

namespace {

using Bytes = std::vector<std::uint8_t>;

struct Pair {
  Pair() {
    answering.sh("ip link add eth0 type veth peer name eth0 netns " + asking.path());
    answering.sh(
        "ip addr add 10.7.0.1/24 brd + dev eth0; ip addr add 10.7.0.9/24 dev eth0; "
        "ip addr add fd07::1/64 dev eth0 nodad; ip addr add fd07::9/64 dev eth0 nodad; "
        "ip link set eth0 up");
    asking.sh(
        "ip addr add 10.7.0.2/24 brd + dev eth0; ip addr add fd07::2/64 dev eth0 nodad; "
        "ip link set eth0 up; "
        "for i in $(seq 500); do ip link show eth0 | grep -q 'state UP' && exit 0; sleep 0.02; "
        "done; exit 1");
  }
  NetNamespace answering, asking;
};

// A reflector in its thread.
class Running {
 public:
  Running(const NetNamespace& where, const ReflectorOptions& options) {
    const NetNamespace::Visit visit(where);
    auto opened = Reflector::open(io_, options);
    if (!opened) FAIL(opened.error().message);
    reflector_ = std::move(*opened);
    thread_ = std::thread([this] { io_.run(); });
  }
  Running(const Running&) = delete;
  Running& operator=(const Running&) = delete;
  ~Running() {
    io_.stop();
    thread_.join();
  }
  ReflectorCounters counters() {
    std::promise<ReflectorCounters> told;
    boost::asio::post(io_, [&] { told.set_value(reflector_->counters()); });
    return told.get_future().get();
  }

 private:
  boost::asio::io_context io_{1};
  std::unique_ptr<Reflector> reflector_;
  std::thread thread_;
};

// A connected UDP socket: what comes from any other address than the one asked does not come in.
class Asker {
 public:
  Asker(const NetNamespace& where, const std::string& to, std::uint16_t port = 862,
        std::uint16_t from_port = 0) {
    const NetNamespace::Visit visit(where);
    const IpAddress address = IpAddress::parse(to).value();
    sockaddr_storage peer{}, local{};
    socklen_t size = sizeof(sockaddr_in);
    peer.ss_family = local.ss_family = address.is_v4() ? AF_INET : AF_INET6;
    if (address.is_v4()) {
      auto& in = reinterpret_cast<sockaddr_in&>(peer);
      std::memcpy(&in.sin_addr, address.bytes.data(), 4);
      in.sin_port = htons(port);
      reinterpret_cast<sockaddr_in&>(local).sin_port = htons(from_port);
    } else {
      auto& in = reinterpret_cast<sockaddr_in6&>(peer);
      std::memcpy(&in.sin6_addr, address.bytes.data(), 16);
      in.sin6_port = htons(port);
      reinterpret_cast<sockaddr_in6&>(local).sin6_port = htons(from_port);
      size = sizeof(sockaddr_in6);
    }
    fd_ = socket(peer.ss_family, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    const int on = 1;
    setsockopt(fd_, SOL_SOCKET, SO_BROADCAST, &on, sizeof(on));
    setsockopt(fd_, address.is_v4() ? int{IPPROTO_IP} : int{IPPROTO_IPV6},
               address.is_v4() ? IP_RECVTOS : IPV6_RECVTCLASS, &on, sizeof(on));
    REQUIRE(bind(fd_, reinterpret_cast<sockaddr*>(&local), size) == 0);
    REQUIRE(connect(fd_, reinterpret_cast<sockaddr*>(&peer), size) == 0);
  }
  Asker(const Asker&) = delete;
  Asker& operator=(const Asker&) = delete;
  ~Asker() { close(fd_); }

  void send(const Bytes& packet) const {
    // Until a peer that just starts listens, the kernel reports that nobody does.
    for (int i = 0; i < 2 && ::send(fd_, packet.data(), packet.size(), 0) < 0; i++) continue;
  }

  /// What comes within `patience`; nothing when nothing does.
  std::optional<Bytes> receive(std::chrono::milliseconds patience) {
    const timeval wait{patience.count() / 1000, patience.count() % 1000 * 1000};
    setsockopt(fd_, SOL_SOCKET, SO_RCVTIMEO, &wait, sizeof(wait));
    Bytes bytes(65536);
    iovec vector{bytes.data(), bytes.size()};
    alignas(cmsghdr) std::array<char, 64> control{};
    msghdr header{};
    header.msg_iov = &vector;
    header.msg_iovlen = 1;
    header.msg_control = control.data();
    header.msg_controllen = control.size();
    const ssize_t count = recvmsg(fd_, &header, 0);
    if (count < 0) return {};
    bytes.resize(static_cast<std::size_t>(count));
    if (const cmsghdr* c = CMSG_FIRSTHDR(&header)) traffic_class = *CMSG_DATA(c);
    return bytes;
  }

  /// Asks until an answer comes: at first neighbours are not resolved, or peers not up.
  std::optional<Bytes> ask(const Bytes& packet, int times = 60) {
    for (int i = 0; i < times; i++) {
      send(packet);
      if (auto reply = receive(250ms)) return reply;
      std::this_thread::sleep_for(20ms);
    }
    return {};
  }

  int traffic_class = -1;  // of what came last

 private:
  int fd_ = -1;
};

Bytes request(std::uint32_t sequence, const HmacKey* key = nullptr, std::size_t tail = 0) {
  stamp::Request asked;
  asked.sequence = sequence;
  asked.sent = to_ntp(std::chrono::system_clock::now());
  asked.error = ErrorEstimate::from(0x8305);
  asked.ssid = 0x1234;
  Bytes packet(stamp::base_bytes(key) + tail);
  stamp::build_request(asked, key, packet);
  return packet;
}

const std::string kPeer =
    std::string("/usr/bin/python3 ") + HOPWISE_SOURCE_DIR + "/test/interop/stamp_peer.py ";

// Runs the independent peer to its end; what it complains of is the failure.
void run_peer(const NetNamespace& where, const std::string& arguments) {
  const std::string said =
      where.output("timeout 60 " + kPeer + arguments + " 2>&1 && echo peer-content");
  INFO(arguments + ": " + said);
  REQUIRE(said == "peer-content\n");
}

// The independent reflector, until this goes.
class PeerReflector {
 public:
  PeerReflector(const NetNamespace& where, const std::string& arguments) {
    pid_ =
        std::stoi(where.output("timeout 120 " + kPeer + arguments + " >/dev/null 2>&1 & echo $!"));
  }
  PeerReflector(const PeerReflector&) = delete;
  PeerReflector& operator=(const PeerReflector&) = delete;
  ~PeerReflector() { kill(pid_, SIGTERM); }

 private:
  pid_t pid_;
};

}  // namespace

TEST_CASE("scapy's sender is content with our reflector", "[stamp][interop][netns]") {
  const Pair pair;
  const std::string to = GENERATE("10.7.0.1", "fd07::1");
  SECTION("unauthenticated") {
    Running reflector(pair.answering, {});
    run_peer(pair.asking, "send " + to + " 862");
    CHECK(reflector.counters().of(Fate::answered) >= 6);
    CHECK(reflector.counters().user_stamped == 0);
  }
  SECTION("authenticated, with Python's HMAC") {
    ReflectorOptions options;
    options.key = "not-so-secret";
    Running reflector(pair.answering, options);
    run_peer(pair.asking, "send " + to + " 862 not-so-secret");
    CHECK(reflector.counters().of(Fate::wrong_hmac) == 3);
    CHECK(reflector.counters().of(Fate::too_short) == 2);
  }
  SECTION("as TWAMP-Light") {
    ReflectorOptions options;
    options.mode = ReflectorOptions::Mode::stateless;
    Running reflector(pair.answering, options);
    run_peer(pair.asking, "light " + to + " 862");
    CHECK(reflector.counters().of(Fate::too_short) == 1);
  }
}

TEST_CASE("our sender is content with scapy's reflector", "[stamp][interop][netns]") {
  const Pair pair;
  const std::string to = GENERATE("10.7.0.1", "fd07::1");
  const bool authenticated = GENERATE(false, true);
  const auto key = HmacKey::of("not-so-secret").value();
  const HmacKey* with = authenticated ? &key : nullptr;
  const PeerReflector peer(pair.answering,
                           "reflect " + to + " 862" + (authenticated ? " not-so-secret" : ""));
  Asker asker(pair.asking, to);
  const WallTime before = std::chrono::system_clock::now();
  const auto answer = asker.ask(request(41, with));
  REQUIRE(answer.has_value());
  const auto reply = stamp::parse_reply(*answer, with);
  REQUIRE(reply.has_value());
  CHECK(reply->request.sequence == 41);
  CHECK(reply->sequence == (authenticated ? 3U : 46U));
  CHECK(reply->request.error.word() == 0x8305);
  CHECK(reply->ssid == std::uint16_t{0x1234});
  CHECK(reply->ttl == std::uint8_t{61});
  CHECK(reply->error.synchronised);
  // It says that it held the request for a quarter of a second. (scapy keeps times as doubles.)
  CHECK(reply->sent - reply->received > 249ms);
  CHECK(reply->sent - reply->received < 251ms);
  CHECK(reply->received > before - 1ms);
  CHECK(reply->received < std::chrono::system_clock::now() + 1ms);
  if (!authenticated) {
    // scapy writes our TLVs as it has read them: none understood.
    Bytes packet = request(43, nullptr, 24);
    stamp::TlvWriter write(std::span<std::uint8_t>(packet).subspan(44));
    REQUIRE((write.pad(4) && write.ask_direct_measurement(9)));
    const auto echoed = asker.ask(packet);
    REQUIRE(echoed.has_value());
    CHECK(Bytes(echoed->begin() + 44, echoed->end()) == Bytes(packet.begin() + 44, packet.end()));
    CHECK(stamp::read_tlvs(std::span<const std::uint8_t>(*echoed).subspan(44), 0, nullptr)
              .unrecognised == 2);
    return;
  }
  const auto other = HmacKey::of("another").value();
  CHECK(stamp::parse_reply(*answer, &other).error() == stamp::Refused::wrong_hmac);
  CHECK_FALSE(asker.ask(request(42, &other), 2).has_value());
}

TEST_CASE("our sender is content with a TWAMP-Light reflector", "[stamp][interop][netns]") {
  const Pair pair;
  const PeerReflector peer(pair.answering, "reflect-light 10.7.0.1 862");
  Asker asker(pair.asking, "10.7.0.1");
  const auto answer = asker.ask(request(41));
  REQUIRE(answer.has_value());
  CHECK(answer->size() == 41);
  const auto reply = stamp::parse_reply(*answer, nullptr);
  REQUIRE(reply.has_value());
  CHECK(reply->request.sequence == 41);
  CHECK(reply->sequence == 12);
  CHECK_FALSE(reply->ssid);
  CHECK_FALSE(reply->ttl);
  CHECK(reply->sent - reply->received > 249ms);
}

TEST_CASE("a reply leaves from the address that was asked, with the class that was asked for",
          "[stamp][netns]") {
  const Pair pair;
  Running reflector(pair.answering, {});
  for (const std::string to : {"10.7.0.1", "10.7.0.9", "fd07::1", "fd07::9"}) {
    INFO(to);
    Asker asker(pair.asking, to);
    REQUIRE(asker.ask(request(1)).has_value());
    CHECK(asker.traffic_class == 0);
    Bytes packet = request(2, nullptr, 8);
    stamp::TlvWriter write(std::span<std::uint8_t>(packet).subspan(44));
    REQUIRE(write.ask_class_of_service(34));
    REQUIRE(asker.ask(packet).has_value());
    CHECK(asker.traffic_class == 34 << 2);
  }
}

TEST_CASE("who asks by a broadcast address, or from the port of a reflector, gets no answer",
          "[stamp][netns]") {
  const Pair pair;
  pair.asking.sh("ip route add default dev eth0");
  Running reflector(pair.answering, {});
  Asker good(pair.asking, "10.7.0.1");
  REQUIRE(good.ask(request(1)).has_value());
  Asker broadcast(pair.asking, "10.7.0.255"), group(pair.asking, "255.255.255.255");
  Asker loop(pair.asking, "10.7.0.1", 862, 862);
  broadcast.send(request(1));
  group.send(request(1));
  loop.send(request(1));
  CHECK_FALSE(loop.receive(100ms).has_value());
  REQUIRE(good.ask(request(2)).has_value());
  CHECK(reflector.counters().of(Fate::bad_address) == 2);
  CHECK(reflector.counters().of(Fate::bad_port) == 1);
}

TEST_CASE("a datagram longer than any frame is not answered, and an empty one neither",
          "[stamp][netns]") {
  const Pair pair;
  Running reflector(pair.answering, {});
  Asker asker(pair.asking, "10.7.0.1");
  REQUIRE(asker.ask(request(1)).has_value());
  asker.send(request(2, nullptr, 20000));
  asker.send({});
  const auto answer = asker.ask(request(3, nullptr, 8000));
  REQUIRE(answer.has_value());
  CHECK(answer->size() == 8044);
  CHECK(reflector.counters().of(Fate::too_long) == 1);
  CHECK(reflector.counters().of(Fate::too_short) == 1);
}

TEST_CASE("while one source floods, another one is answered", "[stamp][netns]") {
  const Pair pair;
  pair.asking.sh("ip addr add 10.7.0.66/24 dev eth0");
  ReflectorOptions options;
  options.source_rate = 100;
  Running reflector(pair.answering, options);
  std::atomic<bool> over{false};
  std::atomic<std::uint64_t> flooded{0};
  std::thread flood([&] {
    const Asker asker(pair.asking, "10.7.0.1");
    const Bytes packet = request(1);
    for (; !over; flooded++) asker.send(packet);
  });
  Asker other(pair.asking, "fd07::1");  // another source than the flood's
  int answered = 0;
  for (std::uint32_t i = 0; i < 20; i++)
    if (other.ask(request(i), 10)) answered++;
  over = true;
  flood.join();
  const auto counters = reflector.counters();
  INFO(flooded << " flooded, " << counters.overflowed << " overflowed");
  CHECK(answered == 20);
  CHECK(counters.of(Fate::source_rate) > 0);
}

TEST_CASE("a reflector that cannot listen says why", "[stamp][netns]") {
  const NetNamespace alone;
  Running first(alone, {});
  const NetNamespace::Visit visit(alone);
  boost::asio::io_context io;
  const auto second = Reflector::open(io, {});
  REQUIRE(second.has_error());
  CHECK(second.error().message.find("0.0.0.0:862") != std::string::npos);
  CHECK(second.error().message.find("ss -ulpn") != std::string::npos);
  ReflectorOptions elsewhere;
  elsewhere.listen = {IpAddress::parse("192.0.2.1").value()};
  const auto third = Reflector::open(io, elsewhere);
  REQUIRE(third.has_error());
  CHECK(third.error().message.find("no interface has this address") != std::string::npos);
}
