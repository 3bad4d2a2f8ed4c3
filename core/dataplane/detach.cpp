#include <bpf/libbpf.h>
#include <unistd.h>

#include "core/dataplane/hooks.hpp"
#include "core/dataplane/pins.hpp"

namespace hopwise::dataplane {

Result<std::vector<std::string>> detach_all(const std::string& pin_root) {
  libbpf_set_print(nullptr);  // it would report each interface that has no clsact
  std::vector<std::string> done;
  const auto cookie = namespace_cookie();
  if (!cookie) return cookie.error();

  for (const Hook& hook : find_hooks()) {
    const std::string what = std::string(program_name(hook.role)) + " from " + hook.interface +
                             (hook.tcx ? " (tcx)" : " (clsact)");
    if (!remove_hook(hook)) return system_error("detach " + what, errno);
    done.push_back("detached " + what);
  }
  if (pin_root.empty()) return done;

  const std::string own = namespace_folder(pin_root, *cookie);
  if (const std::size_t pins = remove_pins(own); pins > 0)
    done.push_back("removed " + std::to_string(pins) + " pins in " + own);
  for (const std::string& folder : abandoned_folders(pin_root))
    done.push_back("removed " + std::to_string(remove_pins(folder)) + " pins in " + folder +
                   ", whose network namespace is gone");
  rmdir(pin_root.c_str());
  return done;
}

}  // namespace hopwise::dataplane
