// The daemon: builds every module, wires them, runs the control loop.
#pragma once

#include <memory>
#include <string>

#include "core/model/result.hpp"

namespace hopwise {

struct DaemonOptions {
  std::string config_path;  // empty: the default path where it exists, else defaults
  std::string socket;       // overrides api.socket where not empty
  std::string state_file;   // overrides state.file where not empty
};

/// Runs until SIGTERM or SIGINT; SIGHUP reloads the configuration, whole or not at all. Returns an
/// error when it cannot start; traffic is then as it was. When it stops, in whatever way, flows go
/// on as they are until the lease ends, and by the kernel's routes after that.
Result<> run_daemon(const DaemonOptions& options);

}  // namespace hopwise
