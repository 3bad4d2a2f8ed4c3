#include "core/bgp/session.hpp"

#include <algorithm>
#include <utility>

namespace hopwise::bgp {
namespace {

/// What we offer: to be told all paths of both families, with IPv6 next hops of IPv4 prefixes too.
Capabilities offered(std::uint32_t as) {
  Capabilities c;
  c.unicast = {true, true};
  c.route_refresh = true;
  c.extended_nexthop = true;
  c.as = as;
  c.add_path = {{.receive = true}, {.receive = true}};
  return c;
}

Dialect dialect_with(const Capabilities& peer) {
  Dialect dialect;
  dialect.asn = peer.as ? AsnWidth::four : AsnWidth::two;
  for (const Family family : {Family::v4, Family::v6}) {
    dialect.family[family] = peer.speaks(family);
    dialect.add_path[family] = peer.speaks(family) && peer.add_path[family].send;
  }
  return dialect;
}

std::uint8_t unexpected_in(BgpState state) {
  if (state == BgpState::open_sent) return fsm_error::kInOpenSent;
  if (state == BgpState::open_confirm) return fsm_error::kInOpenConfirm;
  return fsm_error::kInEstablished;
}

}  // namespace

Session::Session(const SessionIdentity& identity, const PeerOptions& peer, PathTable& table,
                 PeerCounters& counters)
    : identity_(identity),
      options_(peer),
      terms_{identity.as, {identity.own, identity.peer}},
      table_(table),
      counters_(counters) {}

Session::~Session() {
  if (!ended_) lost("the session was dropped");
}

void Session::start(TimePoint now) {
  Open open{identity_.as, 0, identity_.router_id, offered(identity_.as)};
  open.hold_time_s = static_cast<std::uint16_t>(
      std::chrono::duration_cast<std::chrono::seconds>(options_.hold_time).count());
  send(build_open(open));
  state_ = BgpState::open_sent;
  hold_until_ = now + kOpenWait;
}

void Session::send(const std::vector<std::uint8_t>& message) {
  output_.insert(output_.end(), message.begin(), message.end());
}

std::vector<std::uint8_t> Session::take_output() {
  return std::exchange(output_, {});
}

void Session::receive(Bytes bytes) {
  if (ended_) return;
  input_.erase(input_.begin(), input_.begin() + static_cast<std::ptrdiff_t>(consumed_));
  consumed_ = 0;
  input_.insert(input_.end(), bytes.begin(), bytes.end());
}

bool Session::message_waits() const {
  const Bytes rest = Bytes(input_).subspan(consumed_);
  if (rest.size() < kHeaderBytes) return false;
  const auto parsed = parse_header(rest.first(kHeaderBytes));
  const auto* header = std::get_if<Header>(&parsed);
  return header == nullptr || rest.size() >= header->length;
}

bool Session::step(TimePoint now) {
  if (ended_ || !message_waits()) return false;
  const Bytes rest = Bytes(input_).subspan(consumed_);
  auto parsed = parse_header(rest.first(kHeaderBytes));
  if (auto* bad = std::get_if<Notification>(&parsed)) {
    end(std::move(*bad));
    return false;
  }
  const auto& header = std::get<Header>(parsed);
  consumed_ += header.length;
  handle(header.type, rest.subspan(kHeaderBytes, header.length - kHeaderBytes), now);
  return !ended_;
}

void Session::handle(MessageType type, Bytes body, TimePoint now) {
  const bool established = state_ == BgpState::established;
  if (type == MessageType::notification) {
    const Notification said = parse_notification(body);
    return finish({SessionEnd::Cause::received, said, "the peer said " + text(said)});
  }
  if (type == MessageType::open && state_ == BgpState::open_sent) return handle_open(body, now);
  const bool alive = type == MessageType::keepalive || type == MessageType::update;
  if (alive && hold_time_ > Duration{}) hold_until_ = now + hold_time_;
  if (type == MessageType::keepalive && established) return;
  if (type == MessageType::keepalive && state_ == BgpState::open_confirm) return establish();
  if (type == MessageType::update && established) return handle_update(body);
  if (type == MessageType::route_refresh && established) return;  // there is nothing of ours
  end({ErrorCode::fsm, unexpected_in(state_), {}});
}

std::optional<Notification> Session::judge(const Open& open) const {
  if (open.as != identity_.as) return Notification{ErrorCode::open, open_error::kBadPeerAs, {}};
  if (open.router_id == identity_.router_id)
    return Notification{ErrorCode::open, open_error::kBadIdentifier, {}};
  if (!open.capabilities.speaks(Family::v4) && !open.capabilities.speaks(Family::v6))
    return Notification{ErrorCode::open, open_error::kCapability, {1, 4, 0, 1, 0, kUnicast}};
  return std::nullopt;
}

void Session::handle_open(Bytes body, TimePoint now) {
  auto parsed = parse_open(body);
  if (auto* bad = std::get_if<Notification>(&parsed)) return end(std::move(*bad));
  const auto& open = std::get<Open>(parsed);
  if (auto bad = judge(open)) return end(std::move(*bad));
  hold_time_ = std::min<Duration>(std::chrono::seconds(open.hold_time_s), options_.hold_time);
  dialect_ = dialect_with(open.capabilities);
  peer_open_ = open;
  state_ = BgpState::open_confirm;
  send(build_keepalive());
  if (hold_time_ == Duration{}) {
    hold_until_ = now + kOpenWait;  // for the KEEPALIVE that confirms
  } else {
    hold_until_ = now + hold_time_;
    keepalive_at_ = now + hold_time_ / 3;
  }
}

void Session::establish() {
  if (hold_time_ == Duration{}) hold_until_.reset();
  source_ = table_.open(identity_.peer);
  if (!source_) return end({ErrorCode::cease, cease::kResources, {}});
  state_ = BgpState::established;
  counters_.established++;
}

void Session::handle_update(Bytes body) {
  counters_.updates++;
  auto parsed = parse_update(body, dialect_);
  if (auto* bad = std::get_if<Notification>(&parsed)) return end(std::move(*bad));
  const auto& update = std::get<Update>(parsed);
  const Taken taken = take(update, terms_, *source_, table_);
  if (update.error) counters_.errors["treat_as_withdraw:" + std::string(text(*update.error))]++;
  if (update.discarded != 0) counters_.errors["discarded_attributes"] += update.discarded;
  if (update.foreign != 0) counters_.errors["foreign_family"] += update.foreign;
  for (std::size_t i = 0; i < kRefusals; i++)
    if (taken.refused[i] != 0)
      counters_.errors["refused:" + std::string(text(static_cast<Refusal>(i)))] += taken.refused[i];
  if (table_.counts(*source_).prefixes > options_.max_prefixes)
    end({ErrorCode::cease, cease::kMaxPrefixes, {}});
}

void Session::tick(TimePoint now, Unread unread) {
  if (ended_) return;
  if (hold_until_ && now >= *hold_until_ && unread == Unread::none && !message_waits())
    return end({ErrorCode::hold_timer, 0, {}});
  if (keepalive_at_ && now >= *keepalive_at_) {
    send(build_keepalive());
    keepalive_at_ = now + hold_time_ / 3;
  }
}

std::optional<TimePoint> Session::deadline() const {
  if (ended_) return std::nullopt;
  if (!hold_until_) return keepalive_at_;
  return keepalive_at_ ? std::min(*hold_until_, *keepalive_at_) : *hold_until_;
}

bool Session::refresh(Family family) {
  if (state_ != BgpState::established || !peer_open_->capabilities.route_refresh) return false;
  send(build_route_refresh(family));
  return true;
}

void Session::end(Notification why) {
  if (ended_) return;
  send(build(why));
  const std::string said = "said " + text(why);
  finish({SessionEnd::Cause::sent, std::move(why), said});
}

void Session::lost(const std::string& why) {
  if (!ended_) finish({SessionEnd::Cause::connection_lost, {}, why});
}

void Session::finish(SessionEnd end) {
  using Cause = SessionEnd::Cause;
  if (end.cause == Cause::sent) counters_.last_sent = text(end.notification);
  if (end.cause == Cause::received) counters_.last_received = text(end.notification);
  counters_.last_error = end.text;
  counters_.errors[end.cause == Cause::sent       ? "notification_sent"
                   : end.cause == Cause::received ? "notification_received"
                                                  : "connection_lost"]++;
  ended_ = std::move(end);
  state_ = BgpState::active;
  if (source_) table_.close(*std::exchange(source_, std::nullopt));
}

BgpCapabilities Session::capabilities() const {
  if (!peer_open_) return {};
  const Capabilities& c = peer_open_->capabilities;
  return {.ipv4 = dialect_.family.v4,
          .ipv6 = dialect_.family.v6,
          .add_path_ipv4 = dialect_.add_path.v4,
          .add_path_ipv6 = dialect_.add_path.v6,
          .extended_nexthop = c.extended_nexthop,
          .route_refresh = c.route_refresh,
          .four_octet_as = c.as.has_value(),
          .graceful_restart = c.graceful_restart};
}

}  // namespace hopwise::bgp
