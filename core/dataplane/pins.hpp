// The folders on the bpffs in which maps and links outlive the daemon:
//   PIN_ROOT/netns-COOKIE/vABI/{hw_router, ..., lan-IFINDEX, wan-IFINDEX, return-..., local-...}
// A namespace's cookie is never used again until the next boot, when the bpffs is empty anyway.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/dataplane/dataplane.hpp"

namespace hopwise::dataplane {

/// The cookie of the calling thread's network namespace (SO_NETNS_COOKIE, Linux 5.14).
Result<std::uint64_t> namespace_cookie();
std::string namespace_folder(const std::string& pin_root, std::uint64_t cookie);
/// "v1": what this ABI's folder is called.
std::string abi_name();

/// What the link of an attachment is pinned as, and whether a pin is such a link's.
std::string link_pin(const Dataplane::Attachment& where);
bool is_link_pin(std::string_view name);

/// Makes the folder, and mounts a bpffs at /sys/fs/bpf when that is where it should be.
Result<> make_pin_folder(const std::string& folder);

/// File names in a folder; none when there is no such folder.
std::vector<std::string> names_in(const std::string& folder);
/// What became of removing a folder of pins.
struct Removal {
  std::size_t pins = 0;        // really removed
  std::optional<Error> error;  // the first; the rest was tried all the same
};
/// Removes a folder of pins and what is in it; a folder that is not there is no error.
Removal remove_pins(const std::string& folder);

/// Folders of namespaces that are gone: neither a process nor a mount has their cookie, and their
/// links hang on nothing. Where there are no links and a process is hidden from us, it stays.
std::vector<std::string> abandoned_folders(const std::string& pin_root);

}  // namespace hopwise::dataplane
