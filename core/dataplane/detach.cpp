#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <unistd.h>

#include <cerrno>
#include <optional>

#include "core/dataplane/hooks.hpp"
#include "core/dataplane/pins.hpp"
#include "core/dataplane/stage.hpp"

namespace hopwise::dataplane {

Result<std::vector<std::string>> detach_all(const std::string& pin_root) {
  libbpf_set_print(nullptr);  // it would report each interface that has no clsact
  std::vector<std::string> done;
  std::optional<Error> failed;  // the first; the rest is removed all the same
  const auto fail = [&](const Error& error) {
    if (!failed) failed = error;
  };
  const auto cookie = namespace_cookie();
  if (!cookie) return cookie.error();

  __u32 first_link = 0;
  if (bpf_link_get_next_id(0, &first_link) != 0 && errno == EPERM)
    fail(system_error("look for programs that are attached", EPERM, "needs root"));
  for (const Hook& hook : find_hooks()) {
    const RoleFacts& role = facts(hook.role);
    const std::string what = std::string(role.program) + " from " + hook.interface +
                             (hook.tcx ? " (tcx" : " (clsact") +
                             (role.direction == Direction::egress ? " egress)" : ")");
    if (remove_hook(hook))
      done.push_back("detached " + what);
    else
      fail(system_error("detach " + what, errno));
  }
  if (const auto stage = remove_stage(); !stage)
    fail(stage.error());
  else if (*stage)
    done.push_back(std::string("removed the staging device ") + kStageDevice);
  if (!pin_root.empty()) {
    const auto remove = [&](const std::string& folder, const char* because) {
      const Removal removal = remove_pins(folder);
      if (removal.pins > 0)
        done.push_back("removed " + std::to_string(removal.pins) + " pins in " + folder + because);
      if (removal.error) fail(*removal.error);
    };
    remove(namespace_folder(pin_root, *cookie), "");
    for (const std::string& folder : abandoned_folders(pin_root))
      remove(folder, ", whose network namespace is gone");
    rmdir(pin_root.c_str());
  }
  if (!failed) return done;
  for (const std::string& line : done) failed->message += "; " + line;
  return *failed;
}

}  // namespace hopwise::dataplane
