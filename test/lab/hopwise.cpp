// hopwise in the lab's router: its configuration file, its process, its API.
#include <fstream>

#include "core/api/client.hpp"
#include "test/lab/lab.hpp"

namespace hopwise::lab {
namespace {

// Two processors serve several labs and compilers at times: a daemon that waits for its turn does
// not hang.
constexpr auto kPatience = std::chrono::seconds(20);

// The events of a lab are kept in its folder: those of the machine are in the default's place. On
// the first line, so that faults are told where they are.
std::string with_history(std::string text, const std::filesystem::path& events) {
  const auto brace = text.find('{');
  if (brace == std::string::npos || text.find("\"history\"") != std::string::npos) return text;
  const auto next = text.find_first_not_of(" \n\t", brace + 1);
  const bool is_empty = next == std::string::npos || text[next] == '}';
  return text.insert(brace + 1,
                     R"("history":{"file":")" + events.string() + "\"}" + (is_empty ? "" : ","));
}

}  // namespace

Result<> Lab::write_hopwise_config(const std::string& text, Site site) {
  std::ofstream file(hopwise_config(site));
  file << with_history(text, hopwise_events(site));
  file.close();
  if (!file) return system_error("write " + hopwise_config(site).string(), errno);
  return {};
}

Result<Process> Lab::start_hopwise(const HopwiseRun& run, Site site) {
  std::vector<std::string> argv{run.binary,           "run",     "--socket",
                                hopwise_socket(site), "--state", hopwise_state(site)};
  if (run.config) {
    if (auto written = write_hopwise_config(*run.config, site); !written) return written.error();
    argv.insert(argv.end(), {"--config", hopwise_config(site)});
  }
  argv.insert(argv.end(), run.arguments.begin(), run.arguments.end());
  return start(router(site), argv, site == Site::first ? "hopwise" : "hopwise-2");
}

Result<std::string> Lab::api_get(const std::string& target, Site site) const {
  auto reply = api::request(hopwise_socket(site), "GET", target, kPatience);
  if (!reply) return reply.error();
  if (reply->status != 200)
    return Error{"GET " + target + ": status " + std::to_string(reply->status) + ": " +
                 reply->body};
  return {boost::system::in_place_value, std::move(reply->body)};
}

}  // namespace hopwise::lab
