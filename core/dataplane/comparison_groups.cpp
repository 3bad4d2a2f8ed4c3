// Groups that routes lead to: their entries, classes, destinations, buckets and nexthops.
#include <algorithm>
#include <cstring>
#include <map>

#include "core/dataplane/comparison.hpp"

namespace hopwise::dataplane {
namespace {

// A destination is a /24 or a /48, or the whole of a longer route.
constexpr int kDestination4 = 24, kDestination6 = 48;

std::string subject_of(std::uint32_t group) {
  return "group " + std::to_string(group);
}

class GroupComparison {
 public:
  GroupComparison(const InstalledTables& tables, const Expectation& expectation,
                  const std::vector<GroupUse>& use, Actuator actuator, Verification& result)
      : tables_(tables),
        expectation_(expectation),
        use_(use),
        actuator_(actuator),
        result_(result) {}

  void all();

 private:
  void add(Fault fault, std::uint32_t group, const std::string& detail) {
    result_.differences.add(fault, subject_of(group), detail);
  }
  void one(std::uint32_t id, const InstalledGroup& group);
  void classes(std::uint32_t id, const InstalledGroup& group);
  void destination(std::uint32_t id);
  void buckets(std::uint32_t id, const InstalledGroup& group);
  void nexthop(std::uint32_t id, const NexthopKey& key);
  void link(const hw_nexthop& entry, const std::string& subject, const GatewayState& state);
  void candidate(const InstalledGroup::Path& path);

  const InstalledTables& tables_;
  const Expectation& expectation_;
  const std::vector<GroupUse>& use_;
  Actuator actuator_;
  Verification& result_;
  std::map<std::uint32_t, NexthopKey> nexthops_;  // of groups that are looked at
  std::map<NexthopKey, GatewayState> states_;

  const GatewayState& state_of(const NexthopKey& key) {
    const auto known = states_.find(key);
    if (known != states_.end()) return known->second;
    return states_.emplace(key, expectation_.gateway(key)).first->second;
  }
};

void GroupComparison::all() {
  std::vector<bool> serving(tables_.groups.size());
  for (std::uint32_t id = 1; id < use_.size(); ++id) {
    if (!use_[id].used || seen(tables_.groups[id].count) == 0) continue;
    for (std::size_t c = 1; c < HW_MAX_CLASSES; ++c)
      if (const std::uint16_t by = seen(tables_.groups[id].class_group[c]);
          by != 0 && by < serving.size())
        serving[by] = true;
  }
  for (std::uint32_t id = 1; id < use_.size(); ++id) {
    if (seen(tables_.groups[id].count) == 0) continue;
    if (!use_[id].used && !serving[id]) {
      ++result_.counts.unused_groups;
      continue;
    }
    ++(use_[id].used ? result_.counts.groups : result_.counts.class_groups);
    one(id, read_group(tables_, id));
  }
  for (const auto& [id, key] : nexthops_) nexthop(id, key);
  result_.counts.nexthops = nexthops_.size();
}

void GroupComparison::one(std::uint32_t id, const InstalledGroup& group) {
  if (!group.contradiction.empty()) return add(Fault::broken_group, id, group.contradiction);
  for (const InstalledGroup::Path& path : group.paths) {
    nexthops_.emplace(path.nexthop, path.key);
    if (path.weight == 0) candidate(path);
  }
  if (use_[id].used) {
    classes(id, group);
    if (tables_.groups[id].kind == HW_GROUP_DESTINATION) destination(id);
  }
  buckets(id, group);
}

void GroupComparison::candidate(const InstalledGroup::Path& path) {
  ++result_.counts.candidate_paths;
  if (!state_of(path.key).on_link)
    result_.differences.add(Fault::candidate_off_link, words_of(path.key, expectation_),
                            "path " + std::to_string(path.id));
}

void GroupComparison::classes(std::uint32_t id, const InstalledGroup& group) {
  const hw_group& entry = tables_.groups[id];
  if (entry.kind == HW_GROUP_CLASS)
    return add(Fault::class_group, id, "is one class', and a route leads to it");
  for (std::uint32_t c = 1; c < HW_MAX_CLASSES; ++c) {
    const std::uint32_t by = seen(entry.class_group[c]);
    if (by == 0 || by == id) continue;
    const std::string what =
        "class " + std::to_string(c) + " is served by group " + std::to_string(by);
    if (by >= tables_.groups.size() || seen(tables_.groups[by].count) == 0) {
      add(Fault::class_group, id, what + ", which is not there");
    } else if (tables_.groups[by].kind != HW_GROUP_CLASS || tables_.groups[by].traffic_class != c) {
      add(Fault::class_group, id, what + ", which is not that class'");
    } else if (const InstalledGroup other = read_group(tables_, by); other.set != group.set) {
      add(Fault::class_group, id,
          what + " (" + words_of(other.set, expectation_) + ") instead of one over " +
              words_of(group.set, expectation_));
    }
  }
}

void GroupComparison::destination(std::uint32_t id) {
  ++result_.counts.destinations;
  const GroupUse& use = use_[id];
  if (common_length(*use.first, *use.last) < (use.v4 ? kDestination4 : kDestination6))
    add(Fault::destination_group, id, "addresses of more than one destination lead to it");
}

// Moves follow the flags within a tick: a bucket that lags behind does so for a moment.
void GroupComparison::buckets(std::uint32_t id, const InstalledGroup& group) {
  const bool somewhere = std::any_of(group.paths.begin(), group.paths.end(),
                                     [](const auto& path) { return path.usable; });
  std::size_t strays = 0;
  std::map<std::uint32_t, std::size_t> dead;  // by path
  for (std::size_t i = 0; i < HW_BUCKETS; ++i) {
    const std::uint32_t holds = seen(tables_.buckets[std::size_t{id} * HW_BUCKETS + i].path);
    const auto path = std::find_if(group.paths.begin(), group.paths.end(),
                                   [&](const auto& p) { return p.id == holds; });
    if (path == group.paths.end())
      ++strays;
    else if (somewhere && !path->usable)
      ++dead[path->id];
  }
  if (strays > 0)
    add(Fault::stray_bucket, id,
        std::to_string(strays) + " of " + std::to_string(HW_BUCKETS) + " buckets");
  for (const InstalledGroup::Path& path : group.paths)
    if (const auto found = dead.find(path.id); found != dead.end())
      result_.differences.add(
          Fault::dead_bucket, subject_of(id) + " by " + words_of(path.key, expectation_),
          std::to_string(found->second) + " of " + std::to_string(HW_BUCKETS) + " buckets");
}

void GroupComparison::nexthop(std::uint32_t id, const NexthopKey& key) {
  const hw_nexthop& entry = tables_.nexthops[id];
  const std::uint16_t flags = seen(entry.flags);
  const GatewayState& state = state_of(key);
  const std::string subject = words_of(key, expectation_);
  if (!state.interface_known)
    result_.differences.add(Fault::unknown_nexthop, subject, "nexthop " + std::to_string(id));
  const bool usable = (flags & HW_NEXTHOP_USABLE) != 0;
  if (usable && !state.ready())
    result_.differences.add(Fault::usable_while_down, subject,
                            state.link_up ? "its neighbour is not resolved" : "its link is down");
  if (!usable && state.ready()) {
    if ((flags & HW_NEXTHOP_HELD) != 0)
      ++result_.counts.held_by_bfd;
    else if (actuator_ == Actuator::mark)
      ++result_.counts.marks_lead_nowhere;
    else
      result_.differences.add(Fault::unusable_while_up, subject, "link and neighbour are up");
  }
  if ((flags & HW_NEXTHOP_DIRECT) != 0)
    link(entry, subject, state);
  else if (usable)
    ++result_.counts.resolved_by_kernel;
}

void GroupComparison::link(const hw_nexthop& entry, const std::string& subject,
                           const GatewayState& state) {
  if (!state.link) {
    if (state.ready())
      result_.differences.add(Fault::link_address, subject, "the kernel has none, the entry has");
    return;
  }
  const auto hex = [](const std::uint8_t* bytes) {
    std::string text;
    for (int i = 0; i < 6; ++i) {
      constexpr const char* kDigits = "0123456789abcdef";
      text += i == 0 ? "" : ":";
      text += kDigits[bytes[i] >> 4];
      text += kDigits[bytes[i] & 15];
    }
    return text;
  };
  const Link& wanted = *state.link;
  std::string detail;
  const auto tell = [&](const char* what, const std::string& is, const std::string& should) {
    if (is == should) return;
    detail += (detail.empty() ? "" : "; ") + std::string(what) + ' ' + is + " instead of " + should;
  };
  tell("gateway", hex(entry.link), hex(wanted.gateway.data()));
  tell("interface", hex(entry.link + 6), hex(wanted.interface.data()));
  tell("MTU", std::to_string(seen(entry.mtu)), std::to_string(wanted.mtu));
  if (!detail.empty()) result_.differences.add(Fault::link_address, subject, detail);
}

}  // namespace

std::string words_of(const NexthopKey& key, const Expectation& expectation) {
  const GatewayState state = expectation.gateway(key);
  return key.gateway.text() + '@' +
         (state.interface.empty() ? std::to_string(key.ifindex) : state.interface);
}

std::string words_of(const ExpectedSet& set, const Expectation& expectation) {
  if (set.empty()) return "no nexthop of routing's";
  std::string text;
  for (const ExpectedNexthop& nexthop : set) {
    text += (text.empty() ? "" : ", ") + words_of(nexthop.key, expectation);
    if (nexthop.weight != 1) text += " x" + std::to_string(nexthop.weight);
  }
  return text;
}

InstalledGroup read_group(const InstalledTables& tables, std::uint32_t id) {
  InstalledGroup group;
  const hw_group& entry = tables.groups[id];
  const std::uint32_t count = seen(entry.count);
  if (count > HW_MAX_GROUP_PATHS) {
    group.contradiction = "says that it has " + std::to_string(count) + " paths";
    return group;
  }
  for (std::uint32_t i = 0; i < count; ++i) {
    const std::uint32_t path = seen(entry.path[i]);
    const std::string what = "path " + std::to_string(path);
    if (path == 0 || path >= tables.paths.size()) {
      group.contradiction = what + " is none";
      continue;
    }
    const hw_path& p = tables.paths[path];
    const std::uint32_t nexthop = seen(p.nexthop);
    if (seen(p.group) != id)
      group.contradiction = what + " says that it is of group " + std::to_string(seen(p.group));
    const auto key = nexthop == 0 || nexthop >= tables.nexthops.size()
                         ? std::nullopt
                         : key_of(tables.nexthops[nexthop]);
    if (!key) {
      group.contradiction =
          what + " leads to nexthop " + std::to_string(nexthop) + ", which is not there";
      continue;
    }
    const bool usable = (seen(p.flags) & HW_PATH_USABLE) != 0 &&
                        (seen(tables.nexthops[nexthop].flags) & HW_NEXTHOP_USABLE) != 0;
    const std::uint32_t weight = seen(p.kernel_weight);
    group.paths.push_back({path, nexthop, weight, usable, *key});
    if (weight > 0) group.set.push_back({*key, weight});
  }
  std::sort(group.set.begin(), group.set.end());
  const auto same = [](const auto& a, const auto& b) { return a.key == b.key; };
  if (std::adjacent_find(group.set.begin(), group.set.end(), same) != group.set.end())
    group.contradiction = "two of its paths are over the same nexthop";
  if (group.set.empty() && group.contradiction.empty())
    group.contradiction = "no path of it has a weight of routing's";
  return group;
}

void compare_groups(const InstalledTables& tables, const Expectation& expectation,
                    const std::vector<GroupUse>& use, Actuator actuator, Verification& result) {
  GroupComparison(tables, expectation, use, actuator, result).all();
}

}  // namespace hopwise::dataplane
