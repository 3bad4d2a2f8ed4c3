// hopwise in the lab's router: its configuration file, its process, its API.
#include <fstream>
#include <nlohmann/json.hpp>

#include "core/api/client.hpp"
#include "test/lab/lab.hpp"

namespace hopwise::lab {

Result<> Lab::write_hopwise_config(const std::string& text) {
  auto json = nlohmann::json::parse(text, nullptr, false, true);
  const auto path = hopwise_config();
  std::ofstream file(path);
  // What is no JSON is hopwise's to complain about, in its own words.
  if (json.is_object() && (!json.contains("api") || json["api"].is_object())) {
    auto& socket = json["api"]["socket"];
    if (socket.is_null()) socket = (folder() / "hopwise.sock").string();
    if (socket.is_string()) set_hopwise_socket(socket.get<std::string>());
    file << json.dump(2) << "\n";
  } else {
    file << text;
  }
  file.close();
  if (!file) return system_error("write " + path.string(), errno);
  return {};
}

Result<Process> Lab::start_hopwise(const HopwiseRun& run) {
  std::vector<std::string> argv{run.binary, "run"};
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
