// Keeps our programs on exactly the interfaces that are wanted, by TCX links that are pinned, or by
// clsact filters. Takes over what an earlier daemon attached, of whatever ABI, without a gap
// between the two: links and filters change their program in one step, and where that is not
// possible the new one is attached before the old one goes. Where the new one cannot be attached,
// the old one stays in charge. Puts back what somebody else took off.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "core/dataplane/dataplane.hpp"
#include "core/dataplane/handle.hpp"
#include "core/dataplane/hooks.hpp"

namespace hopwise::dataplane {

/// The loaded programs, one a role: `lan_return` shares that of `wan`.
struct ProgramFds {
  int steer = -1;
  int observe = -1;
  int local = -1;
};

class Attachments {
 public:
  /// `folder`: where links are pinned; "" pins none, and all ends with this object. Its siblings
  /// are those of other ABIs: they go once nothing depends on them.
  Attachments(std::string folder, ProgramFds programs, HookChoice choice)
      : folder_(std::move(folder)), programs_(programs), choice_(choice) {}
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
  Result<Handle> attach_tcx_at(const Dataplane::Attachment& where, int program);
  Result<std::optional<Handle>> take_over(const Dataplane::Attachment& where, int program);
  Result<> pin(const Handle& link, const Dataplane::Attachment& where) const;
  Result<> keep_pinned(const Attached& attached) const;
  using Places = std::vector<Dataplane::Attachment>;
  void sweep(const Places& failed);
  void sweep_pins(const std::string& folder, const Places& failed) const;
  [[nodiscard]] int program_of(Role role) const;
  [[nodiscard]] std::string pin_of(const Dataplane::Attachment& where) const;

  std::string folder_;
  ProgramFds programs_;
  HookChoice choice_;
  std::vector<Attached> attached_;
  bool swept_ = false;  // of what earlier daemons left
};

}  // namespace hopwise::dataplane
