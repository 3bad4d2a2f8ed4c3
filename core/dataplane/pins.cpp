#include "core/dataplane/pins.hpp"

#include <bpf/bpf.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/vfs.h>

#include <algorithm>
#include <cerrno>
#include <filesystem>
#include <fstream>
#include <set>
#include <sstream>
#include <thread>

#include "bpf/abi.h"
#include "core/dataplane/handle.hpp"
#include "core/dataplane/hooks.hpp"

namespace hopwise::dataplane {
namespace {

namespace fs = std::filesystem;

constexpr const char* kBpffs = "/sys/fs/bpf";
constexpr std::string_view kPrefix = "netns-";

bool is_bpffs(const fs::path& folder) {
  struct statfs info {};
  return statfs(folder.c_str(), &info) == 0 &&
         static_cast<std::uint32_t>(info.f_type) == static_cast<std::uint32_t>(BPF_FS_MAGIC);
}

fs::path nearest_existing(fs::path folder) {
  std::error_code ignored;
  while (folder.has_relative_path() && !fs::exists(folder, ignored)) folder = folder.parent_path();
  return folder;
}

// Namespaces are held by processes, and by bind mounts such as /run/netns/NAME.
std::vector<std::string> namespace_files() {
  std::vector<std::string> files;
  std::error_code ignored;
  for (const auto& process : fs::directory_iterator("/proc", ignored))
    if (const auto pid = process.path().filename().string();
        std::all_of(pid.begin(), pid.end(), [](char c) { return c >= '0' && c <= '9'; }))
      files.push_back("/proc/" + pid + "/ns/net");
  std::ifstream mounts("/proc/self/mountinfo");
  for (std::string line; std::getline(mounts, line);) {
    if (line.find(" - nsfs ") == std::string::npos) continue;
    std::istringstream fields(line);
    std::string path;
    for (int i = 0; i < 5; ++i) fields >> path;
    files.push_back(path);
  }
  return files;
}

// A container's /proc shows its own processes only. The initial PID namespace's number is fixed
// (PROC_PID_INIT_INO).
bool sees_every_process() {
  struct stat info {};
  return stat("/proc/self/ns/pid", &info) == 0 && info.st_ino == 0xEFFFFFFC;
}

struct LivingNamespaces {
  std::set<std::uint64_t> cookies;
  bool complete = true;  // nothing was hidden from us
};

// Enters every namespace on a thread of its own: the caller's namespace does not change.
LivingNamespaces living_namespaces() {
  LivingNamespaces living;
  living.complete = sees_every_process();
  std::thread visitor([&, files = namespace_files()] {
    std::set<ino_t> seen;
    for (const std::string& file : files) {
      const Handle ns(::open(file.c_str(), O_RDONLY | O_CLOEXEC));
      struct stat info {};
      if (!ns && (errno == ENOENT || errno == ESRCH)) continue;  // the process has just ended
      if (!ns || fstat(ns.fd(), &info) != 0) {
        living.complete = false;
        continue;
      }
      if (!seen.insert(info.st_ino).second) continue;
      if (setns(ns.fd(), CLONE_NEWNET) != 0) {
        if (errno != EINVAL) living.complete = false;  // EINVAL: a namespace of another type
        continue;
      }
      if (const auto cookie = namespace_cookie())
        living.cookies.insert(*cookie);
      else
        living.complete = false;
    }
  });
  visitor.join();
  return living;
}

enum class Links { none, dead, alive };

// Whether the links pinned below still hang on an interface: then their namespace is alive.
Links links_in(const fs::path& folder) {
  std::error_code ignored;
  Links found = Links::none;
  for (const auto& entry : fs::recursive_directory_iterator(folder, ignored)) {
    const std::string name = entry.path().filename();
    if (!is_link_pin(name)) continue;
    const Handle link(bpf_obj_get(entry.path().c_str()));
    if (!link || hangs_anywhere(link.fd())) return Links::alive;
    found = Links::dead;
  }
  return found;
}

}  // namespace

Result<std::uint64_t> namespace_cookie() {
#ifndef SO_NETNS_COOKIE
  constexpr int SO_NETNS_COOKIE = 71;
#endif
  const Handle socket(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  std::uint64_t cookie = 0;
  socklen_t size = sizeof(cookie);
  if (getsockopt(socket.fd(), SOL_SOCKET, SO_NETNS_COOKIE, &cookie, &size) != 0)
    return system_error("read the network namespace's cookie", errno, "needs Linux 5.14 or later");
  return cookie;
}

std::string namespace_folder(const std::string& pin_root, std::uint64_t cookie) {
  return pin_root + '/' + std::string(kPrefix) + std::to_string(cookie);
}

std::string abi_name() {
  return "v" + std::to_string(HW_ABI_VERSION);
}

std::string link_pin(const Dataplane::Attachment& where) {
  return facts(where.role).pin + std::to_string(where.ifindex);
}

bool is_link_pin(std::string_view name) {
  return std::any_of(kRoles.begin(), kRoles.end(),
                     [&](const RoleFacts& role) { return name.starts_with(role.pin); });
}

Result<> make_pin_folder(const std::string& folder) {
  if (!is_bpffs(nearest_existing(folder))) {
    if (!folder.starts_with(std::string(kBpffs) + '/'))
      return Error{"pin maps in " + folder + ": not on a bpffs (mount -t bpf bpf FOLDER)"};
    if (mount("bpf", kBpffs, "bpf", MS_NOSUID | MS_NODEV | MS_NOEXEC, "mode=0700") != 0)
      return system_error(std::string("mount bpffs at ") + kBpffs, errno);
  }
  std::error_code failed;
  fs::create_directories(folder, failed);
  if (failed) return system_error("make folder " + folder, failed.value());
  return {};
}

std::vector<std::string> names_in(const std::string& folder) {
  std::vector<std::string> names;
  std::error_code ignored;
  for (const auto& entry : fs::directory_iterator(folder, ignored))
    names.push_back(entry.path().filename());
  return names;
}

Removal remove_pins(const std::string& folder) {
  Removal removal;
  const auto note = [&](const fs::path& path, const std::error_code& failed) {
    if (failed && failed != std::errc::no_such_file_or_directory && !removal.error)
      removal.error = system_error("remove " + path.string(), failed.value());
    return !failed;
  };
  std::error_code failed;
  std::vector<fs::path> folders{folder};  // each before those in it
  for (std::size_t i = 0; i < folders.size(); ++i) {
    const fs::path within = folders[i];
    fs::directory_iterator entry(within, failed);
    for (; note(within, failed) && entry != fs::directory_iterator(); entry.increment(failed)) {
      std::error_code cause;
      if (entry->is_directory(cause))
        folders.push_back(entry->path());
      else if (fs::remove(entry->path(), cause))
        ++removal.pins;
      note(entry->path(), cause);
    }
  }
  for (auto within = folders.rbegin(); within != folders.rend(); ++within) {
    fs::remove(*within, failed);
    note(*within, failed);
  }
  return removal;
}

std::vector<std::string> abandoned_folders(const std::string& pin_root) {
  std::vector<std::string> folders;
  auto names = names_in(pin_root);
  const auto own = namespace_cookie();
  std::erase_if(names, [&](const std::string& name) {
    return !name.starts_with(kPrefix) ||
           (own && name.substr(kPrefix.size()) == std::to_string(*own));
  });
  if (names.empty()) return folders;  // spares the walk over all processes
  const LivingNamespaces living = living_namespaces();
  for (const std::string& name : names) {
    const std::uint64_t cookie = std::strtoull(name.c_str() + kPrefix.size(), nullptr, 10);
    if (living.cookies.contains(cookie)) continue;
    std::string folder = pin_root;
    folder.append("/").append(name);
    const Links links = links_in(folder);
    if (links == Links::dead || (links == Links::none && living.complete))
      folders.push_back(folder);
  }
  return folders;
}

}  // namespace hopwise::dataplane
