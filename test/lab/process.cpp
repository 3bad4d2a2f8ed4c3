#include "test/lab/process.hpp"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <fstream>
#include <sstream>

#include "test/lab/spawn.hpp"

namespace hopwise::lab {
namespace {

int shell_status(int status) {
  return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

class Descriptor {
 public:
  explicit Descriptor(int fd) : fd_(fd) {}
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  ~Descriptor() {
    if (fd_ >= 0) ::close(fd_);
  }
  [[nodiscard]] int get() const { return fd_; }

 private:
  int fd_;
};

// A file in memory takes any amount of output while nobody reads, which a pipe would not.
int memory_file(const char* name) {
  return ::memfd_create(name, MFD_CLOEXEC);
}

std::string contents(int fd) {
  std::string text;
  char part[4096];
  for (off_t at = 0;;) {
    const ssize_t n = ::pread(fd, part, sizeof(part), at);
    if (n <= 0) return text;
    text.append(part, static_cast<std::size_t>(n));
    at += n;
  }
}

std::string joined(const std::vector<std::string>& words) {
  std::string line;
  for (const auto& word : words) line.append(line.empty() ? "" : " ").append(word);
  return line;
}

}  // namespace

Result<pid_t> spawn(const std::vector<std::string>& argv, const Streams& streams) {
  std::vector<char*> words;
  for (const auto& word : argv) words.push_back(const_cast<char*>(word.c_str()));
  words.push_back(nullptr);

  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  const int fds[] = {streams.in, streams.out, streams.err};
  for (int target = 0; target < 3; ++target) {
    if (fds[target] >= 0)
      posix_spawn_file_actions_adddup2(&actions, fds[target], target);
    else
      posix_spawn_file_actions_addopen(&actions, target, "/dev/null", O_RDWR, 0);
  }
  // Asio's sockets are not close-on-exec: a child that inherited one would keep its port taken.
  posix_spawn_file_actions_addclosefrom_np(&actions, 3);
  // A session of its own: Ctrl-C at the terminal is the owner's to handle.
  posix_spawnattr_t attributes;
  posix_spawnattr_init(&attributes);
  posix_spawnattr_setflags(&attributes,
                           POSIX_SPAWN_SETSID | POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
  sigset_t none, all;
  sigemptyset(&none);
  sigfillset(&all);
  posix_spawnattr_setsigmask(&attributes, &none);
  posix_spawnattr_setsigdefault(&attributes, &all);

  pid_t pid = -1;
  const int failed = ::posix_spawnp(&pid, words[0], &actions, &attributes, words.data(), ::environ);
  posix_spawnattr_destroy(&attributes);
  posix_spawn_file_actions_destroy(&actions);
  if (failed != 0) return system_error("start " + argv[0], failed);
  return pid;
}

Result<std::string> run(const std::vector<std::string>& argv, const std::string& input) {
  const Descriptor in(memory_file("stdin"));
  const Descriptor out(memory_file("stdout"));
  const Descriptor err(memory_file("stderr"));
  if (::write(in.get(), input.data(), input.size()) != static_cast<ssize_t>(input.size()))
    return system_error("pass input to " + argv[0], errno);
  ::lseek(in.get(), 0, SEEK_SET);
  auto pid = spawn(argv, {in.get(), out.get(), err.get()});
  if (!pid) return pid.error();
  int status = 0;
  while (::waitpid(*pid, &status, 0) < 0 && errno == EINTR) {
  }
  if (status == 0) return {boost::system::in_place_value, contents(out.get())};
  std::string words = contents(err.get());
  if (words.empty()) words = contents(out.get());
  while (!words.empty() && words.back() == '\n') words.pop_back();
  return Error{joined(argv) + ": status " + std::to_string(shell_status(status)) + ": " + words};
}

Result<Process> Process::start(const Namespace& where, const std::vector<std::string>& argv,
                               const std::filesystem::path& log) {
  const Descriptor output(::open(log.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644));
  if (output.get() < 0) return system_error("open " + log.string(), errno);
  Result<pid_t> pid = Error{};
  where.thread([&] { pid = spawn(argv, {-1, output.get(), output.get()}); }).join();
  if (!pid) return pid.error();
  return Process(*pid, log);
}

Process::Process(Process&& other) noexcept
    : pid_(std::exchange(other.pid_, -1)), status_(other.status_), log_(std::move(other.log_)) {}

Process& Process::operator=(Process&& other) noexcept {
  if (this != &other) {
    if (running()) stop();
    pid_ = std::exchange(other.pid_, -1);
    status_ = other.status_;
    log_ = std::move(other.log_);
  }
  return *this;
}

Process::~Process() {
  if (running()) stop();
}

bool Process::running() {
  return pid_ > 0 && !wait(Duration::zero());
}

void Process::kill(int signal) {
  // Not reaped yet, so the pid is still this process's own.
  if (running()) ::kill(pid_, signal);
}

std::optional<int> Process::wait(Duration timeout) {
  if (status_ || pid_ <= 0) return status_;
  const Descriptor handle(static_cast<int>(::syscall(SYS_pidfd_open, pid_, 0)));
  pollfd ended{handle.get(), POLLIN, 0};
  const auto end = std::chrono::steady_clock::now() + timeout;
  for (;;) {
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(
        std::max(end - std::chrono::steady_clock::now(), Duration::zero()));
    if (::poll(&ended, 1, static_cast<int>(left.count())) >= 0 || errno != EINTR) break;
  }
  int status = 0;
  if (::waitpid(pid_, &status, WNOHANG) == pid_) status_ = shell_status(status);
  return status_;
}

int Process::stop(Duration patience) {
  kill(SIGTERM);
  if (const auto status = wait(patience)) return *status;
  kill(SIGKILL);
  return wait(std::chrono::seconds(10)).value_or(128 + SIGKILL);
}

std::string Process::log() const {
  std::ostringstream text;
  text << std::ifstream(log_).rdbuf();
  return text.str();
}

}  // namespace hopwise::lab
