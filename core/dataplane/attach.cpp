#include "core/dataplane/attach.hpp"

#include <bpf/bpf.h>
#include <net/if.h>
#include <net/if_arp.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>

#include "core/dataplane/pins.hpp"

namespace hopwise::dataplane {
namespace {

// The programs expect an Ethernet header: tunnels and PPP have none at this hook.
Result<> expect_ethernet(std::uint32_t ifindex) {
  ifreq request{};
  const Handle socket(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  if (if_indextoname(ifindex, request.ifr_name) == nullptr ||
      ioctl(socket.fd(), SIOCGIFHWADDR, &request) != 0)
    return system_error("look at interface", errno);
  const auto type = request.ifr_hwaddr.sa_family;
  if (type != ARPHRD_ETHER && type != ARPHRD_LOOPBACK)
    return Error{"not an Ethernet device; its traffic is left to the kernel"};
  return {};
}

// An interface that has gone in the meantime is no error: the next call does not want it.
bool exists(std::uint32_t ifindex) {
  std::array<char, IF_NAMESIZE> name{};
  return if_indextoname(ifindex, name.data()) != nullptr;
}

bool same(const Dataplane::Attachment& a, std::uint32_t ifindex, Role role) {
  return a.ifindex == ifindex && a.role == role;
}

// A new interface may have taken the number of one that went, whose hook went with it.
bool is_hook_of(const Hook& hook, const Dataplane::Attachment& where, const Handle& link) {
  return same(where, hook.ifindex, hook.role) &&
         (link ? hook.tcx && link_id(link.fd()) == hook.link_id : !hook.tcx);
}

std::string pin_name(const Dataplane::Attachment& where) {
  return (where.role == Role::lan ? "lan-" : "wan-") + std::to_string(where.ifindex);
}

}  // namespace

Attachments::~Attachments() {
  if (!folder_.empty()) return;
  for (const Attached& a : attached_)
    if (!a.link) remove_hook({a.where.ifindex, a.where.interface, a.where.role, false, 0});
}

std::string Attachments::pin_of(const Dataplane::Attachment& where) const {
  return folder_ + '/' + pin_name(where);
}

std::optional<Handle> Attachments::take_over(const std::string& pin, std::uint32_t ifindex,
                                             int program_fd) {
  Handle link(bpf_obj_get(pin.c_str()));
  if (link && tcx_ifindex(link.fd()) == ifindex &&
      bpf_link_update(link.fd(), program_fd, nullptr) == 0)
    return link;
  unlink(pin.c_str());
  return std::nullopt;
}

Result<Attachments::Attached> Attachments::attach(const Dataplane::Attachment& where) {
  const std::string what =
      std::string("attach ") + program_name(where.role) + " to " + where.interface;
  if (const auto ethernet = expect_ethernet(where.ifindex); !ethernet)
    return Error{what + ": " + ethernet.error().message};
  const int program = program_of(where.role);

  if (choice_ == HookChoice::automatic) {
    if (!folder_.empty())
      if (auto link = take_over(pin_of(where), where.ifindex, program))
        return Attached{where, std::move(*link)};
    const int created = attach_tcx(where.ifindex, program);
    Handle link(created);
    if (link) {
      if (!folder_.empty() && bpf_obj_pin(link.fd(), pin_of(where).c_str()) != 0)
        return system_error(what + ": pin " + pin_of(where), errno);
      return Attached{where, std::move(link)};
    }
    if (created != -EINVAL) return system_error(what, created);
  }
  if (const int failed = attach_clsact(where.ifindex, where.role, program); failed != 0)
    return system_error(what + " by clsact", failed);
  return Attached{where, Handle()};
}

bool Attachments::is_there(const Attached& attached) const {
  const auto& [where, link] = attached;
  return is_attached(link, where.ifindex, where.role, program_of(where.role));
}

Result<> Attachments::keep_pinned(const Attached& attached) const {
  if (folder_.empty() || !attached.link) return {};
  const std::string pin = pin_of(attached.where);
  if (access(pin.c_str(), F_OK) == 0 || bpf_obj_pin(attached.link.fd(), pin.c_str()) == 0)
    return {};
  return system_error("pin " + pin, errno);
}

std::vector<Error> Attachments::set(const std::vector<Dataplane::Attachment>& wanted) {
  std::vector<Error> errors;
  std::vector<Attached> now;
  std::vector<std::uint32_t> failed;
  bool as_before = swept_ && wanted.size() == attached_.size();
  for (const Dataplane::Attachment& where : wanted) {
    const auto held = std::find_if(attached_.begin(), attached_.end(), [&](const Attached& a) {
      return same(where, a.where.ifindex, a.where.role) && is_there(a);
    });
    if (held != attached_.end()) {
      now.push_back({where, std::move(held->link)});
      if (const auto pinned = keep_pinned(now.back()); !pinned) errors.push_back(pinned.error());
      continue;
    }
    as_before = false;
    if (auto fresh = attach(where)) {
      now.push_back(std::move(*fresh));
    } else if (exists(where.ifindex)) {
      errors.push_back(fresh.error());
      failed.push_back(where.ifindex);
    }
  }
  attached_ = std::move(now);
  if (!as_before) sweep(failed);
  return errors;
}

// What else of ours is in this namespace: of a role that is over, of an earlier daemon, or by the
// other hook. It goes last, so that there is always one program in charge.
void Attachments::sweep(const std::vector<std::uint32_t>& spared) {
  for (const Hook& hook : find_hooks()) {
    const bool ours = std::any_of(attached_.begin(), attached_.end(), [&](const Attached& a) {
      return is_hook_of(hook, a.where, a.link);
    });
    const bool stays =
        ours || std::find(spared.begin(), spared.end(), hook.ifindex) != spared.end();
    if (!stays) remove_hook(hook);
  }
  if (!folder_.empty()) sweep_pins(spared);
  swept_ = true;
}

void Attachments::sweep_pins(const std::vector<std::uint32_t>& spared) const {
  for (const std::string& pin : names_in(folder_)) {
    if (!pin.starts_with("lan-") && !pin.starts_with("wan-")) continue;
    const bool stays =
        std::any_of(attached_.begin(), attached_.end(),
                    [&](const Attached& a) { return a.link && pin_name(a.where) == pin; }) ||
        std::any_of(spared.begin(), spared.end(), [&](std::uint32_t ifindex) {
          return pin.substr(4) == std::to_string(ifindex);
        });
    if (!stays) unlink((folder_ + '/' + pin).c_str());
  }
}

std::vector<InterfaceStatus> Attachments::status() const {
  std::vector<InterfaceStatus> status;
  for (const Attached& a : attached_)
    if (is_there(a))
      status.push_back({a.where.interface, a.where.role == Role::lan ? "lan" : "wan",
                        a.link ? "tcx" : "clsact"});
  return status;
}

}  // namespace hopwise::dataplane
