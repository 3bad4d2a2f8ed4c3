#include "core/daemon/state_file.hpp"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <ctime>
#include <filesystem>
#include <thread>
#include <vector>

namespace hopwise {
namespace {

namespace fs = std::filesystem;

constexpr off_t kLargest = off_t{64} << 20;
constexpr std::size_t kSetAside = 3;
constexpr auto kDying = std::chrono::seconds(1);
constexpr auto kLook = std::chrono::milliseconds(50);

/// A file descriptor that is closed.
class Descriptor {
 public:
  explicit Descriptor(int fd) : fd_(fd) {}
  ~Descriptor() {
    if (fd_ >= 0) ::close(fd_);
  }
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  [[nodiscard]] int get() const { return fd_; }
  explicit operator bool() const { return fd_ >= 0; }

 private:
  int fd_;
};

std::string stamp(WallTime now) {
  const std::time_t seconds =
      std::chrono::duration_cast<std::chrono::seconds>(now.time_since_epoch()).count();
  std::tm utc{};
  gmtime_r(&seconds, &utc);
  char text[32];
  const std::size_t length = std::strftime(text, sizeof text, "%Y%m%dT%H%M%SZ", &utc);
  return {text, length};
}

void keep_newest(const fs::path& path) {
  const std::string prefix = path.filename().string() + ".bad-";
  std::vector<fs::path> aside;
  std::error_code ignored;
  for (fs::directory_iterator entry(path.parent_path(), ignored), end; !ignored && entry != end;
       entry.increment(ignored))
    if (entry->path().filename().string().starts_with(prefix)) aside.push_back(entry->path());
  std::sort(aside.begin(), aside.end());
  for (std::size_t i = 0; i + kSetAside < aside.size(); ++i) fs::remove(aside[i], ignored);
}

Result<std::string> read_all(int fd, off_t size) {
  std::string text(static_cast<std::size_t>(size), '\0');
  std::size_t have = 0;
  while (have < text.size()) {
    const ssize_t n = ::read(fd, text.data() + have, text.size() - have);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return system_error("read it", errno);
    if (n == 0) break;
    have += static_cast<std::size_t>(n);
  }
  text.resize(have);
  return {boost::system::in_place_value, std::move(text)};
}

const char* remedy_of(int error) {
  if (error == ENOSPC || error == EDQUOT) return "make room there";
  if (error == EROFS || error == EACCES || error == EPERM || error == ENOENT)
    return "name a writable file as \"state\".\"file\", or \"\" for none";
  return "";
}

Result<> write_synced(const std::string& path, std::string_view text) {
  const Descriptor file(::open(
      path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK, 0600));
  if (!file) return system_error("create " + path, errno, remedy_of(errno));
  while (!text.empty()) {
    const ssize_t n = ::write(file.get(), text.data(), text.size());
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return system_error("write " + path, errno, remedy_of(errno));
    text.remove_prefix(static_cast<std::size_t>(n));
  }
  if (::fsync(file.get()) != 0) return system_error("sync " + path, errno);
  return {};
}

Result<> sync_folder(const fs::path& folder) {
  const Descriptor open(::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!open || ::fsync(open.get()) != 0) return system_error("sync " + folder.string(), errno);
  return {};
}

void age(Duration& age, Duration time) {
  age = std::clamp(age, Duration::zero(), Duration(std::chrono::hours(24 * 365))) + time;
}

}  // namespace

std::string state_key(const Nexthop& nexthop) {
  return nexthop.interface + ' ' + nexthop.key.gateway.text();
}

std::string state_key(std::span<const std::string> nexthops, std::string_view variant) {
  std::vector<std::string> sorted(nexthops.begin(), nexthops.end());
  std::sort(sorted.begin(), sorted.end());
  std::string key;
  for (const std::string& nexthop : sorted) key += (key.empty() ? "" : ", ") + nexthop;
  return variant.empty() ? key : key + " (" + std::string(variant) + ')';
}

void let_pass(engine::NexthopMemory& memory, Duration time) {
  for (auto& base : memory.bases) age(base.age, time);
  age(memory.learnt_age, time);
  age(memory.penalty_age, time);
  age(memory.commit_age, time);
}

void let_pass(engine::GroupMemory& memory, Duration time) {
  if (memory.reverted && memory.reverted_for > time) {
    memory.reverted_for -= time;
    return;
  }
  const Duration over = memory.reverted ? time - memory.reverted_for : time;
  memory.reverted = false;
  memory.reverted_for = {};
  age(memory.since_revert, over);
}

FileClaim::~FileClaim() {
  if (fd_ >= 0) ::close(fd_);
}

Result<std::optional<FileClaim>> StateFile::claim() const {
  std::error_code ignored;  // save() tells it
  fs::create_directories(fs::path(path_).parent_path(), ignored);
  const std::string lock = path_ + ".lock";
  const int fd = ::open(lock.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK, 0600);
  if (fd < 0) return std::optional<FileClaim>();
  FileClaim claim(fd);
  const auto patience = std::chrono::steady_clock::now() + kDying;
  while (::flock(fd, LOCK_EX | LOCK_NB) != 0) {
    if (errno != EWOULDBLOCK) return std::optional<FileClaim>();
    if (std::chrono::steady_clock::now() >= patience)
      return Error{"another hopwise keeps its state there (give each its own \"state\".\"file\")"};
    std::this_thread::sleep_for(kLook);
  }
  return {boost::system::in_place_value, std::move(claim)};
}

StateFile::Loaded StateFile::load(WallTime now) const {
  Loaded loaded;
  const auto refuse = [&](const std::string& because) {
    loaded.state = {};
    loaded.trouble = because + ": " + set_aside(now);
  };
  const Descriptor file(::open(path_.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  struct stat found {};
  if (!file && errno == ENOENT) return loaded;
  if (!file || ::fstat(file.get(), &found) != 0) {
    loaded.trouble = system_error("read " + path_, errno).message;
    loaded.usable = !S_ISDIR(found.st_mode) && errno != ENXIO;
    return loaded;
  }
  if (!S_ISREG(found.st_mode)) {
    loaded.trouble = path_ + " is no regular file (name another as \"state\".\"file\"): left alone";
    loaded.usable = false;
    return loaded;
  }
  if (found.st_size > kLargest) {
    refuse("over 64 MB");
    return loaded;
  }
  auto text = read_all(file.get(), found.st_size);
  if (!text) {
    loaded.trouble = "read " + path_ + ": " + text.error().message;
    return loaded;
  }
  auto state = decode(*text, now);
  if (state)
    loaded.state = std::move(*state);
  else
    refuse(state.error().message);
  return loaded;
}

// Says what became of it.
std::string StateFile::set_aside(WallTime now) const {
  const std::string aside = path_ + ".bad-" + stamp(now);
  if (std::rename(path_.c_str(), aside.c_str()) != 0)
    return system_error("rename it to " + aside, errno).message;
  keep_newest(path_);
  return "set aside as " + aside;
}

Result<> StateFile::save(const State& state, WallTime now) const {
  const fs::path folder = fs::path(path_).parent_path();
  std::error_code error;
  fs::create_directories(folder, error);
  if (error) return system_error("make " + folder.string(), error.value());
  const std::string fresh = path_ + ".new";
  if (auto written = write_synced(fresh, encode(state, now)); !written) {
    ::unlink(fresh.c_str());
    return written.error();
  }
  if (std::rename(fresh.c_str(), path_.c_str()) != 0)
    return system_error("rename " + fresh + " to " + path_, errno);
  return sync_folder(folder);
}

}  // namespace hopwise
