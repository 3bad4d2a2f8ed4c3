// hopwise: one binary, subcommands in the manner of ip(8). Parses the line, runs one subcommand,
// prints its result or its error, and exits: 0 done, 1 failed, 2 the command line or the
// configuration is wrong.
#include <CLI/CLI.hpp>
#include <filesystem>
#include <iostream>
#include <string>

#include "core/api/client.hpp"
#include "core/cli/render.hpp"
#include "core/config/config.hpp"
#include "core/daemon/daemon.hpp"
#include "core/dataplane/dataplane.hpp"
#include "probes/prober.hpp"

namespace hopwise::cli {
namespace {

constexpr int kFailed = 1;
constexpr int kUsage = 2;
constexpr const char* kDefaultConfig = "/etc/hopwise/hopwise.json";

struct Options {
  std::string config;
  std::string socket;
  bool json = false;
  std::string source, destination, protocol = "tcp";
  std::string source_port = "0", destination_port = "0";
};

int fail(const Error& error, int code = kFailed) {
  std::cerr << "hopwise: " << error.message << '\n';
  return code;
}

// The file that was named, or the default one where it exists, or none: defaults.
std::string config_path(const Options& options) {
  if (!options.config.empty()) return options.config;
  return std::filesystem::exists(kDefaultConfig) ? kDefaultConfig : "";
}

std::string socket_path(const Options& options) {
  if (!options.socket.empty()) return options.socket;
  const auto config = config::load(config_path(options));
  return config ? config->api.socket : api::Options{}.socket;
}

int run(const Options& options) {
  // A wrong configuration is told apart from a host that will not let us start.
  const std::string path = config_path(options);
  if (const auto config = config::load(path); !config) return fail(config.error(), kUsage);
  const auto ended = run_daemon({path, options.socket});
  return ended ? 0 : fail(ended.error());
}

int check(const Options& options) {
  const std::string path = config_path(options);
  const auto config = config::load(path);
  if (!config) return fail(config.error(), kUsage);
  std::cout << (path.empty() ? "no configuration file: the defaults" : path) << ": valid ("
            << config->nexthops.size() << " nexthops named)\n";
  return 0;
}

using Render = Result<std::string> (*)(const std::string&);

// Asks the daemon, and prints its answer as it came (-j) or rendered for people.
int show(const Options& options, const std::string& target, Render render) {
  const auto reply = api::request(socket_path(options), "GET", target);
  if (!reply) return fail(reply.error());
  if (reply->status != 200) return fail(Error{render_error(reply->body)});
  if (options.json) {
    std::cout << reply->body << '\n';
    return 0;
  }
  const auto text = render(reply->body);
  if (!text) return fail(text.error());
  std::cout << *text;
  return 0;
}

int status(const Options& options) {
  return show(options, "/api/v1/status", render_status);
}

int explain(const Options& options) {
  return show(options,
              "/api/v1/explain?src=" + options.source + "&dst=" + options.destination +
                  "&proto=" + options.protocol + "&sport=" + options.source_port +
                  "&dport=" + options.destination_port,
              render_explanation);
}

int reload(const Options& options) {
  const auto reply = api::request(socket_path(options), "POST", "/api/v1/reload");
  if (!reply) return fail(reply.error());
  if (reply->status != 200) return fail(Error{render_error(reply->body)}, kUsage);
  std::cout << "reloaded\n";
  return 0;
}

int detach(const Options& options) {
  const auto config = config::load(config_path(options));
  if (!config) return fail(config.error(), kUsage);
  const auto programs = dataplane::detach_all(config->dataplane.pin_root);
  const auto rules = probes::remove_leftovers(config->probes);
  for (const auto* removed : {&programs, &rules})
    if (*removed)
      for (const std::string& line : **removed) std::cout << line << '\n';
  if (!programs) return fail(programs.error());
  if (!rules) return fail(rules.error());
  if (programs->empty() && rules->empty()) std::cout << "nothing of hopwise was left\n";
  return 0;
}

int parse_and_run(int argc, char** argv) {
  Options options;
  CLI::App app{
      "hopwise measures every nexthop of the kernel's multipath routes and steers each flow to "
      "the\n"
      "better ones. It needs no configuration: `hopwise run` follows FRR, BIRD or static "
      "routes.\n"};
  app.require_subcommand(1);
  app.set_version_flag("--version", "hopwise " HOPWISE_VERSION);
  app.failure_message(CLI::FailureMessage::help);
  app.footer(
      "Examples:\n"
      "  hopwise check hopwise.json             is the file right? where is it not?\n"
      "  hopwise run                            measure and steer, until SIGTERM\n"
      "  hopwise status                         nexthops, states, shares, last decisions\n"
      "  hopwise explain 10.0.0.2 203.0.113.9 tcp 40000 443\n"
      "                                         where this flow goes, and why\n"
      "  hopwise detach                         remove all that hopwise ever left in the kernel\n"
      "Exit status: 0 done, 1 failed, 2 wrong command line or configuration.");

  const auto with_config = [&](CLI::App* command, const char* names = "-c,--config") {
    command->add_option(
        names, options.config,
        std::string("configuration file (default: ") + kDefaultConfig + " where it exists)");
  };
  const auto with_socket = [&](CLI::App* command) {
    with_config(command);
    command->add_option("-s,--socket", options.socket, "the daemon's unix socket");
  };
  const auto with_json = [&](CLI::App* command) {
    with_socket(command);
    command->add_flag("-j,--json", options.json, "print the API's JSON");
  };
  int code = 0;
  const auto command = [&](const char* name, const char* help, int (*action)(const Options&)) {
    CLI::App* added = app.add_subcommand(name, help);
    added->callback([&code, &options, action] { code = action(options); });
    return added;
  };

  with_socket(command("run", "run the daemon in the foreground", run));
  with_config(command("check", "validate the configuration and exit", check), "-c,--config,FILE");
  with_json(command("status", "what hopwise sees and does now", status));
  with_socket(command("reload", "swap in the configuration file, whole or not at all", reload));
  with_config(
      command("detach", "remove programs, maps, rules and routes left in the kernel", detach));
  CLI::App* explaining = command("explain", "where a flow goes, and why", explain);
  with_json(explaining);
  explaining->add_option("SRC", options.source, "source address")->required();
  explaining->add_option("DST", options.destination, "destination address")->required();
  explaining->add_option("PROTO", options.protocol, "tcp, udp, icmp, or a number");
  explaining->add_option("SPORT", options.source_port, "source port (ICMP: the echo identifier)");
  explaining->add_option("DPORT", options.destination_port, "destination port");

  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? 0 : kUsage;
  }
  return code;
}

}  // namespace
}  // namespace hopwise::cli

int main(int argc, char** argv) {
  try {
    return hopwise::cli::parse_and_run(argc, argv);
  } catch (const std::exception& error) {
    std::cerr << "hopwise: " << error.what() << '\n';
    return hopwise::cli::kFailed;
  }
}
