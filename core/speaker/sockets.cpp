#include "core/speaker/sockets.hpp"

#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include <cstring>
#include <filesystem>
#include <fstream>
#include <sstream>

namespace hopwise::speaker {
namespace {

constexpr int kStartTime = 22 - 2;  // proc_pid_stat(5); counted from behind the name

// In clock ticks since the machine began.
std::optional<Duration> age_of(int pid) {
  std::ifstream file("/proc/" + std::to_string(pid) + "/stat");
  std::string line;
  if (!std::getline(file, line) || line.rfind(')') == std::string::npos) return std::nullopt;
  std::istringstream fields(line.substr(line.rfind(')') + 1));
  std::string field;
  for (int i = 0; i < kStartTime; ++i) fields >> field;
  const long long ticks = std::atoll(field.c_str());
  timespec now{};
  if (!fields || ticks <= 0 || ::clock_gettime(CLOCK_BOOTTIME, &now) != 0) return std::nullopt;
  const auto age = std::chrono::seconds(now.tv_sec) + std::chrono::nanoseconds(now.tv_nsec) -
                   std::chrono::milliseconds(ticks * 1000 / ::sysconf(_SC_CLK_TCK));
  return age < Duration::zero() ? std::nullopt : std::optional<Duration>(age);
}

std::optional<Peer> listener_of(const std::string& path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.size() >= sizeof address.sun_path) return std::nullopt;
  std::memcpy(address.sun_path, path.c_str(), path.size() + 1);
  const int fd = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (fd < 0) return std::nullopt;
  std::optional<Peer> peer;
  if (::connect(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0)
    peer = peer_of(fd);
  ::close(fd);
  return peer;
}

bool is_ours(const std::string& path) {
  const auto peer = listener_of(path);
  return peer && peer->known() && in_our_network_namespace(peer->pid).value_or(false);
}

std::vector<std::string> frr_folders(const std::string& root) {
  if (root.empty()) return {};
  std::vector<std::string> folders{root};
  std::error_code error;
  std::error_code ignored;
  for (std::filesystem::directory_iterator entry(root, error), end; !error && entry != end;
       entry.increment(error))
    if (entry->is_directory(ignored)) folders.push_back(entry->path());
  return folders;
}

}  // namespace

std::optional<bool> in_our_network_namespace(int pid) {
  struct stat theirs {
  }, ours{};
  const std::string path = "/proc/" + std::to_string(pid) + "/ns/net";
  if (::stat(path.c_str(), &theirs) != 0 || ::stat("/proc/thread-self/ns/net", &ours) != 0)
    return std::nullopt;
  return theirs.st_ino == ours.st_ino && theirs.st_dev == ours.st_dev;
}

Peer peer_of(int socket) {
  ucred credentials{};
  socklen_t size = sizeof credentials;
  if (::getsockopt(socket, SOL_SOCKET, SO_PEERCRED, &credentials, &size) != 0) return {};
  return {credentials.pid, age_of(credentials.pid)};
}

std::optional<Place> find_speaker(const Roots& roots) {
  for (const std::string& folder : frr_folders(roots.frr))
    if (is_ours(folder + "/zebra.vty")) return Place{SpeakerKind::frr, folder};
  for (const std::string& socket : roots.bird)
    if (is_ours(socket)) return Place{SpeakerKind::bird, socket};
  return std::nullopt;
}

}  // namespace hopwise::speaker
