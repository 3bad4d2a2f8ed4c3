#include "core/bgp/path_table.hpp"

#include <algorithm>
#include <cassert>
#include <cstring>

namespace hopwise::bgp {
namespace {

/// The finalizer of MurmurHash3, for the index takes both ends of a hash.
std::size_t mix(std::uint64_t value) {
  value ^= value >> 33U;
  value *= 0xff51afd7ed558ccdULL;
  value ^= value >> 33U;
  value *= 0xc4ceb9fe1a85ec53ULL;
  return value ^ (value >> 33U);
}

class Hasher {
 public:
  Hasher& add(std::uint64_t value) {
    state_ = mix(state_ ^ value) + 0x9e3779b97f4a7c15ULL;
    return *this;
  }
  Hasher& add(const IpAddress& address) {
    std::array<std::uint64_t, 2> halves{};
    std::memcpy(halves.data(), address.bytes.data(), sizeof halves);
    return add(halves[0]).add(halves[1] + static_cast<std::uint64_t>(address.family));
  }
  template <class T>
  Hasher& add(const std::optional<T>& value) {
    return value ? add(1U).add(*value) : add(0U);
  }
  template <class T>
  Hasher& add(const std::vector<T>& values) {
    add(values.size());
    for (const T& value : values) add(value);
    return *this;
  }
  Hasher& add(const std::array<std::uint32_t, 3>& value) {
    return add(value[0]).add(std::uint64_t{value[1]} << 32U | value[2]);
  }
  [[nodiscard]] std::size_t value() const { return mix(state_); }

 private:
  std::uint64_t state_ = 0;
};

std::size_t hash_of(const BgpPath& p) {
  Hasher hasher;
  hasher.add(p.nexthop).add(p.link_local).add(static_cast<std::uint64_t>(p.origin)).add(p.as_path);
  hasher.add(p.as_path_length).add(p.neighbour_as).add(p.local_pref).add(p.med);
  hasher.add(p.communities).add(p.large_communities).add(p.link_bandwidth_bit_s);
  return hasher.value();
}

std::size_t bytes_of(const BgpPath& p) {
  return sizeof p + 2 * sizeof(std::shared_ptr<const BgpPath>) +
         sizeof(std::uint32_t) * (p.as_path.size() + p.communities.size()) +
         sizeof p.large_communities[0] * p.large_communities.size();
}

}  // namespace

std::size_t PathTable::ByPrefix::hash(const Prefix& prefix) {
  return Hasher().add(prefix.address).add(prefix.length).value();
}

PathTable::PathTable(TableEvents events, std::size_t max_bytes)
    : events_(std::move(events)),
      max_bytes_(max_bytes),
      by_prefix_(entries_),
      by_attributes_(shared_) {}

PathTable::~PathTable() = default;

std::optional<SourceId> PathTable::open(const IpAddress& peer) {
  auto unused = std::find_if(sources_.begin(), sources_.end(), [](const Source& source) {
    return source.state == Source::State::unused;
  });
  if (unused == sources_.end()) {
    if (sources_.size() == kMaxSources) return std::nullopt;
    unused = sources_.emplace(sources_.end());
  }
  *unused = {peer, {}, Source::State::open};
  return static_cast<SourceId>(unused - sources_.begin());
}

void PathTable::close(SourceId id) {
  Source& source = at(id);
  assert(source.state == Source::State::open);
  const IpAddress peer = source.peer;
  if (source.counts.paths == 0) {
    source = {};
  } else {
    source.state = Source::State::closed;
    closed_++;
  }
  if (events_.lost) events_.lost(id, peer);
}

std::uint32_t PathTable::intern(const BgpPath& path) {
  const Wanted wanted{path, hash_of(path)};
  if (const auto known = by_attributes_.find(wanted)) return *known;
  const std::uint32_t slot = shared_.take();
  shared_[slot] = {std::make_shared<const BgpPath>(path), wanted.hash, 0};
  by_attributes_.insert(wanted.hash, slot);
  attribute_bytes_ += bytes_of(path);
  return slot;
}

void PathTable::release(std::uint32_t attributes) {
  Shared& shared = shared_[attributes];
  if (shared.uses != 0) return;
  by_attributes_.erase(shared.hash, attributes);
  attribute_bytes_ -= bytes_of(*shared.path);
  shared_.give_back(attributes);
}

PathTable::Put PathTable::put(SourceId source, const Nlri& nlri, std::uint32_t attributes) {
  const auto known = by_prefix_.find(nlri.prefix);
  std::size_t others = 0;
  for (std::uint32_t n = known ? entries_[*known].first : kNone; n != kNone; n = nodes_[n].next) {
    Node& node = nodes_[n];
    if (node.source != source) continue;
    others++;
    if (node.path_id != nlri.path_id) continue;
    if (node.attributes == attributes) return Put::same;
    shared_[attributes].uses++;
    const std::uint32_t former = std::exchange(node.attributes, attributes);
    shared_[former].uses--;
    release(former);
    return Put::changed;
  }
  if (others == kMaxPathsPerPrefix) return Put::full;
  const std::uint32_t slot = known ? *known : entries_.take();
  const std::uint32_t added = nodes_.take();
  nodes_[added] = {entries_[slot].first, nlri.path_id, attributes, source};
  entries_[slot] = {nlri.prefix, added};
  if (!known) by_prefix_.insert(ByPrefix::hash(nlri.prefix), slot);
  shared_[attributes].uses++;
  at(source).counts.paths++;
  if (others == 0) at(source).counts.prefixes++;
  return Put::changed;
}

std::size_t PathTable::announce(SourceId source, const BgpPath& path, std::span<const Nlri> nlri) {
  assert(at(source).state == Source::State::open);
  if (bytes() >= max_bytes_) {
    withdraw(source, nlri);
    return nlri.size();
  }
  const std::uint32_t attributes = intern(path);
  shared_[attributes].uses++;  // while we are at it
  std::size_t unfit = 0;
  for (const Nlri& one : nlri) {
    const Put done = put(source, one, attributes);
    if (done == Put::full) unfit++;
    if (done == Put::changed && events_.changed) events_.changed(one.prefix);
  }
  shared_[attributes].uses--;
  release(attributes);
  return unfit;
}

/// `link` leads to the node that goes.
void PathTable::unlink(std::uint32_t& link) {
  const std::uint32_t gone = link;
  const Node node = nodes_[gone];
  link = node.next;
  shared_[node.attributes].uses--;
  release(node.attributes);
  nodes_.give_back(gone);
}

void PathTable::drop_if_empty(std::uint32_t entry) {
  if (entries_[entry].first != kNone) return;
  by_prefix_.erase(ByPrefix::hash(entries_[entry].prefix), entry);
  entries_.give_back(entry);
}

bool PathTable::remove(SourceId source, const Nlri& nlri) {
  const auto entry = by_prefix_.find(nlri.prefix);
  if (!entry) return false;
  bool removed = false;
  std::size_t others = 0;
  for (std::uint32_t* link = &entries_[*entry].first; *link != kNone;) {
    const Node& node = nodes_[*link];
    if (node.source == source && node.path_id == nlri.path_id) {
      unlink(*link);
      removed = true;
      continue;
    }
    if (node.source == source) others++;
    link = &nodes_[*link].next;
  }
  if (!removed) return false;
  at(source).counts.paths--;
  if (others == 0) at(source).counts.prefixes--;
  drop_if_empty(*entry);
  return true;
}

void PathTable::withdraw(SourceId source, std::span<const Nlri> nlri) {
  assert(at(source).state == Source::State::open);
  for (const Nlri& one : nlri)
    if (remove(source, one) && events_.changed) events_.changed(one.prefix);
}

/// True where there was something.
bool PathTable::clear_closed(std::uint32_t entry) {
  bool cleared = false;
  for (std::uint32_t* link = &entries_[entry].first; *link != kNone;) {
    if (at(nodes_[*link].source).state == Source::State::closed) {
      unlink(*link);
      cleared = true;
    } else {
      link = &nodes_[*link].next;
    }
  }
  return cleared;
}

/// What was closed before the sweep began has left nothing; what closed since waits for the next.
void PathTable::finish_sweep() {
  for (const SourceId id : sweeping_) at(id) = {};
  sweeping_.clear();
}

bool PathTable::sweep(std::uint32_t most) {
  if (sweeping_.empty()) {
    if (closed_ == 0) return false;
    for (std::size_t i = 0; i < sources_.size(); i++)
      if (sources_[i].state == Source::State::closed) sweeping_.push_back(static_cast<SourceId>(i));
    closed_ = 0;
    sweep_at_ = 0;
    sweep_end_ = entries_.size();
  }
  for (; most > 0 && sweep_at_ < sweep_end_; most--, sweep_at_++) {
    if (entries_[sweep_at_].first == kNone) continue;
    const Prefix prefix = entries_[sweep_at_].prefix;
    if (!clear_closed(sweep_at_)) continue;
    drop_if_empty(sweep_at_);
    if (events_.changed) events_.changed(prefix);
  }
  if (sweep_at_ == sweep_end_) finish_sweep();
  return !sweeping_.empty() || closed_ != 0;
}

KnownPaths PathTable::paths(const Prefix& prefix) const {
  KnownPaths known;
  const auto entry = by_prefix_.find(prefix);
  for (std::uint32_t n = entry ? entries_[*entry].first : kNone; n != kNone; n = nodes_[n].next) {
    const Node& node = nodes_[n];
    const Source& source = at(node.source);
    if (source.state == Source::State::open)
      known.push_back({node.source, source.peer, node.path_id, shared_[node.attributes].path});
  }
  return known;
}

SourceCounts PathTable::counts(SourceId source) const {
  return at(source).counts;
}
std::size_t PathTable::prefixes() const {
  return entries_.used();
}
std::size_t PathTable::attributes() const {
  return shared_.used();
}
std::size_t PathTable::bytes() const {
  constexpr std::size_t kIndexed = 2 * sizeof(std::uint32_t);  // in an index that is half full
  return attribute_bytes_ + shared_.used() * (sizeof(Shared) + kIndexed) +
         entries_.used() * (sizeof(Entry) + kIndexed) + nodes_.used() * sizeof(Node);
}

}  // namespace hopwise::bgp
