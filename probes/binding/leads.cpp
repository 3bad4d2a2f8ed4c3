#include "probes/binding/leads.hpp"

namespace hopwise::probes {

bool Leads::lead(const Nexthop& nexthop) {
  // IPv4 goes by a gateway of either family, IPv6 by one of its own.
  bool leads = binding_.bind(nexthop, Family::v4).has_value();
  if (!nexthop.key.gateway.is_v4()) leads = binding_.bind(nexthop, Family::v6) && leads;
  if (leads)
    leading_.insert(nexthop.id);
  else
    leading_.erase(nexthop.id);
  tell();
  return leads;
}

void Leads::forget(NexthopId id) {
  if (leading_.erase(id) != 0) tell();
}

void Leads::tell() {
  std::set<NexthopId> now = watch_.intact() ? leading_ : std::set<NexthopId>{};
  if (told_ == now) return;
  told_ = now;
  if (on_change_) on_change_(now);
}

}  // namespace hopwise::probes
