#include "core/cli/verify_report.hpp"

#include <map>
#include <nlohmann/json.hpp>

#include "core/cli/figures.hpp"

namespace hopwise::cli {
namespace {

using dataplane::Fault;
constexpr std::size_t kExamples = 5;

/// By kind, in the order of the kinds.
std::map<Fault, std::vector<const dataplane::Difference*>> by_kind(const VerifyReport& report) {
  std::map<Fault, std::vector<const dataplane::Difference*>> kinds;
  for (const dataplane::Difference& difference : report.faults)
    kinds[difference.fault].push_back(&difference);
  return kinds;
}

/// Of a kind, with those whose words were not kept.
std::uint64_t count_of(const VerifyReport& report, Fault fault, std::size_t kept) {
  const bool cut = report.last.differences.full();
  return cut ? std::max<std::uint64_t>(kept, report.last.differences.count(fault)) : kept;
}

std::uint64_t total(const VerifyReport& report) {
  std::uint64_t all = 0;
  for (const auto& [fault, examples] : by_kind(report))
    all += count_of(report, fault, examples.size());
  return all;
}

std::string number(std::uint64_t n) {
  return std::to_string(n);
}

std::string plural(std::uint64_t n, const std::string& one, const std::string& many) {
  return number(n) + ' ' + (n == 1 ? one : many);
}

std::string lease_text(const VerifyReport& report) {
  if (!report.last.lease_left)
    return "  lease: none, the kernel's routes carry all traffic (observing, held, or not begun)\n";
  const double left = seconds(*report.last.lease_left);
  if (left > 0) return "  lease: runs, " + time_text(left) + " left\n";
  return "  lease: over for " + time_text(-left) +
         ", the kernel's routes carry all traffic (no hopwise runs here)\n";
}

// What looks like a fault of all routes may be a line without the daemon's -c.
std::string configuration_text(const VerifyReport& report) {
  return "  expected by " +
         (report.configuration.empty() ? "the defaults, without a file" : report.configuration) +
         ": the daemon must run by the same (-c), as it is now (`hopwise reload`)\n";
}

std::string notes(const VerifyReport& report) {
  const auto& c = report.last.counts;
  std::string text;
  const auto note = [&](std::uint64_t n, const std::string& words) {
    if (n > 0) text += "  " + words + '\n';
  };
  note(c.candidate_paths,
       "candidates: " + plural(c.candidate_paths, "path", "paths") +
           " beyond routing's own (kernel weight 0, told by BGP): no difference");
  note(c.no_ids, "not steered: " + plural(c.no_ids, "route", "routes") +
                     ": no ids of groups, paths or nexthops are left; the kernel's route serves");
  note(c.no_room, "not steered: " + plural(c.no_room, "route", "routes") +
                      ": no room for more long prefixes; the kernel's route serves");
  note(c.too_large, "not steered: " + plural(c.too_large, "route", "routes") +
                        ": more nexthops than a group may have; the kernel's route serves");
  note(c.resolved_by_kernel,
       plural(c.resolved_by_kernel, "nexthop is", "nexthops are") +
           " resolved by the kernel for each packet: no link-layer addresses in the entry");
  note(c.held_by_bfd,
       plural(c.held_by_bfd, "nexthop is", "nexthops are") +
           " up and not used: BFD says that the way is down (see `hopwise nexthops`)");
  note(c.marks_lead_nowhere, plural(c.marks_lead_nowhere, "nexthop is", "nexthops are") +
                                 " up and not used: its mark leads nowhere (see `ip rule`)");
  note(report.changing, plural(report.changing, "difference is", "differences are") +
                            " too young to be believed: routing changes now");
  return text;
}

std::string summary(const VerifyReport& report) {
  const auto& c = report.last.counts;
  const std::string verdict =
      report.equal() ? "equal: "
                     : "differs: " + plural(total(report), "difference", "differences") + " in ";
  return verdict + plural(c.routes4, "IPv4 route", "IPv4 routes") + " and " +
         plural(c.routes6, "IPv6 route", "IPv6 routes") + " (" + number(c.steered) +
         " of several nexthops), " + plural(c.groups, "group", "groups") + ", " +
         plural(c.nexthops, "nexthop", "nexthops") + ", " +
         plural(c.programs, "program", "programs") + "; " +
         plural(static_cast<std::uint64_t>(report.looks), "look", "looks") + " in " +
         time_text(seconds(report.took)) + ", " + bytes_text(report.memory_bytes) + '\n';
}

}  // namespace

std::string to_text(const VerifyReport& report) {
  const auto& c = report.last.counts;
  std::string text = summary(report);
  text += "  every address: " + number(c.segments4) + " IPv4 and " + number(c.segments6) +
          " IPv6 ranges; " + plural(c.sets, "set", "sets") + " of nexthops; besides " +
          number(c.class_groups) + " groups of classes and " + number(c.unused_groups) +
          " unused ones; " + number(c.destinations) + " of the groups are one destination's\n";
  text += lease_text(report) + notes(report);
  if (!report.equal()) text += configuration_text(report);
  for (const auto& [fault, examples] : by_kind(report)) {
    const std::uint64_t count = count_of(report, fault, examples.size());
    text += '\n' + std::string(name(fault)) + " (" + number(count) + "): " + meaning(fault) + '\n';
    for (std::size_t i = 0; i < examples.size() && i < kExamples; ++i)
      text += "  " + examples[i]->subject + "  " + examples[i]->detail + '\n';
    if (count > kExamples) text += "  ... and " + number(count - kExamples) + " more\n";
    text += "  what to do: " + std::string(remedy(fault)) + '\n';
  }
  return text;
}

std::string to_json(const VerifyReport& report) {
  const auto& c = report.last.counts;
  Json json{{"equal", report.equal()},
            {"looks", report.looks},
            {"configuration", report.configuration},
            {"seconds", seconds(report.took)},
            {"dump_seconds", seconds(report.dump)},
            {"comparison_seconds", seconds(report.comparison)},
            {"memory_bytes", report.memory_bytes},
            {"lease_left_s",
             report.last.lease_left ? Json(seconds(*report.last.lease_left)) : Json(nullptr)},
            {"routes4", c.routes4},
            {"routes6", c.routes6},
            {"multipath", c.steered},
            {"ranges4", c.segments4},
            {"ranges6", c.segments6},
            {"sets", c.sets},
            {"groups", c.groups},
            {"class_groups", c.class_groups},
            {"destination_groups", c.destinations},
            {"unused_groups", c.unused_groups},
            {"nexthops", c.nexthops},
            {"programs", c.programs},
            {"candidate_paths", c.candidate_paths},
            {"not_steered_no_ids", c.no_ids},
            {"not_steered_no_room", c.no_room},
            {"not_steered_too_large", c.too_large},
            {"resolved_by_kernel", c.resolved_by_kernel},
            {"held_by_bfd", c.held_by_bfd},
            {"marks_lead_nowhere", c.marks_lead_nowhere},
            {"changing", report.changing},
            {"differences", total(report)},
            {"faults", Json::array()}};
  for (const auto& [fault, found] : by_kind(report)) {
    Json examples = Json::array();
    for (std::size_t i = 0; i < found.size() && i < 100; ++i)
      examples.push_back({{"subject", found[i]->subject}, {"detail", found[i]->detail}});
    json["faults"].push_back({{"fault", name(fault)},
                              {"count", count_of(report, fault, found.size())},
                              {"meaning", meaning(fault)},
                              {"remedy", remedy(fault)},
                              {"examples", std::move(examples)}});
  }
  return json.dump(2, ' ', false, Json::error_handler_t::replace);
}

}  // namespace hopwise::cli
