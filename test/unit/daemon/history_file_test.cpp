// The history's file: what a crash, a full disk and a bad disk leave of it.
#include "core/daemon/history_file.hpp"

#include <fcntl.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <filesystem>
#include <fstream>
#include <functional>
#include <random>
#include <sstream>

#include "test/catch.hpp"

using namespace hopwise;

namespace {

constexpr std::uint64_t kMuch = 1'000'000;

class Folder {
 public:
  Folder() {
    char name[] = "/tmp/hopwise-history-XXXXXX";
    if (::mkdtemp(name) == nullptr) throw std::runtime_error("no temporary folder");
    path_ = name;
  }
  ~Folder() { std::filesystem::remove_all(path_); }
  Folder(const Folder&) = delete;
  [[nodiscard]] std::string file() const { return path_ + "/events.jsonl"; }
  [[nodiscard]] const std::string& path() const { return path_; }

 private:
  std::string path_;
};

std::string event(int number) {
  return "{\"seq\":" + std::to_string(number) + ",\"text\":\"a \\\"quoted\\\" word\"}";
}

void write_events(const std::string& file, int from, int to, std::uint64_t size = kMuch) {
  HistoryFile history(file, size);
  for (int i = from; i <= to; ++i) history.append(event(i));
  const auto done = history.flush();
  if (!done) FAIL(done.error().message);
}

std::string bytes_of(const std::string& file) {
  std::ifstream in(file, std::ios::binary);
  std::ostringstream all;
  all << in.rdbuf();
  return all.str();
}

void put_bytes(const std::string& file, const std::string& bytes) {
  std::ofstream out(file, std::ios::binary | std::ios::trunc);
  out << bytes;
}

HistoryLines lines_of(const std::string& file, std::uint64_t most = kMuch) {
  auto lines = read_history(file, most);
  if (!lines) FAIL(lines.error().message);
  return *lines;
}

/// In a child, which may spoil what belongs to its process; true when `test` was.
bool in_child(const std::function<bool()>& test) {
  const pid_t child = ::fork();
  if (child == 0) ::_exit(test() ? 0 : 1);
  int status = 0;
  ::waitpid(child, &status, 0);
  return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

}  // namespace

TEST_CASE("a sealed line is JSON still, and whatever changes in it is seen", "[history]") {
  const std::string line = sealed(R"({"seq":1})");
  CHECK(line == R"({"seq":1,"crc":")" + line.substr(16, 8) + "\"}");
  CHECK(sealed("123456789}") == R"(123456789,"crc":"e3069283"})");  // the CRC's check value
  CHECK(unsealed(line) == R"({"seq":1})");
  for (std::size_t i = 0; i < line.size(); ++i)
    for (int bit = 0; bit < 8; ++bit) {
      std::string damaged = line;
      damaged[i] = static_cast<char>(damaged[i] ^ (1 << bit));
      CHECK_FALSE(unsealed(damaged));
    }
  for (std::size_t size = 0; size < line.size(); ++size)
    CHECK_FALSE(unsealed(line.substr(0, size)));
}

TEST_CASE("cut off at any byte, the file keeps every whole record and goes on", "[history]") {
  const Folder folder;
  write_events(folder.file(), 1, 3);
  const std::string whole = bytes_of(folder.file());
  const std::size_t length = whole.size() / 3;
  for (std::size_t size = 0; size <= whole.size(); ++size) {
    put_bytes(folder.file(), whole.substr(0, size));
    write_events(folder.file(), 7, 7);
    const auto lines = lines_of(folder.file());
    // The end of line alone may be missing: the record is whole.
    const std::size_t kept = (size + 1) / length;
    if (lines.corrupt != 0 || lines.lines.size() != kept + 1 || lines.lines.back() != event(7))
      FAIL("cut at " << size << ": " << lines.lines.size() << " lines, " << lines.corrupt
                     << " corrupt");
  }
}

TEST_CASE("a damaged record is left out and counted; no other is lost with it", "[history]") {
  const Folder folder;
  write_events(folder.file(), 1, 20);
  const std::string whole = bytes_of(folder.file());
  std::mt19937 random(7);  // NOLINT: the same flips each time
  for (int round = 0; round < 2000; ++round) {
    std::string damaged = whole;
    const std::size_t at = random() % (whole.size() - 1);
    damaged[at] = static_cast<char>(damaged[at] ^ (1 << (random() % 8)));
    put_bytes(folder.file(), damaged);
    write_events(folder.file(), 21, 21);
    const auto lines = lines_of(folder.file());
    // One record, two where the line's end between them went, or one in two where an end came in.
    const bool is_good = lines.lines.size() >= 19 && lines.lines.size() <= 20 &&
                         lines.corrupt >= 1 && lines.corrupt <= 2 &&
                         lines.lines.back() == event(21);
    if (!is_good)
      FAIL("flip at " << at << ": " << lines.lines.size() << " lines, " << lines.corrupt
                      << " corrupt");
  }
}

TEST_CASE("zeros that a power cut left at the end are cut off", "[history]") {
  const Folder folder;
  write_events(folder.file(), 1, 2);
  put_bytes(folder.file(), bytes_of(folder.file()) + std::string(200'000, '\0'));
  write_events(folder.file(), 3, 3);
  const auto lines = lines_of(folder.file());
  CHECK(lines.lines == std::vector<std::string>{event(1), event(2), event(3)});
  CHECK(lines.corrupt == 0);
}

TEST_CASE("a full file becomes the older one, and both stay within their bound", "[history]") {
  const Folder folder;
  constexpr std::uint64_t kSize = 10'000;
  HistoryFile history(folder.file(), kSize);
  for (int i = 1; i <= 1000; ++i) {
    history.append(event(i));
    if (i % 7 == 0) REQUIRE(history.flush().has_value());
  }
  REQUIRE(history.flush().has_value());
  CHECK(std::filesystem::file_size(folder.file()) <= kSize / 2);
  CHECK(std::filesystem::file_size(folder.file() + ".1") <= kSize / 2);
  const auto lines = lines_of(folder.file());
  REQUIRE(lines.lines.size() > 80);
  for (std::size_t i = 0; i < lines.lines.size(); ++i)  // the newest, without a gap
    CHECK(lines.lines[i] == event(static_cast<int>(1000 - lines.lines.size() + 1 + i)));
  CHECK(history.dropped() == 0);
}

TEST_CASE("of a file that is too long its end is read", "[history]") {
  const Folder folder;
  write_events(folder.file(), 1, 100);
  const auto lines = lines_of(folder.file(), 500);
  REQUIRE(!lines.lines.empty());
  CHECK(lines.lines.size() < 10);
  CHECK(lines.lines.back() == event(100));
  CHECK(lines.corrupt == 0);
}

TEST_CASE("two processes never write one history", "[history]") {
  const Folder folder;
  HistoryFile first(folder.file(), kMuch);
  REQUIRE(first.open().has_value());
  HistoryFile second(folder.file(), kMuch);
  const auto refused = second.open();
  REQUIRE(refused.has_error());
  CHECK(refused.error().message.find("another hopwise writes it") != std::string::npos);
}

TEST_CASE("a file that somebody renamed or removed is made again", "[history]") {
  const Folder folder;
  HistoryFile history(folder.file(), kMuch);
  history.append(event(1));
  REQUIRE(history.flush().has_value());
  std::filesystem::rename(folder.file(), folder.file() + ".old");
  history.append(event(2));
  REQUIRE(history.flush().has_value());
  CHECK(lines_of(folder.file()).lines == std::vector<std::string>{event(2)});
}

TEST_CASE("what is no regular file is refused", "[history]") {
  const Folder folder;
  for (const std::string& file : {std::string("/dev/full"), folder.path()}) {
    HistoryFile history(file, kMuch);
    history.append(event(1));
    const auto written = history.flush();
    REQUIRE(written.has_error());
    CHECK(written.error().message.find("open " + file) == 0);
  }
}

TEST_CASE("a full disk takes what it can, the rest waits, and nothing stands there twice",
          "[history]") {
  const Folder folder;
  CHECK(in_child([&] {
    if (::unshare(CLONE_NEWNS) != 0 || ::mount("", "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0)
      return false;
    if (::mount("tmpfs", folder.path().c_str(), "tmpfs", 0, "size=64k") != 0) return false;
    const std::string ballast = folder.path() + "/ballast";
    put_bytes(ballast, std::string(30'000, 'x'));
    HistoryFile history(folder.file(), kMuch);
    int told = 0;
    Result<> written;
    while (written && told < 5000) {
      history.append(event(++told));
      written = history.flush();
    }
    const bool is_told =
        written.has_error() &&
        written.error().message.find("No space left on device (make room") != std::string::npos;
    // What stands there is whole, and a reader finds no torn line in it.
    const auto before = read_history(folder.file(), kMuch);
    const bool is_whole = before && before->corrupt == 0 &&
                          before->lines.size() + 1 == static_cast<std::size_t>(told) &&
                          bytes_of(folder.file()).ends_with("}\n");
    std::filesystem::remove(ballast);
    if (!history.flush()) return false;
    const auto after = read_history(folder.file(), kMuch);
    if (!after || after->lines.size() != static_cast<std::size_t>(told)) return false;
    for (int i = 0; i < told; ++i)
      if (after->lines[static_cast<std::size_t>(i)] != event(i + 1)) return false;
    return is_told && is_whole && history.dropped() == 0;
  }));
}

TEST_CASE("a disk that stays full costs the oldest that wait, and they are counted", "[history]") {
  const Folder folder;
  CHECK(in_child([&] {
    ::signal(SIGXFSZ, SIG_IGN);
    const rlimit limit{4096, 4096};
    if (::setrlimit(RLIMIT_FSIZE, &limit) != 0) return false;
    HistoryFile history(folder.file(), kMuch);
    for (int i = 1; i <= 10'000; ++i) {
      history.append(event(i));
      if (i % 100 == 0 && i > 200 && history.flush()) return false;
    }
    return history.dropped() > 1000 && history.waiting_bytes() <= HistoryFile::kMostWaiting;
  }));
  const auto lines = lines_of(folder.file());
  CHECK(lines.corrupt == 0);
}

TEST_CASE("killed at any moment, the file keeps all that was written before", "[history]") {
  const Folder folder;
  int last = 0;
  for (int round = 0; round < 25; ++round) {
    int ends[2];
    REQUIRE(::pipe(ends) == 0);
    const pid_t child = ::fork();
    if (child == 0) {
      HistoryFile history(folder.file(), 200'000);
      for (int i = last + 1;; ++i) {
        history.append(event(i));
        if (!history.flush()) ::_exit(1);
        if (::write(ends[1], &i, sizeof i) != sizeof i) ::_exit(1);
      }
    }
    int told = 0;
    for (int n = 0; n < 40 + 13 * round; ++n)
      if (::read(ends[0], &told, sizeof told) != sizeof told) break;
    ::kill(child, SIGKILL);
    ::waitpid(child, nullptr, 0);
    ::close(ends[1]);
    while (::read(ends[0], &told, sizeof told) == sizeof told) continue;
    ::close(ends[0]);
    const auto lines = lines_of(folder.file());
    CHECK(lines.corrupt == 0);
    REQUIRE(!lines.lines.empty());
    REQUIRE(told > last);
    last = std::stoi(lines.lines.back().substr(7));
    CHECK(last >= told);  // one more may have been written than was told
    CHECK(last <= told + 1);
  }
}

TEST_CASE("a huge file without a line in it is not searched, and leaves by rotation", "[history]") {
  const Folder folder;
  constexpr std::uint64_t kHuge = std::uint64_t{4} << 30;
  put_bytes(folder.file(), "of somebody else");
  std::filesystem::resize_file(folder.file(), kHuge);  // a hole: takes no room
  REQUIRE(in_child([&] {
    const rlimit little{std::uint64_t{1} << 30, std::uint64_t{1} << 30};
    if (::setrlimit(RLIMIT_AS, &little) != 0) return false;
    HistoryFile history(folder.file(), kMuch);
    history.append(event(1));
    return history.flush().has_value();
  }));
  CHECK(std::filesystem::file_size(folder.file() + ".1") == kHuge + 1);
  CHECK(lines_of(folder.file()).lines == std::vector<std::string>{event(1)});
}
