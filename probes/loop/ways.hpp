// The ways to nexthops, as the loop needs them: a mark for each that leads there and nowhere else,
// and whether it does so now.
#pragma once

#include <boost/asio/io_context.hpp>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>

#include "core/model/path.hpp"
#include "core/model/result.hpp"
#include "probes/binding/binding.hpp"
#include "probes/binding/leads.hpp"
#include "probes/binding/rule_watch.hpp"
#include "probes/binding/staging.hpp"
#include "probes/options.hpp"
#include "probes/target.hpp"

namespace hopwise::probes {

class Ways {
 public:
  struct Events {
    /// Whatever is out may have left by another way; the text says why.
    std::function<void(const std::string&)> stray;
    std::function<void(const std::set<NexthopId>&)> marks;  // Prober::Events
  };

  static Result<std::unique_ptr<Ways>> open(boost::asio::io_context& io, const Options& options,
                                            Events events, Staging staging);

  /// A new nexthop, or one that is known by the same key; for the families of its anchors. An error
  /// tells which mark does not lead.
  Result<> add(const Target& target);
  void remove(NexthopId id);
  [[nodiscard]] const Nexthop* find(NexthopId id) const;
  /// The link is up, or down: the kernel drops routes with it, and does not put them back.
  void up(NexthopId id);
  void down(NexthopId id);
  /// After the kernel dropped a route with the link: it dropped the other family's as well.
  Result<> bind_anew(NexthopId id, Family family);
  Result<> end_inheritance() { return binding_->end_inheritance(); }

  /// Whether rules are as they should be: asked before sending, and before replies are believed.
  [[nodiscard]] bool intact() { return watch_->intact(); }
  [[nodiscard]] bool holds(NexthopId id, Family family) const {
    return binding_->holds(id, family);
  }
  [[nodiscard]] std::uint32_t mark(NexthopId id) const { return binding_->mark(id); }
  [[nodiscard]] bool staged() const { return binding_->staged(); }
  [[nodiscard]] std::map<std::string, std::uint64_t> staged_packets() const {
    return binding_->staged_packets();
  }
  /// Sees to it that probes to `destination` can leave, and tells from which source address. The
  /// error tells what is missing.
  Result<IpAddress> leave(NexthopId id, const IpAddress& destination);
  /// That address, when there is one now.
  [[nodiscard]] std::optional<IpAddress> source(NexthopId id, const IpAddress& destination) {
    return binding_->source(nexthops_.at(id), destination);
  }
  /// Grows when an answer of source() may have become another.
  [[nodiscard]] std::uint64_t source_changes() const { return binding_->source_changes(); }
  /// Tells the events what changed.
  void tell();

 private:
  Ways() = default;
  bool lead(const Nexthop& nexthop) { return !leads_ || leads_->lead(nexthop); }

  std::map<NexthopId, Nexthop> nexthops_;
  std::unique_ptr<Binding> binding_;
  std::shared_ptr<RuleWatch> watch_;
  std::optional<Leads> leads_;  // where marks carry traffic
};

}  // namespace hopwise::probes
