// Our programs on the interfaces of this network namespace: found by name, whoever left them there.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "core/dataplane/dataplane.hpp"
#include "core/dataplane/handle.hpp"

namespace hopwise::dataplane {

/// One attachment: a TCX link, or a clsact filter of our priority and handle.
struct Hook {
  std::uint32_t ifindex = 0;
  std::string interface;
  Role role = Role::lan;
  bool tcx = true;
  std::uint32_t link_id = 0;  // TCX only
};

/// "steer" or "observe": what the program of this role is called.
const char* program_name(Role role);

/// Every attachment of ours in this network namespace, also those of a crashed or older daemon.
std::vector<Hook> find_hooks();
/// Detaches; false when it could not be.
bool remove_hook(const Hook& hook);

/// A filter of clsact ingress that is ours by its priority and handle. Creates the qdisc where it
/// is missing, and never removes it: others may use it. Returns 0 or a negative errno.
int attach_clsact(std::uint32_t ifindex, Role role, int program_fd);
/// A TCX link at ingress, after those of others. Returns its descriptor or a negative errno:
/// -EINVAL where the kernel has no TCX.
int attach_tcx(std::uint32_t ifindex, int program_fd);

/// Whether this very program is on the interface now, by this TCX link, or by our filter when there
/// is no link. Asks the kernel about this interface only.
bool is_attached(const Handle& link, std::uint32_t ifindex, Role role, int program_fd);

/// The interface that a TCX link hangs on; 0 when that is gone.
std::uint32_t tcx_ifindex(int link_fd);
/// The id of a link; 0 when it is none.
std::uint32_t link_id(int link_fd);

}  // namespace hopwise::dataplane
