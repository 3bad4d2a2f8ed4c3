#include "core/config/bgp_config.hpp"

#include <algorithm>

#include "core/api/endpoint.hpp"
#include "core/config/key_file.hpp"

namespace hopwise::config {
namespace {

using namespace std::chrono_literals;

constexpr std::size_t kMaxPassword = 80;  // TCP_MD5SIG_MAXKEYLEN
constexpr std::size_t kMaxPeers = 64;
constexpr std::size_t kMaxRouters = 64;
constexpr std::uint32_t kMaxPrefixes = 20'000'000;
const IpAddress kDefaultAddress{Family::v4, {127, 0, 0, 2}};
constexpr std::uint16_t kBgpPort = 1790, kBmpPort = 11019;

Result<bgp::Endpoint> parse_endpoint(const std::string& text) {
  const auto endpoint = api::Endpoint::parse(text);
  if (!endpoint || endpoint->port == 0)
    return Error{'"' + text +
                 "\" is no address and port (write \"127.0.0.2:1790\" or \"[fd00::2]:1790\")"};
  return bgp::Endpoint{endpoint->address, endpoint->port};
}

/// A text, or a list of texts. `section` is named in the remedy.
void read_listen(Object& o, const std::string& section, std::vector<bgp::Endpoint>& listen) {
  const Value* value = o.value("listen");
  if (value == nullptr) return;
  std::vector<std::string> texts;
  if (value->kind == Kind::string) {
    texts.emplace_back();
    if (!o.text("listen", texts[0])) return;
  } else if (!o.texts("listen", texts)) {
    return;
  }
  if (texts.empty())
    return o.fault("listen", "names no address (leave \"" + section + "\" out for none)");
  listen.clear();
  for (const std::string& text : texts) {
    const auto endpoint = parse_endpoint(text);
    if (!endpoint) return o.fault("listen", endpoint.error().message);
    if (endpoint->address.is_unspecified())
      return o.fault("listen", text + " is every address of this router (name one)");
    listen.push_back(*endpoint);
  }
}

std::uint32_t number_of(const IpAddress& v4) {
  std::uint32_t number = 0;
  for (int i = 0; i < 4; i++) number = number << 8U | v4.bytes[static_cast<std::size_t>(i)];
  return number;
}

void read_router_id(Object& o, std::uint32_t& router_id) {
  IpAddress address;
  if (!o.address("router_id", address)) return;
  if (!address.is_v4() || address.is_unspecified())
    return o.fault("router_id", address.text() + " is no router id (write one like " +
                                    "\"192.0.2.250\", that no other router has)");
  router_id = number_of(address);
}

void read_password(Object& o, std::string& password) {
  std::string path;
  if (!o.text("password_file", path)) return;
  auto key = read_key(path);
  if (!key) return o.fault("password_file", key.error().message);
  if (key->size() > kMaxPassword)
    return o.fault("password_file",
                   path + " holds more than 80 bytes, which TCP MD5 cannot take (make it shorter)");
  password = std::move(*key);
}

void read_max_prefixes(Object& o, std::size_t& max_prefixes) {
  std::uint32_t most = 0;
  if (o.integer("max_prefixes", most, {1, kMaxPrefixes})) max_prefixes = most;
}

/// Each peer, or router, stands there once.
template <class Known>
void check_alone(Object& o, const IpAddress& address, const std::vector<Known>& others) {
  const auto same = [&](const Known& other) { return other.address == address; };
  if (std::any_of(others.begin(), others.end(), same))
    o.fault("address", address.text() + " stands here twice (remove one)");
}

void read_peer(Object& o, std::vector<bgp::PeerOptions>& peers) {
  bgp::PeerOptions peer;
  o.require({"address"});
  const bool named = o.address("address", peer.address);
  read_password(o, peer.password);
  if (o.duration("hold_time", peer.hold_time, {0s, 65535s}) &&
      ((peer.hold_time != 0s && peer.hold_time < 3s) || peer.hold_time % 1s != 0s))
    o.fault("hold_time",
            duration_text(peer.hold_time) + " is no hold time (whole seconds from 3s, or 0s)");
  read_max_prefixes(o, peer.max_prefixes);
  if (named) check_alone(o, peer.address, peers);
  peers.push_back(std::move(peer));
}

/// Each has an address to connect to.
template <class Known>
void check_families(Object& o, const std::vector<bgp::Endpoint>& listen,
                    const std::vector<Known>& peers) {
  for (const Known& peer : peers) {
    const auto reaches = [&](const bgp::Endpoint& endpoint) {
      return endpoint.address.family == peer.address.family;
    };
    if (std::none_of(listen.begin(), listen.end(), reaches))
      o.fault("listen", "has no address that " + peer.address.text() + " could connect to (add " +
                            (peer.address.is_v4() ? "an IPv4 one)" : "an IPv6 one)"));
  }
}

}  // namespace

void read_bgp(Object& o, bgp::Options& options) {
  options.listen = {{kDefaultAddress, kBgpPort}};
  read_listen(o, "bgp", options.listen);
  o.require({"as", "router_id", "peers"});
  o.integer("as", options.as, {1, 4294967294U});
  read_router_id(o, options.router_id);
  o.objects("peers", [&](Object& peer) { read_peer(peer, options.peers); });
  if (o.has("peers") && options.peers.empty())
    o.fault("peers", "names nobody (add a peer, or leave \"bgp\" out)");
  if (options.peers.size() > kMaxPeers)
    o.fault("peers", "are more than " + std::to_string(kMaxPeers) + " (remove some)");
  check_families(o, options.listen, options.peers);
}

void read_bmp(Object& o, bgp::BmpOptions& options) {
  options.listen = {{kDefaultAddress, kBmpPort}};
  read_listen(o, "bmp", options.listen);
  o.require({"routers"});
  o.objects("routers", [&](Object& each) {
    bgp::BmpRouterOptions router;
    each.require({"address"});
    if (each.address("address", router.address)) check_alone(each, router.address, options.routers);
    read_max_prefixes(each, router.max_prefixes);
    options.routers.push_back(router);
  });
  if (o.has("routers") && options.routers.empty())
    o.fault("routers", "names nobody (add a router, or leave \"bmp\" out)");
  if (options.routers.size() > kMaxRouters)
    o.fault("routers", "are more than " + std::to_string(kMaxRouters) + " (remove some)");
  check_families(o, options.listen, options.routers);
}

}  // namespace hopwise::config
