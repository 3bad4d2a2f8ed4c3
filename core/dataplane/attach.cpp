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
#include <cstdio>
#include <filesystem>

#include "core/dataplane/pins.hpp"

namespace hopwise::dataplane {
namespace {

namespace fs = std::filesystem;

// The programs expect an Ethernet header: tunnels and PPP have none at this hook.
Result<> expect_ethernet(std::uint32_t ifindex) {
  ifreq request{};
  const Handle socket(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  if (if_indextoname(ifindex, request.ifr_name) == nullptr ||
      ioctl(socket.fd(), SIOCGIFHWADDR, &request) != 0)
    return system_error("look at interface", errno);
  const auto type = request.ifr_hwaddr.sa_family;
  if (type != ARPHRD_ETHER && type != ARPHRD_LOOPBACK)
    return Error{
        "no Ethernet device, and Ethernet is what the programs read: the kernel routes its "
        "traffic"};
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

}  // namespace

Attachments::~Attachments() {
  if (!folder_.empty()) return;
  for (const Attached& a : attached_)
    if (!a.link) remove_hook({a.where.ifindex, a.where.interface, a.where.role, false, 0, 0});
}

std::string Attachments::pin_of(const Dataplane::Attachment& where) const {
  return folder_ + '/' + link_pin(where);
}

int Attachments::program_of(Role role) const {
  switch (role) {
    case Role::lan:
      return programs_.steer;
    case Role::local:
      return programs_.local;
    case Role::wan:
    case Role::lan_return:
      break;
  }
  return programs_.observe;
}

// An earlier daemon's link, with its program exchanged for ours: its own folder is looked at first,
// then those of other ABIs.
Result<std::optional<Handle>> Attachments::take_over(const Dataplane::Attachment& where,
                                                     int program) {
  const std::string all = fs::path(folder_).parent_path();
  std::vector<std::string> folders = names_in(all);
  for (std::string& name : folders) name.insert(0, all + '/');
  std::stable_partition(folders.begin(), folders.end(),
                        [&](const std::string& folder) { return folder == folder_; });
  for (const std::string& folder : folders) {
    Handle link(bpf_obj_get((folder + '/' + link_pin(where)).c_str()));
    if (!link || !hangs_on(link.fd(), where.ifindex, where.role) ||
        bpf_link_update(link.fd(), program, nullptr) != 0 ||
        !is_attached(link, where.ifindex, where.role, program))
      continue;
    if (folder != folder_)
      if (const auto pinned = pin(link, where); !pinned) return pinned.error();
    return std::optional(std::move(link));
  }
  return std::optional<Handle>();
}

// A name is never without a link: the last reference to a link that is replaced goes when the new
// one stands in its place.
Result<> Attachments::pin(const Handle& link, const Dataplane::Attachment& where) const {
  const std::string pin = pin_of(where), fresh = pin + "-new";
  unlink(fresh.c_str());
  if (bpf_obj_pin(link.fd(), fresh.c_str()) == 0 && rename(fresh.c_str(), pin.c_str()) == 0)
    return {};
  const Error error = system_error("pin " + pin, errno);
  unlink(fresh.c_str());
  return error;
}

// EINVAL comes back as an empty handle: this kernel has no TCX.
Result<Handle> Attachments::attach_tcx_at(const Dataplane::Attachment& where, int program) {
  if (!folder_.empty()) {
    auto old = take_over(where, program);
    if (!old) return old.error();
    if (*old) return std::move(**old);
  }
  const int created = attach_tcx(where.ifindex, where.role, program);
  Handle link(created);
  if (!link && created != -EINVAL) return system_error("TCX", created);
  if (link && !folder_.empty())
    if (const auto pinned = pin(link, where); !pinned) return pinned.error();
  return link;
}

Result<Attachments::Attached> Attachments::attach(const Dataplane::Attachment& where) {
  const RoleFacts& role = facts(where.role);
  const std::string what = std::string("attach ") + role.program + " to " + where.interface +
                           (role.direction == Direction::egress ? " egress" : "") + ": ";
  if (const auto ethernet = expect_ethernet(where.ifindex); !ethernet)
    return Error{what + ethernet.error().message};
  const int program = program_of(where.role);
  if (choice_ == HookChoice::automatic) {
    auto link = attach_tcx_at(where, program);
    if (!link) return Error{what + link.error().message};
    if (*link) return Attached{where, std::move(*link)};
  }
  if (const int failed = attach_clsact(where.ifindex, where.role, program); failed != 0)
    return system_error(what + "clsact", failed);
  return Attached{where, Handle()};
}

bool Attachments::is_there(const Attached& attached) const {
  const auto& [where, link] = attached;
  return is_attached(link, where.ifindex, where.role, program_of(where.role));
}

Result<> Attachments::keep_pinned(const Attached& attached) const {
  if (folder_.empty() || !attached.link) return {};
  const std::string pin = pin_of(attached.where);
  return access(pin.c_str(), F_OK) == 0 ? Result<>() : this->pin(attached.link, attached.where);
}

std::vector<Error> Attachments::set(const std::vector<Dataplane::Attachment>& wanted) {
  std::vector<Error> errors;
  std::vector<Attached> now;
  Places failed;
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
      failed.push_back(where);
    }
  }
  attached_ = std::move(now);
  if (!as_before) sweep(failed);
  return errors;
}

// What else of ours is in this namespace: of a role that is over, of an earlier daemon, or by the
// other hook. It goes last, so that there is always one program in charge; and it stays where ours
// could not take its place, with the maps that a daemon of its ABI would come back to.
void Attachments::sweep(const Places& failed) {
  bool others_in_charge = false;
  for (const Hook& hook : find_hooks()) {
    const bool ours = std::any_of(attached_.begin(), attached_.end(), [&](const Attached& a) {
      return is_hook_of(hook, a.where, a.link);
    });
    const bool stays = std::any_of(failed.begin(), failed.end(), [&](const auto& where) {
      return same(where, hook.ifindex, hook.role);
    });
    others_in_charge |= !ours && stays;
    if (!ours && !stays) remove_hook(hook);
  }
  swept_ = true;
  if (folder_.empty()) return;
  const fs::path all = fs::path(folder_).parent_path();
  for (const std::string& name : names_in(all)) {
    const std::string folder = all / name;
    if (folder == folder_ || others_in_charge)
      sweep_pins(folder, failed);
    else
      remove_pins(folder);
  }
}

void Attachments::sweep_pins(const std::string& folder, const Places& failed) const {
  for (const std::string& name : names_in(folder)) {
    const bool ours = folder == folder_ &&
                      std::any_of(attached_.begin(), attached_.end(), [&](const Attached& a) {
                        return a.link && link_pin(a.where) == name;
                      });
    const bool stays = std::any_of(failed.begin(), failed.end(),
                                   [&](const auto& where) { return link_pin(where) == name; });
    if (is_link_pin(name) && !ours && !stays) unlink((fs::path(folder) / name).c_str());
  }
}

std::vector<InterfaceStatus> Attachments::status() const {
  std::vector<InterfaceStatus> status;
  for (const Attached& a : attached_)
    if (is_there(a))
      status.push_back({a.where.interface, facts(a.where.role).name, a.link ? "tcx" : "clsact"});
  return status;
}

}  // namespace hopwise::dataplane
