#include "core/daemon/history_file.hpp"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <boost/crc.hpp>
#include <cerrno>
#include <filesystem>

#include "core/model/format.hpp"

namespace hopwise {
namespace {

constexpr std::string_view kCrcKey = ",\"crc\":\"";
constexpr std::size_t kCrcTail = kCrcKey.size() + 8 + 2;  // eight digits, "}
constexpr std::size_t kChunk = std::size_t{64} * 1024;
constexpr std::size_t kLongestLine = std::size_t{1024} * 1024;  // far beyond any event

/// CRC-32C (Castagnoli, RFC 3720 appendix B.4).
std::uint32_t crc32c(std::string_view text) {
  boost::crc_optimal<32, 0x1EDC6F41, 0xFFFFFFFF, 0xFFFFFFFF, true, true> crc;
  crc.process_bytes(text.data(), text.size());
  return crc.checksum();
}

class Descriptor {
 public:
  explicit Descriptor(int fd) : fd_(fd) {}
  ~Descriptor() {
    if (fd_ >= 0) ::close(fd_);
  }
  Descriptor(const Descriptor&) = delete;
  [[nodiscard]] int get() const { return fd_; }

 private:
  int fd_;
};

// From `at` to the end.
Result<std::string> read_from(int fd, off_t at, const std::string& path) {
  std::string text;
  std::string chunk(kChunk, '\0');
  while (true) {
    const ssize_t got = ::pread(fd, chunk.data(), chunk.size(), at);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return system_error("read " + path, errno);
    if (got == 0) return {boost::system::in_place_value, std::move(text)};
    text.append(chunk, 0, static_cast<std::size_t>(got));
    at += got;
  }
}

// Adds the lines of one file; the last may be without its end: it is torn, or being written.
Result<> add_lines(const std::string& path, std::uint64_t most, HistoryLines& lines) {
  const Descriptor file(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  if (file.get() < 0 && errno == ENOENT) return {};
  struct stat about {};
  if (file.get() < 0 || ::fstat(file.get(), &about) != 0)
    return system_error("read " + path, errno, errno == EACCES ? "run as root" : "");
  if (!S_ISREG(about.st_mode)) return Error{"read " + path + ": is no regular file"};
  const bool cut = static_cast<std::uint64_t>(about.st_size) > most;
  const auto text = read_from(file.get(), cut ? about.st_size - static_cast<off_t>(most) : 0, path);
  if (!text) return text.error();
  std::string_view rest = *text;
  if (cut) rest.remove_prefix(std::min(rest.find('\n'), rest.size() - 1) + 1);
  for (auto end = rest.find('\n'); end != std::string_view::npos; end = rest.find('\n')) {
    if (auto json = unsealed(rest.substr(0, end)))
      lines.lines.push_back(std::move(*json));
    else
      ++lines.corrupt;
    rest.remove_prefix(end + 1);
  }
  if (auto json = unsealed(rest)) lines.lines.push_back(std::move(*json));
  return {};
}

}  // namespace

std::string sealed(std::string_view json) {
  std::string line(json.substr(0, json.empty() ? 0 : json.size() - 1));
  const std::uint32_t crc = crc32c(line);
  line += kCrcKey;
  return line + format("%08x\"}", crc);
}

std::optional<std::string> unsealed(std::string_view line) {
  if (line.size() < kCrcTail + 1) return std::nullopt;
  std::string json(line.substr(0, line.size() - kCrcTail));
  json += '}';
  if (sealed(json) != line) return std::nullopt;
  return json;
}

Result<HistoryLines> read_history(const std::string& path, std::uint64_t most) {
  HistoryLines lines;
  for (const std::string& file : {path + ".1", path})
    if (auto added = add_lines(file, most, lines); !added) return added.error();
  return lines;
}

Error HistoryFile::failure(const char* what, int error) const {
  const char* remedy = "";
  if (error == ENOSPC || error == EDQUOT) remedy = "make room there, or lower history.size";
  if (error == EACCES || error == EROFS || error == ENOENT || error == EPERM)
    remedy = "name a writable file in history.file, or \"\" for none";
  return system_error(std::string(what) + ' ' + path_, error, remedy);
}

Result<> HistoryFile::open() {
  close();
  std::error_code ignored;  // open() tells it better
  std::filesystem::create_directories(std::filesystem::path(path_).parent_path(), ignored);
  const int fd = ::open(path_.c_str(),
                        O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK, 0640);
  if (fd < 0) return failure("open", errno);
  fd_ = fd;
  struct stat about {};
  if (::fstat(fd, &about) != 0 || !S_ISREG(about.st_mode)) {
    close();
    return Error{"open " + path_ + ": is no regular file (name another in history.file)"};
  }
  is_anothers_ = ::flock(fd, LOCK_EX | LOCK_NB) != 0;
  if (is_anothers_) {
    close();
    return Error{"open " + path_ + ": another hopwise writes it (give each its own history.file)"};
  }
  size_ = static_cast<std::uint64_t>(about.st_size);
  auto repaired = repair();
  if (!repaired) close();
  return repaired;
}

// Looks back for the end of the last whole line, and cuts the file there. A last line of which the
// end alone is missing gets it; so does what is longer than any line of ours, which is not ours to
// cut: as one damaged record it leaves with its file.
Result<> HistoryFile::repair() {
  torn_ = false;
  std::string tail;
  std::uint64_t from = size_;
  std::size_t newline = std::string::npos;
  while (from > 0 && newline == std::string::npos) {
    if (tail.size() >= kLongestLine) return write("\n");
    from -= std::min<std::uint64_t>(kLongestLine, from);
    auto text = read_from(fd_, static_cast<off_t>(from), path_);
    if (!text) return text.error();
    tail = std::move(*text);
    newline = tail.rfind('\n');
  }
  const std::size_t whole = newline == std::string::npos ? 0 : newline + 1;
  if (whole == tail.size()) return {};
  if (unsealed(std::string_view(tail).substr(whole))) return write("\n");
  if (::ftruncate(fd_, static_cast<off_t>(from + whole)) != 0) return failure("repair", errno);
  size_ = from + whole;
  return {};
}

void HistoryFile::append(std::string_view json) {
  std::string line = sealed(json);
  line += '\n';
  waiting_bytes_ += line.size();
  waiting_.push_back(std::move(line));
  while (waiting_bytes_ > kMostWaiting && waiting_.size() > 1) {
    waiting_bytes_ -= waiting_.front().size();
    waiting_.pop_front();
    ++dropped_;
  }
}

// Somebody else renamed or removed the file: what is written to it would not be found.
bool HistoryFile::was_moved() const {
  struct stat ours {
  }, named{};
  return ::fstat(fd_, &ours) != 0 || ::stat(path_.c_str(), &named) != 0 ||
         ours.st_ino != named.st_ino || ours.st_dev != named.st_dev;
}

Result<> HistoryFile::flush() {
  if (fd_ < 0 || was_moved())
    if (auto opened = open(); !opened) return opened;
  while (!waiting_.empty()) {
    std::string lines;
    std::size_t count = 0;
    for (; count < waiting_.size() && lines.size() < kChunk; ++count) {
      const std::string& line = waiting_[count];
      if (size_ + lines.size() + line.size() > half_ && size_ + lines.size() > 0) break;
      lines += line;
    }
    if (lines.empty()) {
      if (auto rotated = rotate(); !rotated) return rotated;
      continue;
    }
    if (auto written = write(lines); !written) return written;
    waiting_.erase(waiting_.begin(), waiting_.begin() + static_cast<std::ptrdiff_t>(count));
    waiting_bytes_ -= lines.size();
  }
  return {};
}

// All or, as far as the file's lines tell, nothing: what a failed write left is cut off, now or
// before the next one.
Result<> HistoryFile::write(const std::string& lines) {
  if (torn_ && ::ftruncate(fd_, static_cast<off_t>(size_)) != 0) return failure("repair", errno);
  torn_ = false;
  for (std::size_t done = 0; done < lines.size();) {
    const ssize_t put = ::write(fd_, lines.data() + done, lines.size() - done);
    if (put < 0 && errno == EINTR) continue;
    if (put <= 0) {
      const int error = put < 0 ? errno : ENOSPC;
      torn_ = done > 0 && ::ftruncate(fd_, static_cast<off_t>(size_)) != 0;
      return failure("write", error);
    }
    done += static_cast<std::size_t>(put);
  }
  size_ += lines.size();
  return {};
}

Result<> HistoryFile::rotate() {
  if (::rename(path_.c_str(), (path_ + ".1").c_str()) != 0) return failure("rotate", errno);
  return open();
}

void HistoryFile::close() {
  if (fd_ >= 0) ::close(fd_);
  fd_ = -1;
}

HistoryFile::~HistoryFile() {
  if (fd_ >= 0) static_cast<void>(::fdatasync(fd_));
  close();
}

}  // namespace hopwise
