#include "core/bgp/listener.hpp"

#include <algorithm>
#include <boost/asio/ip/tcp.hpp>
#include <utility>

#include "core/bgp/acceptor.hpp"
#include "core/bgp/connection.hpp"
#include "core/bgp/hold_off.hpp"
#include "core/bgp/md5.hpp"
#include "core/bgp/sweeper.hpp"

namespace hopwise::bgp {
namespace {

namespace asio = boost::asio;
using asio::ip::tcp;
using Failure = boost::system::error_code;

constexpr std::size_t kFarewells = 4;  // of one peer at a time

TimePoint now() {
  return std::chrono::steady_clock::now();
}

/// "hold time 9 s; IPv4 with all paths, IPv6 with its best path alone (no add-path)".
std::string agreement(const Session& session) {
  const BgpCapabilities c = session.capabilities();
  const auto family = [](const char* name, bool add_path) {
    return std::string(name) +
           (add_path ? " with all paths" : " with its best path alone (it offers no add-path)");
  };
  std::string said =
      "hold time " + std::to_string(static_cast<int>(seconds(session.hold_time()))) + " s; ";
  if (c.ipv4) said += family("IPv4", c.add_path_ipv4);
  if (c.ipv4 && c.ipv6) said += ", ";
  if (c.ipv6) said += family("IPv6", c.add_path_ipv6);
  return said;
}

struct Peer {
  PeerOptions options;
  PeerCounters counters{};
  HoldOff hold_off{};
  std::shared_ptr<Connection> connection{};
  std::vector<std::weak_ptr<Farewell>> farewells{};
  BgpState told = BgpState::active;
  TimePoint since{};
};

}  // namespace

class Listener::Impl {
 public:
  Impl(asio::io_context& io, Options options, PathTable& table, ListenerEvents events)
      : io_(io),
        options_(std::move(options)),
        table_(table),
        events_(std::move(events)),
        sweeper_(std::make_shared<Sweeper>(io, table)) {
    for (const PeerOptions& peer : options_.peers) peers_.push_back({.options = peer});
    for (Peer& peer : peers_) peer.since = now();
  }

  Result<> listen() {
    for (const Endpoint& endpoint : options_.listen) {
      auto acceptor =
          Acceptor::open(io_, endpoint, "BGP",
                         {.connected = [this](tcp::socket socket) { take(std::move(socket)); },
                          .trouble = events_.trouble},
                         [&](int fd) { return require_passwords(fd, endpoint.address.family); });
      if (!acceptor) return acceptor.error();
      acceptors_.push_back(std::move(*acceptor));
    }
    return {};
  }

  void close() {
    for (const auto& acceptor : acceptors_) acceptor->close();
    for (Peer& peer : peers_) {
      for (const auto& weak : peer.farewells)
        if (const auto farewell = weak.lock()) farewell->close();
      if (auto connection = std::exchange(peer.connection, nullptr))
        connection->abandon({ErrorCode::cease, cease::kShutdown, {}});
    }
    sweeper_->stop();
  }

  [[nodiscard]] std::uint16_t port(std::size_t n) const {
    return n < acceptors_.size() ? acceptors_[n]->port() : 0;
  }

  [[nodiscard]] BgpStatus status() const {
    BgpStatus status;
    for (const Endpoint& endpoint : options_.listen) status.listen.push_back(text(endpoint));
    for (const Peer& peer : peers_) status.peers.push_back(status_of(peer));
    status.prefixes = table_.prefixes();
    status.attributes = table_.attributes();
    status.strangers = strangers_;
    return status;
  }

  bool refresh(const IpAddress& address) {
    Peer* peer = find(address);
    return peer != nullptr && peer->connection && peer->connection->refresh();
  }

 private:
  Result<> require_passwords(int fd, Family family) const {
    for (const PeerOptions& peer : options_.peers) {
      if (peer.password.empty() || peer.address.family != family) continue;
      if (auto good = require_md5(fd, peer.address, peer.password); !good) return good;
    }
    return {};
  }

  Peer* find(const IpAddress& address) {
    const auto peer = std::find_if(peers_.begin(), peers_.end(), [&](const Peer& known) {
      return known.options.address == address;
    });
    return peer == peers_.end() ? nullptr : &*peer;
  }

  void take(tcp::socket socket) {
    Failure error;
    const auto remote = socket.remote_endpoint(error);
    const auto local = error ? tcp::endpoint() : socket.local_endpoint(error);
    if (error) return;  // gone already
    Peer* peer = find(address_of(remote.address()));
    if (peer == nullptr) {
      strangers_++;
      return;
    }
    if (peer->hold_off.holds(now())) return turn_away(*peer, std::move(socket), cease::kRejected);
    if (peer->connection) {
      if (peer->connection->session().state() == BgpState::established)
        return turn_away(*peer, std::move(socket), cease::kCollision);
      replaced_ = true;
      peer->connection->end({ErrorCode::cease, cease::kCollision, {}});
      replaced_ = false;
    }
    socket.set_option(tcp::no_delay(true), error);
    begin(*peer, std::move(socket), address_of(local.address()));
  }

  void turn_away(Peer& peer, tcp::socket socket, std::uint8_t subcode) {
    peer.counters.errors["turned_away"]++;
    std::erase_if(peer.farewells, [](const auto& weak) { return weak.expired(); });
    if (peer.farewells.size() >= kFarewells) return;  // it was told just now
    const Notification why{ErrorCode::cease, subcode, {}};
    peer.counters.last_sent = bgp::text(why);
    auto farewell = std::make_shared<Farewell>(std::move(socket), build(why));
    farewell->start();
    peer.farewells.push_back(farewell);
  }

  void begin(Peer& peer, tcp::socket socket, const IpAddress& own) {
    const SessionIdentity identity{options_.as, options_.router_id, own, peer.options.address};
    peer.connection = std::make_shared<Connection>(std::move(socket), identity, peer.options,
                                                   table_, peer.counters);
    peer.since = now();
    // The listener outlives its connections' events: close() takes these away.
    Connection::Events events;
    events.state = [this, &peer](BgpState from) { on_state(peer, from); };
    events.ended = [this, &peer] { on_ended(peer); };
    peer.connection->start(std::move(events));
  }

  void on_state(Peer& peer, BgpState from) {
    peer.since = now();
    const Session& session = peer.connection->session();
    const BgpState to = peer.told = session.state();
    tell({peer.options.address, from, to,
          to == BgpState::established ? agreement(session) : std::string()});
  }

  void on_ended(Peer& peer) {
    const auto connection = std::exchange(peer.connection, nullptr);
    const SessionEnd& end = *connection->session().ended();
    if (connection->farewell()) peer.farewells.push_back(connection->farewell());
    const bool too_many = end.cause == SessionEnd::Cause::sent &&
                          end.notification.code == ErrorCode::cease &&
                          end.notification.subcode == cease::kMaxPrefixes;
    using Ending = HoldOff::Ending;
    if (!replaced_)
      peer.hold_off.ended(connection->began(), now(),
                          too_many ? Ending::too_many_prefixes : Ending::usual);
    const BgpState from = std::exchange(peer.told, BgpState::active);
    peer.since = now();
    sweeper_->wake();
    tell({peer.options.address, from, state_of(peer), end.text});
  }

  void tell(const Transition& transition) {
    if (events_.state) events_.state(transition);
  }

  [[nodiscard]] static BgpState state_of(const Peer& peer) {
    if (peer.connection) return peer.connection->session().state();
    return peer.hold_off.holds(now()) ? BgpState::held_off : BgpState::active;
  }

  [[nodiscard]] BgpPeerStatus status_of(const Peer& peer) const {
    BgpPeerStatus status{.address = peer.options.address};
    status.state = state_of(peer);
    status.since = peer.since;
    if (status.state == BgpState::held_off) status.held_off_until = peer.hold_off.until();
    if (peer.connection) {
      const Session& session = peer.connection->session();
      status.capabilities = session.capabilities();
      if (session.peer_open()) status.router_id = session.peer_open()->router_id;
      status.hold_time = session.hold_time();
      if (const auto source = session.source()) {
        status.prefixes = table_.counts(*source).prefixes;
        status.paths = table_.counts(*source).paths;
      }
    }
    status.established = peer.counters.established;
    status.updates = peer.counters.updates;
    status.errors = peer.counters.errors;
    status.last_sent = peer.counters.last_sent;
    status.last_received = peer.counters.last_received;
    status.last_error = peer.counters.last_error;
    return status;
  }

  asio::io_context& io_;
  const Options options_;
  PathTable& table_;
  ListenerEvents events_;
  std::shared_ptr<Sweeper> sweeper_;
  std::vector<std::shared_ptr<Acceptor>> acceptors_;
  std::vector<Peer> peers_;  // never grows: connections' events know them by address
  std::uint64_t strangers_ = 0;
  bool replaced_ = false;  // by a newer connection: no reason to hold the peer off
};

Listener::Listener(std::shared_ptr<Impl> impl) : impl_(std::move(impl)) {}
Listener::~Listener() {
  impl_->close();
}

Result<std::unique_ptr<Listener>> Listener::open(asio::io_context& io, Options options,
                                                 PathTable& table, ListenerEvents events) {
  auto impl = std::make_shared<Impl>(io, std::move(options), table, std::move(events));
  auto listener = std::unique_ptr<Listener>(new Listener(impl));
  if (auto good = impl->listen(); !good) return good.error();
  return {boost::system::in_place_value, std::move(listener)};
}

std::uint16_t Listener::port(std::size_t n) const {
  return impl_->port(n);
}
BgpStatus Listener::status() const {
  return impl_->status();
}
bool Listener::refresh(const IpAddress& peer) {
  return impl_->refresh(peer);
}

}  // namespace hopwise::bgp
