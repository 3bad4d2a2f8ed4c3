#include "core/api/listen.hpp"

#include <arpa/inet.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <filesystem>

namespace hopwise::api {
namespace {

constexpr int kBacklog = 128;

/// A file descriptor that is closed unless it is released.
class Socket {
 public:
  explicit Socket(int family)
      : fd_(::socket(family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0)) {}
  ~Socket() {
    if (fd_ >= 0) ::close(fd_);
  }
  Socket(const Socket&) = delete;
  Socket& operator=(const Socket&) = delete;

  [[nodiscard]] int fd() const { return fd_; }
  int release() { return std::exchange(fd_, -1); }

 private:
  int fd_;
};

Result<sockaddr_un> unix_address(const std::string& path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.size() >= sizeof address.sun_path)
    return system_error("listen on " + path, ENAMETOOLONG, "choose a shorter one by api.socket");
  std::memcpy(address.sun_path, path.data(), path.size());
  return address;
}

const sockaddr* generic(const sockaddr_un& address) {
  return reinterpret_cast<const sockaddr*>(&address);
}

Result<> make_folder(const std::filesystem::path& folder) {
  std::error_code error;
  if (!std::filesystem::create_directories(folder, error)) {
    if (!error) return {};
    return system_error("make folder " + folder.string(), error.value(),
                        "make it, or choose another place by api.socket");
  }
  std::filesystem::permissions(folder, std::filesystem::perms(0755), error);
  return {};
}

/// Takes a dead daemon's socket file out of the way.
Result<> remove_stale(const std::string& path, const sockaddr_un& address) {
  struct stat file {};
  if (::lstat(path.c_str(), &file) != 0) return {};
  if (!S_ISSOCK(file.st_mode))
    return Error{
        "listen on " + path +
        ": is there already, and is no socket (remove it, or choose another by api.socket)"};
  const Socket probe(AF_UNIX);
  if (::connect(probe.fd(), generic(address), sizeof address) == 0 || errno == EAGAIN)
    return Error{"listen on " + path +
                 ": another hopwise runs and answers there (stop it, or choose another by "
                 "api.socket)"};
  if (errno != ECONNREFUSED) return system_error("connect to " + path, errno);
  if (::unlink(path.c_str()) != 0) return system_error("remove stale " + path, errno);
  return {};
}

}  // namespace

Result<int> listen_tcp(const Endpoint& endpoint) {
  const std::string what = "listen on " + endpoint.text();
  sockaddr_storage storage{};
  socklen_t size = 0;
  if (endpoint.address.is_v4()) {
    auto& in = reinterpret_cast<sockaddr_in&>(storage);
    in.sin_family = AF_INET;
    in.sin_port = htons(endpoint.port);
    std::memcpy(&in.sin_addr, endpoint.address.bytes.data(), sizeof in.sin_addr);
    size = sizeof in;
  } else {
    auto& in = reinterpret_cast<sockaddr_in6&>(storage);
    in.sin6_family = AF_INET6;
    in.sin6_port = htons(endpoint.port);
    std::memcpy(&in.sin6_addr, endpoint.address.bytes.data(), sizeof in.sin6_addr);
    size = sizeof in;
  }
  Socket socket(storage.ss_family);
  if (socket.fd() < 0) return system_error(what, errno, "choose another address by api.listen");
  const int on = 1;
  ::setsockopt(socket.fd(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  if (::bind(socket.fd(), reinterpret_cast<const sockaddr*>(&storage), size) != 0 ||
      ::listen(socket.fd(), kBacklog) != 0)
    return system_error(what, errno, "choose another address or port by api.listen");
  return socket.release();
}

Result<int> listen_unix(const std::string& path) {
  const auto address = unix_address(path);
  if (!address) return address.error();
  if (auto made = make_folder(std::filesystem::path(path).parent_path()); !made)
    return made.error();
  if (auto removed = remove_stale(path, *address); !removed) return removed.error();

  // Nobody can connect before listen(), and by then the mode is right.
  Socket socket(AF_UNIX);
  const std::string what = "listen on " + path;
  if (socket.fd() < 0 || ::bind(socket.fd(), generic(*address), sizeof *address) != 0)
    return system_error(what, errno, "choose another by api.socket");
  if (::chmod(path.c_str(), 0660) != 0 || ::listen(socket.fd(), kBacklog) != 0) {
    const int error = errno;
    ::unlink(path.c_str());
    return system_error(what, error, "choose another by api.socket");
  }
  return socket.release();
}

}  // namespace hopwise::api
