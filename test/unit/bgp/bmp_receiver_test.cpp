// Routers connect to the monitoring station over real sockets of the loopback.
#include "core/bgp/bmp_receiver.hpp"

#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/write.hpp>

#include "core/bgp/bmp.hpp"
#include "test/catch.hpp"

using namespace hopwise;
using namespace hopwise::bgp;
using boost::asio::ip::tcp;
using namespace std::chrono_literals;

namespace {

// An Initiation, a Peer Up of 10.99.1.2 (AS 65001; we are 65000), and its path to 198.51.100.0/24.
std::vector<std::uint8_t> said_by_a_router() {
  const auto append = [](std::vector<std::uint8_t>& to, const std::vector<std::uint8_t>& more) {
    to.insert(to.end(), more.begin(), more.end());
  };
  const auto message = [&](bmp::MessageType type, const std::vector<std::uint8_t>& body) {
    std::vector<std::uint8_t> bytes{3};
    put<std::uint32_t>(bytes, static_cast<std::uint32_t>(bmp::kHeaderBytes + body.size()));
    bytes.push_back(static_cast<std::uint8_t>(type));
    append(bytes, body);
    return bytes;
  };
  std::vector<std::uint8_t> peer(42);
  peer[1] = 0x40;
  peer[22] = 10, peer[23] = 99, peer[24] = 1, peer[25] = 2;
  std::vector<std::uint8_t> up = peer;
  up.resize(up.size() + 20);
  for (const std::uint32_t as : {65000U, 65001U}) {
    Open open{.as = as, .hold_time_s = 9, .router_id = as};
    open.capabilities.as = as;
    append(up, build_open(open));
  }
  std::vector<std::uint8_t> update = begin(MessageType::update);
  append(update, {0, 0, 0, 20, 0x40, 1, 1, 0, 0x40, 2, 6, 2, 1, 0, 0, 0xfd, 0xe9});
  append(update, {0x40, 3, 4, 10, 99, 1, 2, 24, 198, 51, 100});
  std::vector<std::uint8_t> route = peer;
  append(route, finish(update));

  auto bytes = message(bmp::MessageType::initiation, {0, 2, 0, 2, 'r', '1'});
  append(bytes, message(bmp::MessageType::peer_up, up));
  append(bytes, message(bmp::MessageType::route_monitoring, route));
  return bytes;
}

struct Station {
  boost::asio::io_context io;
  PathTable table;
  std::vector<std::string> ends;
  std::unique_ptr<BmpReceiver> receiver;

  explicit Station(const char* router) {
    const IpAddress here = *IpAddress::parse("127.0.0.1");
    receiver =
        BmpReceiver::open(
            io, {.listen = {{here, 0}}, .routers = {{.address = *IpAddress::parse(router)}}}, table,
            {.ended = [this](const IpAddress&, const std::string& why) { ends.push_back(why); }})
            .value();
  }
  tcp::socket connect() {
    tcp::socket socket(io);
    socket.connect({boost::asio::ip::make_address("127.0.0.1"), receiver->port()});
    return socket;
  }
  template <class Fact>
  bool eventually(Fact fact) {
    const auto end = std::chrono::steady_clock::now() + 20s;
    while (!fact() && std::chrono::steady_clock::now() < end) io.run_for(5ms), io.restart();
    return fact();
  }
  [[nodiscard]] std::size_t paths() const {
    return table.paths(*Prefix::parse("198.51.100.0/24")).size();
  }
};

}  // namespace

TEST_CASE("what a router tells is there while its connection is", "[bgp][bmp]") {
  Station station("127.0.0.1");
  tcp::socket router = station.connect();
  boost::asio::write(router, boost::asio::buffer(said_by_a_router()));
  REQUIRE(station.eventually([&] { return station.paths() == 1; }));
  BmpRouterStatus status = station.receiver->status().routers.at(0);
  CHECK(status.connected);
  CHECK(status.name == "r1");
  CHECK(status.peers == 1);
  CHECK(status.paths == 1);
  CHECK(status.errors.empty());

  SECTION("and goes with it") {
    router.close();
    CHECK(station.eventually([&] { return station.paths() == 0; }));
    CHECK(station.ends == std::vector<std::string>{"the router closed the connection"});
    // What it left is cleared, and nothing of it stays in memory.
    CHECK(station.eventually([&] { return station.table.prefixes() == 0; }));
  }
  SECTION("and a newer connection of the same router takes its place") {
    tcp::socket second = station.connect();
    REQUIRE(station.eventually([&] { return station.ends.size() == 1; }));
    CHECK(station.paths() == 0);
    boost::asio::write(second, boost::asio::buffer(said_by_a_router()));
    CHECK(station.eventually([&] { return station.paths() == 1; }));
  }
  SECTION("and noise ends it") {
    boost::asio::write(router, boost::asio::buffer("GET / HTTP/1.1\r\n"));
    CHECK(station.eventually([&] { return station.paths() == 0; }));
    CHECK_FALSE(station.receiver->status().routers.at(0).connected);
    CHECK_THAT(station.receiver->status().routers.at(0).last_error, Catch::Contains("not BMP"));
  }
  SECTION("and not longer than the receiver") {
    station.receiver.reset();
    CHECK(station.paths() == 0);
  }
}

TEST_CASE("a stranger is not listened to", "[bgp][bmp]") {
  Station station("127.0.0.77");
  tcp::socket stranger = station.connect();
  CHECK(station.eventually([&] { return station.receiver->status().strangers == 1; }));
  boost::system::error_code error;
  std::array<char, 1> byte{};
  stranger.read_some(boost::asio::buffer(byte), error);
  CHECK(error);
}
