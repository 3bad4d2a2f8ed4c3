// hopwise in the lab's router: its configuration file, its process, its API.
#include <fstream>

#include "core/api/client.hpp"
#include "test/lab/lab.hpp"

namespace hopwise::lab {

Result<> Lab::write_hopwise_config(const std::string& text) {
  std::ofstream file(hopwise_config());
  file << text;
  file.close();
  if (!file) return system_error("write " + hopwise_config().string(), errno);
  return {};
}

Result<Process> Lab::start_hopwise(const HopwiseRun& run) {
  std::vector<std::string> argv{run.binary,       "run",     "--socket",
                                hopwise_socket(), "--state", hopwise_state()};
  if (run.config) {
    if (auto written = write_hopwise_config(*run.config); !written) return written.error();
    argv.insert(argv.end(), {"--config", hopwise_config()});
  }
  argv.insert(argv.end(), run.arguments.begin(), run.arguments.end());
  return start(router(), argv, "hopwise");
}

Result<std::string> Lab::api_get(const std::string& target) const {
  auto reply = api::request(hopwise_socket(), "GET", target);
  if (!reply) return reply.error();
  if (reply->status != 200)
    return Error{"GET " + target + ": status " + std::to_string(reply->status) + ": " +
                 reply->body};
  return {boost::system::in_place_value, std::move(reply->body)};
}

}  // namespace hopwise::lab
