#include "core/metrics/law.hpp"

#include <algorithm>
#include <unordered_map>

#include "core/metrics/figures.hpp"

namespace hopwise::metrics {
namespace {

struct GroupLine {
  const GroupStatus& status;
  const GroupLawView& law;
  Labels labels;
};
struct PathLine {
  const PathLaw& law;
  Labels labels;
};
struct CarrierLine {
  const CarrierView& view;
  Labels labels;
};

using G = GroupLine;
using P = PathLine;
using C = CarrierLine;
using Known = std::optional<double>;

Known scaled(const Known& value, double by) {
  return value ? Known(*value * by) : Known();
}

std::vector<G> group_lines(const Status& status) {
  std::vector<G> lines;
  for (const GroupStatus& group : status.groups)
    if (group.law) lines.push_back({group, *group.law, {{"group", std::to_string(raw(group.id))}}});
  return lines;
}

std::vector<P> path_lines(const Status& status) {
  std::unordered_map<NexthopId, std::string> names;
  for (const NexthopStatus& nexthop : status.nexthops)
    names.emplace(nexthop.nexthop.id, nexthop.nexthop.name);
  std::vector<P> lines;
  for (const GroupStatus& group : status.groups) {
    if (!group.law) continue;
    for (const PathLaw& path : group.law->paths) {
      const auto name = names.find(path.nexthop);
      lines.push_back(
          {path,
           {{"group", std::to_string(raw(group.id))},
            {"nexthop", name == names.end() ? "nexthop-" + std::to_string(raw(path.nexthop))
                                            : name->second}}});
    }
  }
  return lines;
}

bool is_unmet(const GroupLawView& law) {
  bool usable = false, met = false;
  for (const PathLaw& path : law.paths) {
    usable = usable || path.usable;
    met = met || (path.usable && path.meets_objectives);
  }
  return usable && !met;
}

constexpr Figure<G> kGroups[] = {
    {Metric::group_dry_run, [](const G& g, TimePoint) { return Known(one_if(g.law.dry_run)); }},
    {Metric::group_reverted, [](const G& g, TimePoint) { return Known(one_if(g.law.reverted)); }},
    {Metric::group_objective_unmet,
     [](const G& g, TimePoint) { return Known(one_if(is_unmet(g.law))); }},
    {Metric::group_loop_gain_ratio, [](const G& g, TimePoint) { return Known(g.law.margin()); }},
    {Metric::group_demand_bytes_per_second,
     [](const G& g, TimePoint) { return scaled(g.law.demand_bit_s, 1.0 / 8); }},
};

constexpr Figure<P> kPaths[] = {
    {Metric::path_predicted_rtt_seconds,
     [](const P& p, TimePoint) { return scaled(p.law.predicted.rtt_ms, 1e-3); }},
    {Metric::path_predicted_utilisation_ratio,
     [](const P& p, TimePoint) { return p.law.predicted.utilisation; }},
    {Metric::path_disagreement_seconds,
     [](const P& p, TimePoint) { return Known(p.law.disagreement_ms.value_or(0) / 1000); }},
};

constexpr Figure<C> kCarriers[] = {
    {Metric::nexthop_capacity_used_ratio, [](const C& c, TimePoint) { return c.view.utilisation; }},
    {Metric::nexthop_percentile_bytes_per_second,
     [](const C& c, TimePoint) { return scaled(c.view.percentile_bit_s, 1.0 / 8); }},
    {Metric::nexthop_commit_bytes_per_second,
     [](const C& c, TimePoint) { return scaled(c.view.commit_bit_s, 1.0 / 8); }},
    {Metric::nexthop_price, [](const C& c, TimePoint) { return Known(c.view.price); }},
};

void add_gain(Page& page, const G& group) {
  if (!group.law.proof) return;
  const Gain& gain = *group.law.proof;
  page.add(Metric::group_gain_seconds, gain.gain_ms / 1000, group.labels, {"bound", "middle"});
  page.add(Metric::group_gain_seconds, gain.lower_ms / 1000, group.labels, {"bound", "lower"});
  page.add(Metric::group_gain_seconds, gain.upper_ms / 1000, group.labels, {"bound", "upper"});
}

}  // namespace

void add_groups_law(Page& page, const Status& status) {
  const auto groups = group_lines(status);
  add(page, groups, kGroups, {});
  for (const G& group : groups) add_gain(page, group);
  for (const G& group : groups)
    page.add(Metric::group_info, 1.0,
             {group.labels[0],
              {"name", group.status.name.value_or("")},
              {"policy", group.law.policy},
              {"class", group.status.traffic_class.value_or("")},
              {"destination", group.status.destination.value_or("")}});
}

void add_paths_law(Page& page, const Status& status) {
  const auto paths = path_lines(status);
  add(page, paths, kPaths, {});
  for (const P& path : paths) {
    const CostTerms& terms = path.law.terms;
    const struct {
      const char* name;
      double value;
    } all[] = {{"delay", terms.delay},          {"queue", terms.queue}, {"loss", terms.loss},
               {"jitter", terms.jitter},        {"price", terms.price}, {"load", terms.load},
               {"preference", terms.preference}};
    for (const auto& [name, value] : all)
      page.add(Metric::path_cost_term, value, path.labels, {"term", name});
  }
}

void add_carriers(Page& page, const Status& status) {
  std::vector<C> lines;
  for (const NexthopStatus& nexthop : status.nexthops)
    if (nexthop.carrier) lines.push_back({*nexthop.carrier, {{"nexthop", nexthop.nexthop.name}}});
  for (const C& line : lines)
    if (line.view.capacity_bit_s)
      page.add(Metric::nexthop_capacity_bytes_per_second, *line.view.capacity_bit_s / 8,
               line.labels, {"source", line.view.capacity_from});
  add(page, lines, kCarriers, {});
}

}  // namespace hopwise::metrics
