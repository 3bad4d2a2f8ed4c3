#include "test/lab/last_will.hpp"

#include <fcntl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>

#include "test/lab/spawn.hpp"

namespace hopwise::lab {

Result<LastWill> LastWill::write(const std::string& shell_command) {
  int ends[2];
  // Close-on-exec: a child that inherited the writing end would keep the owner alive for the shell.
  if (::pipe2(ends, O_CLOEXEC) != 0) return system_error("make the pipe of a last will", errno);
  auto shell = spawn({"/bin/sh", "-c", "read -r nothing; " + shell_command}, {.in = ends[0]});
  ::close(ends[0]);
  if (!shell) {
    ::close(ends[1]);
    return shell.error();
  }
  return LastWill(ends[1], *shell);
}

LastWill& LastWill::operator=(LastWill&& other) noexcept {
  if (this != &other) {
    carry_out();
    pipe_ = std::exchange(other.pipe_, -1);
    shell_ = std::exchange(other.shell_, -1);
  }
  return *this;
}

void LastWill::carry_out() {
  if (pipe_ < 0) return;
  ::close(std::exchange(pipe_, -1));
  while (::waitpid(shell_, nullptr, 0) < 0 && errno == EINTR) {
  }
}

}  // namespace hopwise::lab
