// Our programs on the interfaces of this network namespace: found by name, whoever left them there.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "core/dataplane/dataplane.hpp"
#include "core/dataplane/handle.hpp"

namespace hopwise::dataplane {

enum class Direction : std::uint8_t { ingress, egress };

/// What each role means to the kernel. Names and handles outlive the daemon: older and newer ones
/// know each other's hooks by them, so they never change.
struct RoleFacts {
  Role role;
  const char* name;     // in the status
  const char* program;  // "hw_" and this is the program's name
  Direction direction;
  std::uint32_t handle;  // of the clsact filter
  const char* pin;       // what the name of the link's pin begins with
};
inline constexpr std::array<RoleFacts, 4> kRoles{{
    {Role::lan, "lan", "steer", Direction::ingress, 1, "lan-"},
    {Role::wan, "wan", "observe", Direction::ingress, 2, "wan-"},
    {Role::lan_return, "lan_return", "observe", Direction::egress, 3, "return-"},
    {Role::local, "local", "local", Direction::egress, 4, "local-"},
}};
const RoleFacts& facts(Role role);

/// One attachment: a TCX link, or a clsact filter of our priority and handle.
struct Hook {
  std::uint32_t ifindex = 0;
  std::string interface;
  Role role = Role::lan;
  bool tcx = true;
  std::uint32_t link_id = 0;     // TCX only
  std::uint32_t program_id = 0;  // the kernel's number of it
};
/// "observe lan0 egress tcx".
std::string text(const Hook& hook);

/// Every attachment of ours in this network namespace, also those of a crashed or older daemon.
std::vector<Hook> find_hooks();
/// Detaches; false when it could not be.
bool remove_hook(const Hook& hook);

/// A filter of clsact that is ours by its priority and handle; it takes the place of the one that
/// is there at once. Creates the qdisc where it is missing, and never removes it: others may use
/// it. Returns 0 or a negative errno.
int attach_clsact(std::uint32_t ifindex, Role role, int program_fd);
/// A TCX link, after those of others. Returns its descriptor or a negative errno: -EINVAL where the
/// kernel has no TCX.
int attach_tcx(std::uint32_t ifindex, Role role, int program_fd);

/// Whether this very program is on the interface now, by this TCX link, or by our filter when there
/// is no link. Asks the kernel about this interface only.
bool is_attached(const Handle& link, std::uint32_t ifindex, Role role, int program_fd);

/// Whether a TCX link hangs on this interface, in this role's direction.
bool hangs_on(int link_fd, std::uint32_t ifindex, Role role);
/// Whether a TCX link hangs on any interface; false also when it is no such link.
bool hangs_anywhere(int link_fd);
/// The id of a link; 0 when it is none.
std::uint32_t link_id(int link_fd);

}  // namespace hopwise::dataplane
