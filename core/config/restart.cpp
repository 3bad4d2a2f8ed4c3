// What a running daemon cannot change: what its programs were loaded with, what it pinned, marked
// and listens on. Everything else follows a reload.
#include <tuple>

#include "core/config/config.hpp"
#include "core/config/reader.hpp"
#include "core/config/routes_config.hpp"
#include "core/model/format.hpp"

namespace hopwise::config {
namespace {

const char* actuator_text(dataplane::Actuator actuator) {
  switch (actuator) {
    case dataplane::Actuator::redirect:
      return "redirect";
    case dataplane::Actuator::mark:
      return "mark";
    case dataplane::Actuator::automatic:
      break;
  }
  return "auto";
}

const char* on_off(bool on) {
  return on ? "true" : "false";
}

const char* escape_text(std::optional<bool> escape) {
  return !escape ? "auto" : *escape ? "on" : "off";
}

const char* lease_text(bool hold) {
  return hold ? "hold" : "kernel";
}

std::string protocols_text(const routes::Options& routes) {
  if (routes.protocols.empty()) return "all";
  std::string text;
  for (const std::uint8_t protocol : routes.protocols)
    text += (text.empty() ? "" : " ") + protocol_text(protocol);
  return text;
}

}  // namespace

std::optional<std::string> needs_restart(const Config& running, const Config& wanted) {
  const auto& [r, w] = std::tie(running, wanted);
  const auto n = [](std::uint32_t number) { return std::to_string(number); };
  const auto share = [](double ratio) { return format("%.6g", ratio); };
  const struct {
    const char* key;
    std::string before, after;
  } fixed[] = {
      {"routes.table", n(r.routes.table), n(w.routes.table)},
      {"routes.vrf", r.routes.vrf, w.routes.vrf},
      {"routes.protocols", protocols_text(r.routes), protocols_text(w.routes)},
      {"routes.receive_buffer", std::to_string(r.routes.receive_buffer_bytes),
       std::to_string(w.routes.receive_buffer_bytes)},
      {"routes.debounce", duration_text(r.routes.debounce), duration_text(w.routes.debounce)},
      {"probe.mark_base", n(r.probes.mark_base), n(w.probes.mark_base)},
      {"probe.rule_priority", n(r.probes.rule_priority), n(w.probes.rule_priority)},
      {"probe.stage_from", n(r.probes.stage_from), n(w.probes.stage_from)},
      {"probe.flows", n(r.probes.flows), n(w.probes.flows)},
      {"dataplane.actuator", actuator_text(r.dataplane.actuator),
       actuator_text(w.dataplane.actuator)},
      {"dataplane.measure", on_off(r.dataplane.measure), on_off(w.dataplane.measure)},
      {"dataplane.escape", escape_text(r.escape), escape_text(w.escape)},
      {"dataplane.on_lease_over", lease_text(r.dataplane.hold_weights),
       lease_text(w.dataplane.hold_weights)},
      {"dataplane.control_share", share(r.dataplane.control_share),
       share(w.dataplane.control_share)},
      {"dataplane.sample_share", share(r.dataplane.sample_share), share(w.dataplane.sample_share)},
      {"dataplane.new_flows_per_second", n(r.dataplane.new_flows_per_s),
       n(w.dataplane.new_flows_per_s)},
      {"dataplane.pin_root", r.dataplane.pin_root, w.dataplane.pin_root},
      {"dataplane.lease", duration_text(r.dataplane.lease), duration_text(w.dataplane.lease)},
      {"dataplane.busy_moves", n(r.dataplane.busy_moves), n(w.dataplane.busy_moves)},
      {"dataplane.idle_after", duration_text(r.dataplane.idle_after),
       duration_text(w.dataplane.idle_after)},
      {"state.file", r.state_file, w.state_file},
      {"api.listen", r.api.listen, w.api.listen},
      {"api.socket", r.api.socket, w.api.socket},
  };
  for (const auto& [key, before, after] : fixed)
    if (before != after)
      return format(
          "%s: \"%s\" cannot become \"%s\" while hopwise runs (restart it: traffic goes on "
          "meanwhile)",
          key, before.c_str(), after.c_str());
  if (r.bgp != w.bgp)  // its sessions would have to be begun anew, and passwords are not shown
    return "bgp: cannot change while hopwise runs (restart it: traffic goes on meanwhile)";
  if (r.bmp != w.bmp)
    return "bmp: cannot change while hopwise runs (restart it: traffic goes on meanwhile)";
  return std::nullopt;
}

}  // namespace hopwise::config
