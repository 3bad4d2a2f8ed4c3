// The listener over loopback sockets, against a peer that says what the test tells it to.
#include "core/bgp/listener.hpp"

#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/read.hpp>
#include <boost/asio/write.hpp>
#include <set>

#include "core/bgp/hold_off.hpp"
#include "test/catch.hpp"
#include "test/unit/bgp/bytes.hpp"

using namespace hopwise;
using namespace hopwise::bgp;
using namespace hopwise::bgp::test;
using namespace std::chrono_literals;
using boost::asio::ip::tcp;

namespace {

constexpr auto kPatience = 20s;

/// What goes on between two looks at the clock is the loop's own: everything is one thread.
struct House {
  explicit House(PeerOptions peer = {.address = address("127.0.0.1")}) {
    Options options;
    options.listen = {{address("127.0.0.2"), 0}};
    options.as = 65000;
    options.router_id = 0xc00002fa;
    options.peers = {std::move(peer)};
    listener = Listener::open(io, options, table,
                              {.state = [this](const Transition& t) { transitions.push_back(t); },
                               .trouble = {}})
                   .value();
  }

  template <class Fact>
  bool eventually(const Fact& fact) {
    const auto end = std::chrono::steady_clock::now() + kPatience;
    while (!fact()) {
      if (std::chrono::steady_clock::now() > end) return false;
      io.restart();
      io.run_for(5ms);
    }
    return true;
  }
  BgpPeerStatus peer() const { return listener->status().peers.at(0); }
  bool reaches(BgpState state) {
    return eventually([&] { return peer().state == state; });
  }

  boost::asio::io_context io;
  std::size_t changed = 0;
  std::vector<IpAddress> lost;
  std::vector<Transition> transitions;
  PathTable table{{.changed = [this](const Prefix&) { changed++; },
                   .lost = [this](SourceId, const IpAddress& who) { lost.push_back(who); }}};
  std::unique_ptr<Listener> listener;
};

/// A daemon's end of a connection.
class Daemon {
 public:
  explicit Daemon(House& house, const char* from = "127.0.0.1") : house_(house), socket_(house.io) {
    socket_.open(tcp::v4());
    socket_.bind({boost::asio::ip::make_address(from), 0});
    socket_.connect({boost::asio::ip::make_address("127.0.0.2"), house.listener->port()});
    read();
  }

  void say(const Octets& bytes) {
    boost::system::error_code ignored;
    boost::asio::write(socket_, boost::asio::buffer(bytes), ignored);
  }
  /// More than the socket takes at a time; `bytes` stays.
  void begin_to_say(const Octets& bytes) {
    boost::asio::async_write(socket_, boost::asio::buffer(bytes),
                             [](boost::system::error_code, std::size_t) {});
  }
  void establish() {
    say(build_open(daemon_open()));
    say(message(MessageType::keepalive));
    REQUIRE(house_.reaches(BgpState::established));
  }
  /// The newest NOTIFICATION heard.
  std::string notification() const {
    std::string last;
    for (std::size_t at = 0; at + kHeaderBytes <= heard_.size();) {
      const auto length = static_cast<std::size_t>(heard_[at + 16] << 8U | heard_[at + 17]);
      if (heard_[at + 18] == 3)
        last = text(parse_notification(Bytes(heard_).subspan(at + kHeaderBytes, length - 19)));
      at += length;
    }
    return last;
  }
  [[nodiscard]] bool closed() const { return closed_; }
  void close() { socket_.close(); }
  void reset() {
    socket_.set_option(boost::asio::socket_base::linger(true, 0));
    socket_.close();
  }

 private:
  void read() {
    socket_.async_read_some(boost::asio::buffer(buffer_),
                            [this](boost::system::error_code error, std::size_t size) {
                              heard_.insert(heard_.end(), buffer_.begin(),
                                            buffer_.begin() + static_cast<std::ptrdiff_t>(size));
                              if (error == boost::asio::error::operation_aborted) return;
                              error ? void(closed_ = true) : read();
                            });
  }

  House& house_;
  tcp::socket socket_;
  std::array<std::uint8_t, 4096> buffer_{};
  Octets heard_;
  bool closed_ = false;
};

const Octets kOne = message(MessageType::update, body({}, kUsual, prefix("192.0.2.0/24", 1)));

/// `count` /24s in messages of a hundred.
Octets many(unsigned count, std::uint32_t path_id, const Octets& nexthop) {
  Octets all;
  for (unsigned i = 0; i < count;) {
    Octets nlri;
    for (unsigned k = 0; k < 100 && i < count; k++, i++)
      put_nlri(nlri,
               {Prefix{IpAddress{
                           Family::v4,
                           {std::uint8_t(11 + (i >> 16U)), std::uint8_t(i >> 8U), std::uint8_t(i)}},
                       24},
                path_id},
               PathIds::present);
    all =
        std::move(all) + message(MessageType::update, body({}, kOriginIgp + kPath + nexthop, nlri));
  }
  return all;
}

}  // namespace

TEST_CASE("a peer connects, tells its paths, and goes", "[bgp]") {
  House house;
  Daemon daemon(house);
  daemon.establish();
  CHECK(house.transitions.back().why == "hold time 9 s; IPv4 with all paths, IPv6 with all paths");
  daemon.say(kOne);
  REQUIRE(house.eventually([&] { return house.peer().paths == 1; }));
  CHECK(house.table.paths(net("192.0.2.0/24")).size() == 1);
  daemon.close();
  REQUIRE(house.eventually([&] { return !house.lost.empty(); }));
  CHECK(house.table.paths(net("192.0.2.0/24")).empty());
  REQUIRE(house.eventually([&] { return house.table.prefixes() == 0; }));
  CHECK(house.changed == 2);
  CHECK(house.peer().last_error == "the peer closed the connection");
  CHECK(house.peer().state == BgpState::active);
}

TEST_CASE("nobody but the configured peers is listened to", "[bgp]") {
  House house;
  Daemon stranger(house, "127.0.0.9");
  REQUIRE(house.eventually([&] { return stranger.closed(); }));
  CHECK(house.listener->status().strangers == 1);
  CHECK(stranger.notification().empty());
}

TEST_CASE("a second connection gives way to one that works, and replaces one that does not",
          "[bgp]") {
  House house;
  Daemon silent(house);
  REQUIRE(house.reaches(BgpState::open_sent));
  Daemon daemon(house);
  REQUIRE(house.eventually([&] { return silent.closed(); }));
  CHECK(silent.notification() == "Cease: Connection Collision Resolution (6/7)");
  daemon.establish();
  daemon.say(kOne);
  Daemon second(house);
  REQUIRE(house.eventually([&] { return second.closed(); }));
  CHECK(second.notification() == "Cease: Connection Collision Resolution (6/7)");
  REQUIRE(house.eventually([&] { return house.peer().paths == 1; }));
  CHECK(house.peer().state == BgpState::established);
  CHECK(house.lost.empty());
}

TEST_CASE("a peer that flaps is turned away, and taken again later", "[bgp]") {
  House house;
  for (int i = 0; i < 2; i++) {
    Daemon daemon(house);
    daemon.establish();
    daemon.reset();
    REQUIRE(house.eventually([&] { return house.peer().state != BgpState::established; }));
  }
  CHECK(house.peer().held_off_until.has_value());
  Daemon eager(house);
  REQUIRE(house.eventually([&] { return eager.closed(); }));
  CHECK(eager.notification() == "Cease: Connection Rejected (6/5)");
  CHECK(house.peer().errors.at("turned_away") == 1);
  REQUIRE(house.reaches(BgpState::active));
  Daemon patient(house);
  patient.establish();
}

TEST_CASE("a peer with too many prefixes hears why, and waits longer", "[bgp]") {
  House house({.address = address("127.0.0.1"), .max_prefixes = 150});
  Daemon daemon(house);
  daemon.establish();
  daemon.say(many(1000, 1, kNexthop));
  REQUIRE(house.eventually([&] { return daemon.closed(); }));
  CHECK(daemon.notification() == "Cease: Maximum Number of Prefixes Reached (6/1)");
  CHECK(house.peer().state == BgpState::held_off);
  CHECK(*house.peer().held_off_until - house.peer().since > HoldOff::kAfterTooMany / 2);
  REQUIRE(house.eventually([&] { return house.table.prefixes() == 0; }));
}

TEST_CASE("garbage is answered with what RFC 4271 says", "[bgp]") {
  House house;
  Daemon daemon(house);
  daemon.say(Octets(64, 'G'));
  REQUIRE(house.eventually([&] { return daemon.closed(); }));
  CHECK(daemon.notification() == "Message Header Error: Connection Not Synchronized (1/1)");
}

TEST_CASE("a listener that goes says so to its peers", "[bgp]") {
  House house;
  Daemon daemon(house);
  daemon.establish();
  daemon.say(kOne);
  REQUIRE(house.eventually([&] { return house.peer().paths == 1; }));
  house.listener.reset();
  REQUIRE(house.eventually([&] { return daemon.closed(); }));
  CHECK(daemon.notification() == "Cease: Administrative Shutdown (6/2)");
}

TEST_CASE("a flood of paths leaves the loop to others, and so does its end", "[bgp]") {
  House house;
  Daemon daemon(house);
  daemon.establish();
  const Octets flood = many(300'000, 1, kNexthop);
  daemon.begin_to_say(flood);
  // A bystander on the loop counts its turns: were it held for the whole, there would be one.
  std::size_t turns = 0;
  std::function<void()> turn = [&] {
    turns++;
    if (house.table.prefixes() < 300'000) boost::asio::post(house.io, turn);
  };
  turn();
  CHECK(house.eventually([&] { return house.peer().prefixes == 300'000; }));
  CHECK(turns > 10);

  turns = 0;
  daemon.close();
  REQUIRE(house.eventually([&] { return !house.lost.empty(); }));
  CHECK(house.table.paths(net("11.0.7.0/24")).empty());
  std::function<void()> swept = [&] {
    turns++;
    if (house.table.prefixes() > 0) boost::asio::post(house.io, swept);
  };
  swept();
  REQUIRE(house.eventually([&] { return house.table.prefixes() == 0; }));
  CHECK(turns > 3);
  CHECK(house.changed == 600'000);
}

TEST_CASE("a peer that goes behind a flood of its own is gone at once", "[bgp]") {
  House house;
  Daemon daemon(house);
  daemon.establish();
  const Octets flood = many(300'000, 1, kNexthop);
  daemon.begin_to_say(flood);
  REQUIRE(house.eventually([&] { return house.peer().prefixes > 20'000; }));
  const auto before = house.peer().updates;
  daemon.reset();
  REQUIRE(house.eventually([&] { return !house.lost.empty(); }));
  CHECK(house.peer().updates - before < 64);  // two reads; some hundred waited behind them
}

TEST_CASE("a peer with a password is not heard without it", "[bgp]") {
  House house({.address = address("127.0.0.1"), .password = "secret"});
  boost::asio::io_context io;
  tcp::socket socket(io, tcp::v4());
  socket.bind({boost::asio::ip::make_address("127.0.0.1"), 0});
  bool connected = false;
  socket.async_connect({boost::asio::ip::make_address("127.0.0.2"), house.listener->port()},
                       [&](boost::system::error_code error) { connected = !error; });
  io.run_for(300ms);
  CHECK_FALSE(connected);
  // Whoever is no peer needs none, and gets no further.
  Daemon stranger(house, "127.0.0.9");
  REQUIRE(house.eventually([&] { return stranger.closed(); }));
}

TEST_CASE("an address that is taken is an error that says so", "[bgp]") {
  House house;
  Options options;
  options.listen = {{address("127.0.0.2"), house.listener->port()}};
  PathTable table;
  const auto second = Listener::open(house.io, options, table, {});
  REQUIRE_FALSE(second.has_value());
  CHECK(second.error().message.find("listen for BGP on 127.0.0.2:") == 0);
  CHECK(second.error().message.find("another program listens there") != std::string::npos);
}
