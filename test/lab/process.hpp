// Child processes: started inside a namespace, their output in a file, ended with their owner.
#pragma once

#include <sys/types.h>

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "core/model/result.hpp"
#include "core/model/time.hpp"
#include "test/lab/namespace.hpp"

namespace hopwise::lab {

class Process {
 public:
  /// Starts `argv` inside `where`; stdout and stderr go to `log` (appended, made if missing).
  /// An argv[0] that cannot be run is an error here, not later.
  static Result<Process> start(const Namespace& where, const std::vector<std::string>& argv,
                               const std::filesystem::path& log);
  Process(Process&& other) noexcept;
  Process& operator=(Process&& other) noexcept;
  ~Process();  // SIGTERM, two seconds, SIGKILL

  [[nodiscard]] pid_t pid() const { return pid_; }
  [[nodiscard]] bool running();

  /// `signal` as in kill(2); nothing happens when the process has ended.
  void kill(int signal);

  /// Waits for the end. The exit status, or 128 + signal as shells have it; empty on time-out.
  std::optional<int> wait(Duration timeout);

  /// SIGTERM, and SIGKILL after `patience`. The status as wait() gives it.
  int stop(Duration patience = std::chrono::seconds(2));

  /// Everything written so far.
  [[nodiscard]] std::string log() const;
  [[nodiscard]] const std::filesystem::path& log_path() const { return log_; }

 private:
  Process(pid_t pid, std::filesystem::path log) : pid_(pid), log_(std::move(log)) {}
  pid_t pid_ = -1;
  std::optional<int> status_;
  std::filesystem::path log_;
};

/// Runs a program in the machine's own namespace, as Namespace::run() does inside one.
Result<std::string> run(const std::vector<std::string>& argv, const std::string& input = {});

/// Asks `fact()` every 20 ms until it is true or `timeout` is over; says which.
template <class Fact>
bool eventually(Duration timeout, Fact fact);

}  // namespace hopwise::lab

#include <thread>

template <class Fact>
bool hopwise::lab::eventually(Duration timeout, Fact fact) {
  const auto end = std::chrono::steady_clock::now() + timeout;
  while (!fact()) {
    if (std::chrono::steady_clock::now() >= end) return false;
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
  }
  return true;
}
