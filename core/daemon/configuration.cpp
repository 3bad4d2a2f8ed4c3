#include "core/daemon/configuration.hpp"

namespace hopwise {

std::string config_name(const DaemonOptions& options) {
  const std::string path = config::choose_path(options.config_path);
  return path.empty() ? "defaults" : path;
}

Result<config::Config> load_config(const DaemonOptions& options) {
  auto config = config::load(config::choose_path(options.config_path));
  if (config && !options.socket.empty()) config->api.socket = options.socket;
  if (config && !options.state_file.empty()) config->state_file = options.state_file;
  return config;
}

Result<config::Config> reload_config(const DaemonOptions& options, const config::Config& running) {
  auto wanted = load_config(options);
  if (!wanted) return wanted;
  if (const auto difference = config::needs_restart(running, *wanted)) return Error{*difference};
  return wanted;
}

}  // namespace hopwise
