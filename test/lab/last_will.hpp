// A last will: a shell command that is carried out when its owner ends, however that happens.
//
// A small /bin/sh, in a session of its own, waits for the end of a pipe that only the owner holds.
// The destructor, exit(3), a crash and SIGKILL all close it, so there is one way of cleaning up and
// every run of every test uses it.
#pragma once

#include <sys/types.h>

#include <string>
#include <utility>

#include "core/model/result.hpp"

namespace hopwise::lab {

class LastWill {
 public:
  static Result<LastWill> write(const std::string& shell_command);
  LastWill(LastWill&& other) noexcept
      : pipe_(std::exchange(other.pipe_, -1)), shell_(std::exchange(other.shell_, -1)) {}
  LastWill& operator=(LastWill&& other) noexcept;
  ~LastWill() { carry_out(); }

 private:
  LastWill(int pipe, pid_t shell) : pipe_(pipe), shell_(shell) {}
  void carry_out();  // and waits until it is done

  int pipe_ = -1;
  pid_t shell_ = -1;
};

}  // namespace hopwise::lab
