#include "core/bgp/bmp_station.hpp"

namespace hopwise::bgp {
namespace {

// FRR 8.4 writes what it would announce: with its own AS in front of what an external peer said.
void take_off_own_as(BgpPath& path, std::uint32_t own_as) {
  if (path.as_path.empty() || path.as_path.front() != own_as || path.neighbour_as != own_as) return;
  path.as_path.erase(path.as_path.begin());
  --path.as_path_length;
  path.neighbour_as = path.as_path.empty() ? 0 : path.as_path.front();
}

}  // namespace

BmpStation::BmpStation(PathTable& table, BmpCounters& counters, std::size_t max_prefixes)
    : table_(table), counters_(counters), max_prefixes_(max_prefixes) {}

BmpStation::~BmpStation() {
  for (const auto& [id, session] : peers_) table_.close(session.source);
}

void BmpStation::receive(Bytes bytes) {
  if (consumed_ > 0) {
    input_.erase(input_.begin(), input_.begin() + static_cast<std::ptrdiff_t>(consumed_));
    consumed_ = 0;
  }
  input_.insert(input_.end(), bytes.begin(), bytes.end());
}

bool BmpStation::step() {
  if (!ended_.empty() || backlog() < bmp::kHeaderBytes) return false;
  const Bytes waiting = Bytes(input_).subspan(consumed_);
  const auto header = bmp::parse_header(waiting.first(bmp::kHeaderBytes));
  if (!header) {
    ended_ = "not BMP version 3, or a message beyond " + std::to_string(bmp::kMaxMessageBytes) +
             " bytes";
    count("malformed_header");
    return false;
  }
  if (waiting.size() < header->length) return false;
  consumed_ += header->length;
  handle(header->type, waiting.subspan(bmp::kHeaderBytes, header->length - bmp::kHeaderBytes));
  return ended_.empty();
}

void BmpStation::handle(std::uint8_t type, Bytes body) {
  ++counters_.messages[std::string(bmp::text_of_type(type))];
  Cursor cursor(body);
  switch (bmp::MessageType{type}) {
    case bmp::MessageType::initiation:
      system_name_ = bmp::parse_initiation(cursor).system_name;
      return;
    case bmp::MessageType::termination:
      ended_ = "the router has ended it (Termination)";
      return;
    case bmp::MessageType::peer_up:
    case bmp::MessageType::peer_down:
    case bmp::MessageType::route_monitoring:
      break;
    default:
      return;
  }
  const auto peer = bmp::take_peer(cursor);
  if (!peer) {
    count("malformed_peer");
    ended_ = "a message without its peer's header";
    return;
  }
  if (!concerns_us(*peer)) return;
  if (bmp::MessageType{type} == bmp::MessageType::peer_up)
    peer_up(*peer, cursor);
  else if (bmp::MessageType{type} == bmp::MessageType::peer_down)
    peer_down(*peer);
  else
    route_monitoring(*peer, cursor);
}

bool BmpStation::concerns_us(const bmp::Peer& peer) {
  const bool global = peer.id.type == 0 && peer.id.distinguisher == 0;
  if (!global) count(peer.view == bmp::View::loc_rib ? "not_post_policy" : "other_instance");
  return global;
}

// The flags of a Peer Up name no view: it is of all of them.
void BmpStation::peer_up(const bmp::Peer& peer, Cursor cursor) {
  drop(peer.id, {});  // what it told before was of an earlier session
  const auto up = bmp::parse_peer_up(cursor, peer.id.address.family);
  if (!up) return count("malformed_peer_up");
  if (up->sent.as == up->received.as) return count("internal_peer");
  if (peers_.size() >= kMaxPeers) return count("too_many_peers");
  const auto source = table_.open(peer.id.address);
  if (!source) return count("too_many_peers");
  Session session{.source = *source, .terms = {up->sent.as, {up->own}}};
  for (const Family family : {Family::v4, Family::v6})
    session.add_path[family] = up->received.capabilities.add_path[family].send &&
                               up->sent.capabilities.add_path[family].receive;
  peers_.emplace(peer.id, std::move(session));
}

void BmpStation::peer_down(const bmp::Peer& peer) {
  if (!peers_.contains(peer.id)) return count("unknown_peer");
  drop(peer.id, {});
}

void BmpStation::route_monitoring(const bmp::Peer& peer, Cursor cursor) {
  if (peer.view != bmp::View::post_policy) return count("not_post_policy");
  const auto known = peers_.find(peer.id);
  if (known == peers_.end()) return count("unknown_peer");
  const Session& session = known->second;
  const auto body = bmp::parse_route_monitoring(cursor);
  if (!body) return drop(peer.id, "malformed_update");
  // Behind the import policy LOCAL_PREF counts, whoever the peer is.
  const Dialect dialect{.asn = peer.asn, .add_path = session.add_path, .peer = PeerKind::internal};
  auto parsed = parse_update(*body, dialect);
  auto* update = std::get_if<Update>(&parsed);
  if (update == nullptr) return drop(peer.id, "malformed_update");

  if (update->error) count("treat_as_withdraw:" + std::string(text(*update->error)));
  if (update->discarded > 0) count("discarded_attributes", update->discarded);
  if (update->foreign > 0) count("foreign_family", update->foreign);
  for (Announcement& said : update->announced) {
    take_off_own_as(said.path, session.terms.own_as);
    if (said.path.nexthop.is_unspecified()) said.path.nexthop = peer.id.address;
  }
  const Taken taken = take(*update, session.terms, session.source, table_);
  for (std::size_t i = 0; i < kRefusals; ++i)
    if (taken.refused[i] > 0)
      count("refused:" + std::string(text(static_cast<Refusal>(i))), taken.refused[i]);
  if (table_.counts(session.source).prefixes > max_prefixes_) drop(peer.id, "too_many_prefixes");
}

// Nothing more is believed of it until its next Peer Up. `why` empty: that is no error.
void BmpStation::drop(const bmp::PeerId& id, const std::string& why) {
  if (!why.empty()) count(why);
  const auto known = peers_.find(id);
  if (known == peers_.end()) return;
  const SourceId source = known->second.source;
  peers_.erase(known);
  table_.close(source);
}

SourceCounts BmpStation::counts() const {
  SourceCounts all;
  for (const auto& [id, session] : peers_) {
    const SourceCounts counts = table_.counts(session.source);
    all.prefixes += counts.prefixes;
    all.paths += counts.paths;
  }
  return all;
}

void BmpStation::count(const std::string& error, std::uint64_t times) {
  counters_.errors[error] += times;
}

}  // namespace hopwise::bgp
