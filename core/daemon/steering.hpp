// Keeps data plane, engine and probers in step with routing.
//
// Routes come in from the follower; sets of nexthops become groups; their nexthops get watched,
// probed and given to the programs; interfaces get the program of their role. It decides nothing:
// which weights a group has is the engine's business.
#pragma once

#include <functional>
#include <map>
#include <optional>
#include <set>
#include <unordered_map>
#include <vector>

#include "core/config/config.hpp"
#include "core/daemon/affinity.hpp"
#include "core/daemon/log.hpp"
#include "core/daemon/memories.hpp"
#include "core/daemon/probe_thread.hpp"
#include "core/daemon/promoted_routes.hpp"
#include "core/dataplane/dataplane.hpp"
#include "core/engine/engine.hpp"
#include "core/routes/follower.hpp"
#include "core/routes/groups.hpp"
#include "core/routes/prefix_table.hpp"

namespace hopwise {

/// A nexthop in use, and what the kernel says of it.
struct NexthopRecord {
  Nexthop nexthop;
  bool link_up = false;
  bool neighbour_resolved = false;
  bool bfd_down = false;    // its BFD session failed; without one it has not
  bool suspicious = false;  // as last told to its prober
  bool introduced = false;  // the engine has heard of it
  bool mark_leads = false;  // by it; matters with the actuator "mark" alone
  std::optional<EthernetAddress> gateway_address{};
  std::optional<dataplane::Link> link{};  // as last told to the data plane

  [[nodiscard]] bool ready() const { return link_up && neighbour_resolved && !bfd_down; }
};

class Steering {
 public:
  struct Parts {
    dataplane::Dataplane& dataplane;
    engine::Engine& engine;
    ProbeThread& probes;
    routes::Follower& follower;
    Log& log;
    dataplane::Actuator actuator;
    std::function<void(NexthopId)> forget;                   // metrics of a nexthop that goes
    std::function<void(const Nexthop&)> nexthop_joined;      // what was known of it
    std::function<void(const Group&, Shares)> group_joined;  // likewise; before it is decided on
    /// A route of the kernel with what BGP adds to it (Candidates::offered).
    std::function<routes::Route(const routes::Route&)> offered;
  };
  using Clock = std::function<TimePoint()>;

  Steering(const Parts& parts, const config::Config& config, Clock clock);

  // routes -> groups -> data plane, engine, probes
  void on_route(const routes::Route& route);
  void on_withdrawn(const Prefix& prefix);
  void on_interface(const routes::Interface& interface);
  void on_interface_gone(std::uint32_t ifindex);
  void on_neighbour(const NexthopKey& key, const routes::Neighbour& neighbour);
  // a BGP session is lost -> engine: steering_candidates.cpp
  /// These carry nothing as candidates, in any group there is now, from the next decision on.
  void withhold(const std::set<NexthopKey>& candidates);
  void release_withheld();
  [[nodiscard]] std::size_t withheld_groups() const { return withheld_.size(); }
  /// Times that a route did without its candidates for want of groups.
  [[nodiscard]] std::uint64_t plain_routes() const { return plain_routes_; }
  // speaker -> data plane, engine, probes: whose BFD session has failed; true where that changed
  bool on_bfd(const std::function<bool(const NexthopRecord&)>& is_down);
  // probes -> data plane: those whose marks lead by them
  void on_marks(const std::set<NexthopId>& leading);

  // destinations -> groups of their own: promoted_steering.cpp
  /// What routing has for a prefix: the longest route that covers it, and that route's group.
  struct Base {
    Prefix route;
    GroupId group{};
  };
  /// Nothing where there is none that is steered.
  [[nodiscard]] std::optional<Base> base_of(const Prefix& prefix) const;
  /// Gives the prefix a group of its own over its route's nexthops, which begins with the weights
  /// and buckets that it has there: nothing moves.
  Result<> promote(const Prefix& prefix);
  /// Back to its route's group; flows stay where they are. Nothing where routing was faster.
  void demote(const Prefix& prefix);
  [[nodiscard]] const PromotedRoutes& promoted() const { return promoted_; }
  /// Groups that may be added while some are kept for routing; negative: that should go.
  [[nodiscard]] std::ptrdiff_t room() const;

  /// The set by which this prefix is steered: by an earlier daemon, until there is a route to it.
  /// Of that the programs know no prefixes: it is what both ends of this one have. Empty: none.
  [[nodiscard]] std::vector<routes::WeightedNexthop> set_of(const Prefix& prefix) const;
  /// After the first full report: drops what an earlier daemon knew and routing no longer has.
  void drop_unknown_routes();
  /// Attaches and detaches programs when roles have changed since the last call.
  void settle_interfaces();
  /// Settles even where nothing changed: somebody else may have removed a program.
  void recheck_interfaces();
  /// Frees groups and nexthops that no route has used for a while; follows the kernel's forwarding
  /// switches.
  void expire();
  /// Passes the engine's wish for faster probing on to the probers.
  void settle_pace();
  /// Follows the paths' delays with the gap that ends a flowlet.
  void follow_delays();
  /// A new configuration: names, anchors, filter, interfaces, classes, terms.
  void reconfigure(const config::Config& config);

  /// Names of the interfaces that have, or should have, `steer`.
  [[nodiscard]] const std::vector<std::string>& lan_interfaces() const { return lan_; }
  /// False while traffic would carry marks that lead nowhere.
  [[nodiscard]] bool marks_lead() const { return !by_mark() || (marks_lead_ && !inherits_marks_); }
  /// After a start: marks lead as an earlier daemon left them, not all by this one yet.
  [[nodiscard]] bool inherits_marks() const { return inherits_marks_; }
  [[nodiscard]] dataplane::Affinity affinity_of(GroupId id) const { return affinities_.of(id); }
  /// The operator's word on a nexthop's bandwidth, bits a second.
  [[nodiscard]] std::optional<std::uint64_t> capacity_of(const Nexthop& nexthop) const;
  /// All that the configuration says of it as a carrier.
  [[nodiscard]] engine::NexthopTerms terms_of(const Nexthop& nexthop) const;
  [[nodiscard]] const std::map<NexthopId, NexthopRecord>& nexthops() const { return nexthops_; }
  /// What is probed through it.
  [[nodiscard]] probes::Target target_of(const NexthopRecord& record) const;
  [[nodiscard]] std::vector<const Group*> groups() const { return groups_.used(); }
  /// With those that nobody uses any more: the engine hears their traffic end, or it would take it
  /// for carried twice, there and by the group that serves its flows now.
  [[nodiscard]] std::vector<const Group*> measured_groups() const { return groups_.introduced(); }
  /// The name of the class whose traffic it carries; "" for none.
  [[nodiscard]] std::string class_of(const Group& group) const;
  [[nodiscard]] bool is_dry_run(const Group& group) const;
  [[nodiscard]] const Group* group(GroupId id) const { return groups_.find(id); }
  [[nodiscard]] std::size_t routes_of(GroupId id) const { return groups_.users(id); }
  /// Left to the kernel because no id was left, or because it has too many nexthops.
  [[nodiscard]] bool is_refused(const Prefix& prefix) const { return refused_.contains(prefix); }
  /// Whether the kernel forwards this family, as last looked.
  [[nodiscard]] bool forwards(Family family) const {
    return family == Family::v4 ? forwards_v4_ : forwards_v6_;
  }
  /// The next `count` of all prefixes that routing has, behind `after`, which moves on. True when
  /// the round is over: `after` is empty then, as before the first.
  bool visit_prefixes(std::optional<Prefix>& after, std::size_t count,
                      const std::function<void(const Prefix&)>& visit) const;
  [[nodiscard]] std::size_t steered_routes() const { return steered_; }
  [[nodiscard]] std::size_t kernel_routes() const { return routes_.size() - steered_; }

 private:
  [[nodiscard]] bool by_mark() const { return parts_.actuator == dataplane::Actuator::mark; }
  [[nodiscard]] bool may_steer(const routes::Route& route) const;
  std::optional<GroupId> join_group(const routes::Route& route, GroupId before);
  Result<GroupId> acquire_route(const std::vector<routes::WeightedNexthop>& set, GroupId before);
  [[nodiscard]] std::optional<GroupId> plain_of(
      GroupId before, const std::vector<routes::WeightedNexthop>& set) const;
  [[nodiscard]] std::vector<NexthopId> withheld_of(GroupId id) const;
  Result<GroupId> acquire(const std::vector<routes::WeightedNexthop>& set, const Variant& variant,
                          std::optional<GroupId> like = std::nullopt);
  void release(GroupId id);
  void join_classes(const Group& group, std::optional<GroupId> like = std::nullopt);
  void leave_classes(GroupId id);
  [[nodiscard]] std::vector<Group> adoptable(std::vector<Group> left) const;
  [[nodiscard]] bool lacks_classes(const Group& group) const;
  void settle_classes();
  void settle_terms(const Group& group);
  [[nodiscard]] std::vector<const Nexthop*> nexthops_of(const Group& group) const;
  void leave_group(GroupId id);
  /// Of routing's own route to exactly this prefix; GroupId{} where the kernel has it.
  [[nodiscard]] std::optional<GroupId> group_of_route(const Prefix& prefix) const;
  void aim(const NexthopRecord& record);
  void introduce_anew(NexthopRecord& record);
  void rename_interface(NexthopRecord& record, const std::string& name);
  void add_nexthop(NexthopId id, const NexthopKey& key);
  void remove_nexthop(NexthopId id);
  void refresh_nexthop(NexthopRecord& record);
  void refresh_usable(const NexthopRecord& record);
  void refresh_link(NexthopRecord& record);
  [[nodiscard]] std::optional<dataplane::Link> link_of(const NexthopRecord& record) const;
  void settle_marks();
  void settle_affinity(const Group& group);
  [[nodiscard]] std::vector<dataplane::Dataplane::Attachment> roles();
  [[nodiscard]] const config::NexthopConfig* configured(const Nexthop& nexthop) const;
  [[nodiscard]] std::string name_of(const Nexthop& nexthop) const;
  void end_promotions(const std::vector<Prefix>& prefixes);
  void end_filtered_promotions();
  void follow_route(const Prefix& route, GroupId base);
  void retry_refused();
  void note(const Result<>& done);

  Parts parts_;
  config::Config config_;
  Clock clock_;
  routes::Groups groups_;
  std::map<NexthopId, NexthopRecord> nexthops_;
  routes::PrefixTable<GroupId> routes_;  // GroupId{}: the kernel's
  // What a set's routes joined last; holding the set keeps its address its own.
  struct Joined {
    routes::NexthopSet set;
    GroupId group{};
  };
  std::unordered_map<const void*, Joined> joined_;
  std::size_t steered_ = 0;
  std::set<Prefix> refused_;  // multipath routes for which there was no id left
  std::size_t refused_told_ = 0;
  std::map<GroupId, std::set<NexthopId>> withheld_;
  std::uint64_t plain_routes_ = 0;
  PromotedRoutes promoted_;
  std::map<GroupId, std::vector<GroupId>> class_groups_;  // that serve each class in a group
  bool class_ids_short_ = false;                          // for some class there was no id left
  Affinities affinities_;
  bool marks_lead_ = false;
  bool inherits_marks_;
  TimePoint started_;
  std::vector<std::string> lan_;
  std::set<std::string> refused_lan_;  // named, and no Ethernet
  std::set<std::string> attach_faults_;
  bool roles_changed_ = true;
  bool forwards_v4_ = true;
  bool forwards_v6_ = true;
};

}  // namespace hopwise
