#include "core/config/key_file.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <memory>

namespace hopwise::config {
namespace {

constexpr std::size_t kMaxBytes = 4096;

/// Why this file is not fit to hold a key; nullptr where it is.
const char* unfit(const struct stat& file) {
  if (!S_ISREG(file.st_mode)) return "it is no regular file (name one that holds the key alone)";
  if ((file.st_mode & (S_IROTH | S_IWOTH)) != 0)
    return "everyone may read or write it (`chmod o= FILE`, and make a new key)";
  if (file.st_size == 0) return "it is empty (`openssl rand -hex 32` makes a key)";
  if (static_cast<std::size_t>(file.st_size) > kMaxBytes)
    return "it is longer than 4096 bytes (name a file that holds the key alone)";
  return nullptr;
}

struct Descriptor {
  explicit Descriptor(int opened) : fd(opened) {}
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  ~Descriptor() {
    if (fd >= 0) ::close(fd);
  }
  int fd;
};

std::string without_line_break(std::string text) {
  if (text.ends_with('\n')) text.pop_back();
  if (text.ends_with('\r')) text.pop_back();
  return text;
}

}  // namespace

Result<std::string> read_key(const std::string& path) {
  const auto refuse = [&](const char* why) { return Error{"read key " + path + ": " + why}; };
  // A FIFO must not keep us waiting for its other end.
  const Descriptor file(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  if (file.fd < 0)
    return system_error("read key " + path, errno,
                        errno == EACCES ? "give it to the user who runs this" : "");
  struct stat about {};
  if (::fstat(file.fd, &about) != 0) return system_error("read key " + path, errno);
  if (const char* why = unfit(about)) return refuse(why);
  std::array<char, kMaxBytes> bytes;
  const ssize_t size = ::read(file.fd, bytes.data(), bytes.size());
  if (size < 0) return system_error("read key " + path, errno);
  std::string key = without_line_break({bytes.data(), static_cast<std::size_t>(size)});
  if (key.empty()) return refuse("it holds a line break and no key");
  return {boost::system::in_place_value, std::move(key)};
}

}  // namespace hopwise::config
