// All paths that BGP tells of: (prefix, source, path identifier) -> attributes. Pure.
//
// A source is one stay of one peer: a session while it is established, or a peer that a BMP
// station speaks of. It opens, tells, and closes; what it told is gone with close() at once, in no
// time whatever it was, for readers pass over sources that are closed. What lies about is then
// cleared by sweep(), a little at a time, which says `changed` of each prefix.
//
// Paths with the same attributes are one object. Nothing here takes longer than its arguments are
// long: memory grows in pieces, indexes in 256 parts. A million prefixes with three paths take
// 24 + 3 * 16 bytes each and their share of the attributes.
//
// Events are called while the table is being changed: they may read it, and must not change it.
#pragma once

#include <boost/container/small_vector.hpp>
#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <vector>

#include "core/bgp/path_index.hpp"
#include "core/bgp/update.hpp"
#include "core/model/address.hpp"
#include "core/model/bgp_path.hpp"

namespace hopwise::bgp {

/// One stay of one peer. Numbers are used again once nothing of the former stay is left.
enum class SourceId : std::uint16_t {};

/// A path as it is offered.
struct KnownPath {
  SourceId source{};
  IpAddress peer;             // who the source is
  std::uint32_t path_id = 0;  // the peer's own number for it: no order, no meaning
  std::shared_ptr<const BgpPath> path;
};
using KnownPaths = boost::container::small_vector<KnownPath, 8>;

struct TableEvents {
  /// The paths to this prefix are others than before. Also told of prefixes of a closed source,
  /// later and in slices.
  std::function<void(const Prefix&)> changed{};
  /// All paths of this source are gone, now. `paths(prefix)` of any prefix knows them no more.
  std::function<void(SourceId, const IpAddress& peer)> lost{};
};

struct SourceCounts {
  std::size_t prefixes = 0;
  std::size_t paths = 0;
};

class PathTable {
 public:
  /// Of one source to one prefix: a peer that tells of more lies, and would make every step long.
  static constexpr std::size_t kMaxPathsPerPrefix = 64;
  /// Sources at a time, those that are still being swept too.
  static constexpr std::size_t kMaxSources = 4096;
  /// Of all sources. Ten full tables of the Internet take some 1 GB; attributes of 4096 bytes, each
  /// different, would take the router's memory long before a limit on prefixes is reached.
  static constexpr std::size_t kMaxBytes = std::size_t{2} << 30U;

  explicit PathTable(TableEvents events = {}, std::size_t max_bytes = kMaxBytes);
  PathTable(const PathTable&) = delete;
  PathTable& operator=(const PathTable&) = delete;
  ~PathTable();

  /// Nothing where there are kMaxSources: sweep first.
  std::optional<SourceId> open(const IpAddress& peer);
  /// `lost` is told before this returns.
  void close(SourceId source);

  /// `source` is open. Returns how many did not fit (kMaxPathsPerPrefix, kMaxBytes); a path that
  /// was known by its identifier is replaced, or where there is no room for the new one, withdrawn.
  std::size_t announce(SourceId source, const BgpPath& path, std::span<const Nlri> nlri);
  void withdraw(SourceId source, std::span<const Nlri> nlri);

  /// Something of a closed source is left, for sweep() to clear.
  [[nodiscard]] bool sweeping() const { return !sweeping_.empty() || closed_ != 0; }
  /// Clears what closed sources left, of at most `entries` prefixes. True while there is more.
  bool sweep(std::uint32_t entries);

  /// Of open sources; empty for an unknown prefix.
  [[nodiscard]] KnownPaths paths(const Prefix& prefix) const;
  [[nodiscard]] SourceCounts counts(SourceId source) const;
  [[nodiscard]] std::size_t prefixes() const;  // until they are swept, those of closed sources too
  [[nodiscard]] std::size_t attributes() const;  // that differ
  /// About what all of it takes.
  [[nodiscard]] std::size_t bytes() const;

 private:
  static constexpr std::uint32_t kNone = 0xffffffff;

  /// A path of a prefix: one of a chain.
  struct Node {
    std::uint32_t next = kNone;
    std::uint32_t path_id = 0;
    std::uint32_t attributes = kNone;
    SourceId source{};
  };
  struct Entry {
    Prefix prefix;
    std::uint32_t first = kNone;  // kNone: not in use
  };
  struct Shared {
    std::shared_ptr<const BgpPath> path;
    std::size_t hash = 0;
    std::uint32_t uses = 0;
  };
  struct Source {
    IpAddress peer;
    SourceCounts counts;
    enum class State : std::uint8_t { unused, open, closed } state = State::unused;
  };
  struct ByPrefix {
    static std::size_t hash(const Prefix& prefix);
    static std::size_t hash(const Entry& entry) { return hash(entry.prefix); }
    static bool same(const Entry& entry, const Prefix& prefix) { return entry.prefix == prefix; }
  };
  struct Wanted {
    const BgpPath& path;
    std::size_t hash;
  };
  struct ByAttributes {
    static std::size_t hash(const Wanted& wanted) { return wanted.hash; }
    static std::size_t hash(const Shared& shared) { return shared.hash; }
    static bool same(const Shared& shared, const Wanted& wanted) {
      return shared.hash == wanted.hash && *shared.path == wanted.path;
    }
  };
  enum class Put : std::uint8_t { changed, same, full };

  std::uint32_t intern(const BgpPath& path);
  void release(std::uint32_t attributes);
  Put put(SourceId source, const Nlri& nlri, std::uint32_t attributes);
  bool remove(SourceId source, const Nlri& nlri);
  void unlink(std::uint32_t& link);
  void drop_if_empty(std::uint32_t entry);
  bool clear_closed(std::uint32_t entry);
  void finish_sweep();
  [[nodiscard]] Source& at(SourceId id) { return sources_[static_cast<std::size_t>(id)]; }
  [[nodiscard]] const Source& at(SourceId id) const {
    return sources_[static_cast<std::size_t>(id)];
  }

  TableEvents events_;
  const std::size_t max_bytes_;
  std::size_t attribute_bytes_ = 0;
  std::vector<Source> sources_;
  Slab<Entry> entries_;
  Slab<Node> nodes_;
  Slab<Shared> shared_;
  SlotIndex<Entry, ByPrefix> by_prefix_;
  SlotIndex<Shared, ByAttributes> by_attributes_;
  std::size_t closed_ = 0;          // sources that wait for a sweep to begin
  std::vector<SourceId> sweeping_;  // closed before the sweep under way began
  std::uint32_t sweep_at_ = 0, sweep_end_ = 0;
};

}  // namespace hopwise::bgp
