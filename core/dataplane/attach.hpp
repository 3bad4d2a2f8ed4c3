// Keeps our programs on exactly the interfaces that are wanted, by TCX links that are pinned, or by
// clsact filters. Takes over what an earlier daemon attached without a gap between the two, and
// puts back what somebody else took off.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "core/dataplane/dataplane.hpp"
#include "core/dataplane/handle.hpp"
#include "core/dataplane/hooks.hpp"

namespace hopwise::dataplane {

class Attachments {
 public:
  /// `folder`: where links are pinned; "" pins none, and all ends with this object.
  Attachments(std::string folder, int steer_fd, int observe_fd, HookChoice choice)
      : folder_(std::move(folder)), steer_(steer_fd), observe_(observe_fd), choice_(choice) {}
  ~Attachments();
  Attachments(const Attachments&) = delete;
  Attachments& operator=(const Attachments&) = delete;

  /// Asks the kernel for each attachment whether it is still there. With nothing to do that is all.
  std::vector<Error> set(const std::vector<Dataplane::Attachment>& wanted);
  /// What the kernel has now.
  [[nodiscard]] std::vector<InterfaceStatus> status() const;

 private:
  struct Attached {
    Dataplane::Attachment where;
    Handle link;  // of TCX; clsact has none
  };
  [[nodiscard]] bool is_there(const Attached& attached) const;
  Result<Attached> attach(const Dataplane::Attachment& where);
  Result<> keep_pinned(const Attached& attached) const;
  void sweep(const std::vector<std::uint32_t>& spared);
  std::optional<Handle> take_over(const std::string& pin, std::uint32_t ifindex, int program_fd);
  void sweep_pins(const std::vector<std::uint32_t>& spared) const;
  [[nodiscard]] int program_of(Role role) const { return role == Role::lan ? steer_ : observe_; }
  [[nodiscard]] std::string pin_of(const Dataplane::Attachment& where) const;

  std::string folder_;
  int steer_;
  int observe_;
  HookChoice choice_;
  std::vector<Attached> attached_;
  bool swept_ = false;  // of what earlier daemons left
};

}  // namespace hopwise::dataplane
