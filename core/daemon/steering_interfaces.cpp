// Which interface has which program, by what it is to us.
#include <algorithm>
#include <set>

#include "core/daemon/host.hpp"
#include "core/daemon/steering.hpp"

namespace hopwise {

void Steering::on_interface(const routes::Interface& interface) {
  roles_changed_ = true;
  for (auto& [id, record] : nexthops_) {
    if (record.nexthop.key.ifindex != interface.ifindex) continue;
    if (!interface.name.empty() && record.nexthop.interface != interface.name) {
      record.nexthop.interface = interface.name;
      retell(record);
    }
    if (record.link_up == interface.up) {
      refresh_link(record);  // its address or MTU may have changed
      continue;
    }
    record.link_up = interface.up;
    refresh_nexthop(record);
  }
}

void Steering::on_interface_gone(std::uint32_t ifindex) {
  on_interface({ifindex, {}});
}

// What each interface is to us. Answers are seen where NAT has been undone already: with `mark`, on
// their way out to the LAN.
std::vector<dataplane::Dataplane::Attachment> Steering::roles() {
  using dataplane::Role;
  std::set<std::uint32_t> wan;
  for (const auto& [id, record] : nexthops_) wan.insert(record.nexthop.key.ifindex);
  const auto& named = config_.lan_interfaces;
  std::vector<dataplane::Dataplane::Attachment> wanted;
  std::set<std::string> refused;
  lan_.clear();
  for (const auto& [ifindex, interface] : parts_.follower.interfaces()) {
    const bool is_named = std::find(named.begin(), named.end(), interface.name) != named.end();
    const bool is_wan = wan.contains(ifindex);
    if (is_wan && !by_mark()) wanted.push_back({ifindex, interface.name, Role::wan});
    if (is_wan && !by_mark() && config_.local_traffic)
      wanted.push_back({ifindex, interface.name, Role::local});
    if (is_named && !interface.ethernet) {
      refused.insert(interface.name);
      continue;
    }
    // A named interface is steered even where it is a nexthop's too (a router on a stick).
    if (is_named ||
        (named.empty() && !is_wan && interface.can_be_lan() && forwards_from(interface.name))) {
      wanted.push_back({ifindex, interface.name, Role::lan});
      if (by_mark()) wanted.push_back({ifindex, interface.name, Role::lan_return});
      lan_.push_back(interface.name);
    }
  }
  for (const std::string& name : refused)
    if (!refused_lan_.contains(name))
      parts_.log.error("lan_interface_refused",
                       {{"interface", name},
                        {"because",
                         "it is no Ethernet interface: what comes in by it is left to "
                         "the kernel (remove it from lan_interfaces)"}});
  refused_lan_ = std::move(refused);
  // Without a group there is nothing to steer: leave every interface alone.
  if (wan.empty()) wanted.clear();
  return wanted;
}

void Steering::settle_interfaces() {
  if (!roles_changed_) return;
  roles_changed_ = false;
  const auto wanted = roles();
  std::set<std::string> faults;  // each is told once, and tried again at every recheck
  for (const Error& error : parts_.dataplane.attach(wanted)) faults.insert(error.message);
  for (const std::string& fault : faults)
    if (!attach_faults_.contains(fault)) parts_.log.error("attach_failed", {{"error", fault}});
  attach_faults_ = std::move(faults);
}

void Steering::recheck_interfaces() {
  roles_changed_ = true;
  settle_interfaces();
}

}  // namespace hopwise
