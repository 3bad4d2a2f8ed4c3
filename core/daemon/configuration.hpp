// Which configuration the daemon runs by, and which it may change to.
#pragma once

#include <string>

#include "core/config/config.hpp"
#include "core/daemon/daemon.hpp"

namespace hopwise {

/// What the log calls the configuration that load_config() reads.
std::string config_name(const DaemonOptions& options);

/// The file's, and what the command line says over it.
Result<config::Config> load_config(const DaemonOptions& options);
/// Likewise, while one runs: an error too where that needs a restart.
Result<config::Config> reload_config(const DaemonOptions& options, const config::Config& running);

}  // namespace hopwise
