#include "core/cli/commands.hpp"

#include <csignal>
#include <iostream>
#include <thread>

#include "core/api/client.hpp"
#include "core/api/event_json.hpp"
#include "core/cli/flow_list.hpp"
#include "core/cli/group_view.hpp"
#include "core/cli/nexthop_list.hpp"
#include "core/cli/probe_list.hpp"
#include "core/cli/render.hpp"
#include "core/config/config.hpp"
#include "core/daemon/daemon.hpp"
#include "core/daemon/history_file.hpp"
#include "core/daemon/host.hpp"
#include "core/dataplane/dataplane.hpp"
#include "probes/prober.hpp"

namespace hopwise::cli {
namespace {

int fail(const Error& error, int code = kFailed) {
  std::cerr << "hopwise: " << error.message << '\n';
  return code;
}

std::string socket_path(const Options& options) {
  if (!options.socket.empty()) return options.socket;
  const auto config = config::load(config::choose_path(options.config));
  return config ? config->api.socket : api::Options{}.socket;
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

Result<std::vector<EventRecord>> read_events(const config::History& history) {
  if (history.file.empty()) return Error{"no file keeps its events (history.file is empty)"};
  const auto found = read_history(history.file, history.size_bytes);
  if (!found) return found.error();
  std::vector<EventRecord> records;
  for (const std::string& line : found->lines)
    if (auto record = api::read_event(line)) records.push_back(std::move(*record));
  return records;
}

volatile std::sig_atomic_t interrupted = 0;

}  // namespace

namespace commands {

int run(const Options& options) {
  // A wrong configuration is told apart from a host that will not let us start.
  const std::string path = config::choose_path(options.config);
  if (const auto config = config::load(path); !config) return fail(config.error(), kUsage);
  const auto ended =
      run_daemon({options.config, options.socket, options.dry_run, options.state_file});
  return ended ? 0 : fail(ended.error());
}

int check(const Options& options) {
  const std::string path = config::choose_path(options.config);
  const auto config = config::load(path);
  if (!config) return fail(config.error(), kUsage);
  std::cout << (path.empty() ? "no configuration file: the defaults" : path) << ": valid ("
            << config->nexthops.size() << " nexthops named)\n";
  return 0;
}

int status(const Options& options) {
  return show(options, "/api/v1/status", render_status);
}

// The status again, but only its probers.
int probes(const Options& options) {
  const auto status = api::request(socket_path(options), "GET", "/api/v1/status");
  if (!status) return fail(status.error());
  if (status->status != 200) return fail(Error{render_error(status->body)});
  const auto list = list_probes(status->body, options.nexthop);
  if (!list) return fail(list.error());
  if (options.json) {
    std::cout << *list << '\n';
    return 0;
  }
  const auto text = render_probes(*list, options.flow_lines ? FlowLines::shown : FlowLines::hidden);
  if (!text) return fail(text.error());
  std::cout << *text;
  return 0;
}

// The status again: its nexthops, and what its groups make of them.
int nexthops(const Options& options) {
  const auto status = api::request(socket_path(options), "GET", "/api/v1/status");
  if (!status) return fail(status.error());
  if (status->status != 200) return fail(Error{render_error(status->body)});
  const auto list = list_nexthops(status->body, options.nexthop);
  if (!list) return fail(list.error());
  if (options.json) {
    std::cout << *list << '\n';
    return 0;
  }
  const auto text = render_nexthops(*list);
  if (!text) return fail(text.error());
  std::cout << *text;
  return 0;
}

int routes(const Options& options) {
  RouteLine line = options.routes;
  line.json = options.json;
  line.nexthop = options.nexthop;
  const std::string socket = socket_path(options);
  return run_routes(
      line, {.ask = [&](const std::string& method,
                        const std::string& target) { return api::request(socket, method, target); },
             .out = std::cout,
             .err = std::cerr});
}

int explain(const Options& options) {
  if (options.destination.empty())
    return show(options, "/api/v1/groups?id=" + api::encoded_value(options.source), render_group);
  return show(options,
              "/api/v1/explain?src=" + api::encoded_value(options.source) +
                  "&dst=" + api::encoded_value(options.destination) +
                  "&proto=" + api::encoded_value(options.protocol) +
                  "&sport=" + api::encoded_value(options.source_port) +
                  "&dport=" + api::encoded_value(options.destination_port) +
                  "&dscp=" + api::encoded_value(options.dscp),
              render_explanation);
}

// The kernel's tables tell of the flows; the daemon, if there is one, of the nexthops' names.
int flows(const Options& options) {
  const auto config = config::load(config::choose_path(options.config));
  if (!config) return fail(config.error(), kUsage);
  const auto status = api::request(socket_path(options), "GET", "/api/v1/status");
  const auto names = status ? named_nexthops(status->body) : std::vector<NamedNexthop>();
  const auto query = parse_flow_query(options.flows, names);
  if (!query) return fail(query.error(), kUsage);
  FlowList list(query->order, query->limit);
  const auto read = dataplane::read_flows(config->dataplane.pin_root, query->filter,
                                          std::chrono::steady_clock::now(),
                                          [&](const FlowRecord& flow) { list.add(flow); });
  if (!read) return fail(read.error());
  const std::string json = to_json(list, names);
  if (options.json) {
    std::cout << json << '\n';
    return 0;
  }
  const auto text = render_flows(json);
  if (!text) return fail(text.error());
  std::cout << *text;
  return 0;
}

int trace(const Options& options) {
  TraceLine line = options.trace;
  line.json = options.json;
  const std::string socket = socket_path(options);
  return run_trace(
      line, {.ask = [&](const std::string& method,
                        const std::string& target) { return api::request(socket, method, target); },
             .pause = [](Duration time) { std::this_thread::sleep_for(time); },
             .out = std::cout,
             .err = std::cerr});
}

int events(const Options& options) {
  const auto config = config::load(config::choose_path(options.config));
  if (!config) return fail(config.error(), kUsage);
  EventLine line = options.events;
  line.json = options.json;
  line.nexthop = options.nexthop;
  const std::string socket = socket_path(options);
  return run_events(
      line, {.ask = [&](const std::string& method,
                        const std::string& target) { return api::request(socket, method, target); },
             .pause = [](Duration time) { std::this_thread::sleep_for(time); },
             .wall = [] { return WallTime(std::chrono::system_clock::now()); },
             .read_file = [&] { return read_events(config->history); },
             .file = config->history.file,
             .out = std::cout,
             .err = std::cerr});
}

int record(const Options& options) {
  RecordLine line = options.record;
  line.json = options.json;
  const std::string socket = socket_path(options);
  for (const int signal : {SIGINT, SIGTERM}) std::signal(signal, [](int) { interrupted = 1; });
  return run_record(
      line, {.ask = [&](const std::string& method,
                        const std::string& target) { return api::request(socket, method, target); },
             .pause = [](Duration time) { std::this_thread::sleep_for(time); },
             .interrupted = [] { return interrupted != 0; },
             .out = std::cout,
             .err = std::cerr});
}

int reload(const Options& options) {
  const auto reply = api::request(socket_path(options), "POST", "/api/v1/reload");
  if (!reply) return fail(reply.error());
  if (reply->status != 200) return fail(Error{render_error(reply->body)}, kUsage);
  std::cout << "reloaded\n";
  return 0;
}

int reflect(const Options& options) {
  const auto reflector = reflector_options(options.reflect);
  if (!reflector) return fail(reflector.error(), kUsage);
  const auto ended = run_reflector(
      *reflector, options.json ? SummaryFormat::json : SummaryFormat::text, std::cout, std::cerr);
  return ended ? 0 : fail(ended.error());
}

int simulate(const Options& options) {
  SimulateLine line = options.simulate;
  line.json = options.json;
  line.config = options.config;
  return run_simulate(line, std::cout, std::cerr);
}

int verify(const Options& options) {
  const std::string path = config::choose_path(options.config);
  const auto config = config::load(path);
  if (!config) return fail(config.error(), kUsage);
  VerifyLine line = options.verify;
  line.json = options.json;
  line.configuration = path;
  return run_verify(line, *config, std::cout, std::cerr);
}

int detach(const Options& options) {
  const auto config = config::load(config::choose_path(options.config));
  if (!config) return fail(config.error(), kUsage);
  // Under a running daemon this would be sawing off its branch.
  const auto claim = NamespaceClaim::take();
  if (!claim) return fail(claim.error());
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

}  // namespace commands
}  // namespace hopwise::cli
