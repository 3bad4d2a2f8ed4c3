// hopwise: one binary, subcommands in the manner of ip(8). Parses the line, runs one subcommand,
// prints its result or its error, and exits: 0 done, 1 failed, 2 the command line or the
// configuration is wrong.
#include <CLI/CLI.hpp>
#include <csignal>
#include <iostream>
#include <string>
#include <thread>

#include "core/api/client.hpp"
#include "core/api/event_json.hpp"
#include "core/cli/event_list.hpp"
#include "core/cli/flow_list.hpp"
#include "core/cli/group_view.hpp"
#include "core/cli/help.hpp"
#include "core/cli/probe_list.hpp"
#include "core/cli/record.hpp"
#include "core/cli/reflect.hpp"
#include "core/cli/render.hpp"
#include "core/cli/simulate.hpp"
#include "core/cli/trace.hpp"
#include "core/config/config.hpp"
#include "core/daemon/daemon.hpp"
#include "core/daemon/history_file.hpp"
#include "core/daemon/host.hpp"
#include "core/dataplane/dataplane.hpp"
#include "probes/prober.hpp"

namespace hopwise::cli {
namespace {

constexpr int kFailed = 1;
constexpr int kUsage = 2;

struct Options {
  std::string config;
  std::string socket;
  std::string state_file;
  bool json = false;
  bool dry_run = false;
  std::string source, destination, protocol = "tcp";
  std::string source_port = "0", destination_port = "0", dscp = "0";
  FlowOptions flows;
  std::string nexthop;
  bool flow_lines = false;
  ReflectLine reflect;
  TraceLine trace;
  SimulateLine simulate;
  EventLine events;
  RecordLine record;
};

int fail(const Error& error, int code = kFailed) {
  std::cerr << "hopwise: " << error.message << '\n';
  return code;
}

std::string socket_path(const Options& options) {
  if (!options.socket.empty()) return options.socket;
  const auto config = config::load(config::choose_path(options.config));
  return config ? config->api.socket : api::Options{}.socket;
}

int run(const Options& options) {
  // A wrong configuration is told apart from a host that will not let us start.
  const std::string path = config::choose_path(options.config);
  if (const auto config = config::load(path); !config) return fail(config.error(), kUsage);
  const auto ended = run_daemon({options.config, options.socket, options.dry_run, options.state_file});
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

int explain(const Options& options) {
  if (options.destination.empty())
    return show(options, "/api/v1/groups?id=" + options.source, render_group);
  return show(options,
              "/api/v1/explain?src=" + options.source + "&dst=" + options.destination +
                  "&proto=" + options.protocol + "&sport=" + options.source_port +
                  "&dport=" + options.destination_port + "&dscp=" + options.dscp,
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

Result<std::vector<EventRecord>> read_events(const config::History& history) {
  if (history.file.empty()) return Error{"no file keeps its events (history.file is empty)"};
  const auto found = read_history(history.file, history.size_bytes);
  if (!found) return found.error();
  std::vector<EventRecord> records;
  for (const std::string& line : found->lines)
    if (auto record = api::read_event(line)) records.push_back(std::move(*record));
  return records;
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

volatile std::sig_atomic_t interrupted = 0;

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

// The subcommands, each with what it needs of the line.
class CommandLine {
 public:
  CommandLine();
  int run(int argc, char** argv);

 private:
  CLI::App* command(const char* name, const char* summary, const char* more,
                    int (*action)(const Options&));
  CLI::App* with_config(CLI::App* command, const char* names = "-c,--config");
  CLI::App* with_socket(CLI::App* command);
  CLI::App* with_json(CLI::App* command);
  void with_flow_options(CLI::App* command);
  void with_reflect_options(CLI::App* command);
  void with_trace_options(CLI::App* command);
  void with_simulate_options(CLI::App* command);
  void with_event_options(CLI::App* command);
  void with_record_options(CLI::App* command);

  Options options_;
  CLI::App app_{help::kAbout};
  int code_ = 0;
};

CommandLine::CommandLine() {
  app_.set_version_flag("--version", "hopwise " HOPWISE_VERSION);
  app_.failure_message(CLI::FailureMessage::simple);
  app_.name("hopwise");
  app_.footer(help::kExamples);

  auto* daemon =
      with_socket(command("run", "run the daemon in the foreground", help::kRun, cli::run));
  daemon->add_flag("--dry-run", options_.dry_run, "decide and explain, but install nothing");
  daemon
      ->add_option("--state", options_.state_file,
                   "state file (default: the configuration's, " + config::Config{}.state_file + ")")
      ->type_name("");
  with_config(command("check", "validate the configuration and exit", help::kCheck, check),
              "-c,--config,FILE");
  with_json(command("status", "what hopwise sees and does now", help::kStatus, status));
  auto* probers =
      with_json(command("probes", "what became of the probes", help::kProbes, cli::probes));
  probers->add_option("NEXTHOP", options_.nexthop, "a nexthop's name or gateway (default: all)");
  probers->add_flag("-v,--flows", options_.flow_lines, "a line for each pinned flow too");
  auto* flow =
      with_json(command("explain", "why a group's traffic is shared so, or where a flow goes",
                        help::kExplain, explain));
  flow->add_option("GROUP|SRC", options_.source, "a group's number or name, or a source address")
      ->required();
  flow->add_option("DST", options_.destination, "destination address");
  flow->add_option("PROTO", options_.protocol, "tcp (default), udp, icmp, icmpv6, or a number");
  flow->add_option("SPORT", options_.source_port, "source port (ICMP: the echo identifier)");
  flow->add_option("DPORT", options_.destination_port, "destination port");
  flow->add_option("--dscp", options_.dscp, "of its packets, 0 to 63 (classes may go by it)");
  with_flow_options(with_json(
      command("flows", "the flows in the data path, largest first", help::kFlows, flows)));
  with_event_options(
      with_json(command("events", "what hopwise did and saw", help::kEvents, cli::events)));
  with_trace_options(with_json(command(
      "trace", "the hops on the way by a nexthop, and where it breaks", help::kTrace, cli::trace)));
  with_socket(command("reload", "swap in the configuration file, whole or not at all", "", reload));
  with_config(
      command("detach", "remove all that hopwise left in the kernel", help::kDetach, detach));
  with_reflect_options(command("reflect", "answer STAMP and TWAMP-Light probes, in the foreground",
                               help::kReflect, cli::reflect));
  with_record_options(with_json(command(
      "record", "record all that the engine is told, for `simulate`", help::kRecord, record)));
  with_simulate_options(
      command("simulate", "play a scenario, or what was recorded", help::kSimulate, cli::simulate));
}

CLI::App* CommandLine::command(const char* name, const char* summary, const char* more,
                               int (*action)(const Options&)) {
  CLI::App* added = app_.add_subcommand(name, summary);
  added->footer(more);
  added->callback([this, action] { code_ = action(options_); });
  return added;
}

CLI::App* CommandLine::with_config(CLI::App* command, const char* names) {
  command
      ->add_option(
          names, options_.config,
          std::string("configuration file (default: ") + config::kDefaultPath + " where it exists)")
      ->type_name("");
  return command;
}

CLI::App* CommandLine::with_socket(CLI::App* command) {
  command
      ->add_option("-s,--socket", options_.socket,
                   "the daemon's unix socket (default: " + api::Options{}.socket + ")")
      ->type_name("");
  return with_config(command);
}

void CommandLine::with_flow_options(CLI::App* command) {
  FlowOptions& flows = options_.flows;
  const auto option = [&](const char* name, std::string& value, const char* type,
                          const char* about) {
    command->add_option(name, value, about)->type_name(type);
  };
  option("--source", flows.source, "PREFIX", "from this address or prefix");
  option("--destination", flows.destination, "PREFIX", "to this address or prefix");
  option("--protocol", flows.protocol, "NAME", "tcp, udp, icmp (of both families), or a number");
  option("--port", flows.port, "NUMBER", "of either end (ICMP: the echo identifier)");
  option("--nexthop", flows.nexthop, "NAME", "a nexthop's name, id or gateway");
  option("--group", flows.group, "ID", "of this group");
  option("--active", flows.active, "TIME", "seen within 500ms, 10s, 2m, 1h");
  option("--sort", flows.sort, "ORDER",
         "bytes (default), packets, rtt, retransmissions, age, idle: most first");
  option("--limit", flows.limit, "NUMBER", "show at most so many (default: 50)");
}

void CommandLine::with_reflect_options(CLI::App* command) {
  ReflectLine& line = options_.reflect;
  command
      ->add_option("--listen", line.listen,
                   "answer on this address alone; again for another one (default: all)")
      ->type_name("ADDRESS");
  command->add_option("--port", line.port, "UDP port (default: 862)")->type_name("NUMBER");
  command
      ->add_option("--key-file", line.key_file, "answer only what is authenticated with this key")
      ->type_name("FILE");
  command->add_flag("--stateless", line.stateless, "keep no sequence for each session");
  command
      ->add_option("--rate", line.rate,
                   "replies a second to one IPv4 address or IPv6 /64 (default: 1000)")
      ->type_name("PPS");
  command
      ->add_option("--allow", line.allow,
                   "answer these sources alone; again for another one (default: all)")
      ->type_name("PREFIX");
  command->add_flag("-j,--json", options_.json, "print the counters as JSON");
}

void CommandLine::with_trace_options(CLI::App* command) {
  TraceLine& trace = options_.trace;
  command->add_option("NEXTHOP", trace.nexthop, "a nexthop's name, id or gateway");
  command->add_option("DEST", trace.destination, "where to: an address");
  command->add_option("-q", trace.probes, "probes a hop (default: 3)")->type_name("PROBES");
  command->add_option("-m", trace.max_hops, "no farther than this (default: 30)")
      ->type_name("MAXHOPS");
}

void CommandLine::with_simulate_options(CLI::App* command) {
  SimulateLine& line = options_.simulate;
  command->add_option("FILE", line.scenario, "a scenario, or a recording")->required();
  with_config(command);
  command->add_option("--only", line.only, "these controllers alone (default: all, and the oracle)")
      ->type_name("NAMES")
      ->delimiter(',');
  command->add_option("--seed", line.seed, "another luck than the scenario's")->type_name("N");
  command->add_flag("--events", line.events, "every decision and its reason too");
  command->add_option("--plot", line.plot, "a picture of weights and delays over time (.svg)")
      ->type_name("FILE");
  command->add_flag("-j,--json", options_.json, "print JSON");
}

void CommandLine::with_event_options(CLI::App* command) {
  EventLine& line = options_.events;
  command->add_flag("-f,--follow", line.follow, "go on as events happen");
  const auto option = [&](const char* name, std::string& value, const char* type,
                          const char* about) {
    command->add_option(name, value, about)->type_name(type);
  };
  option("--group", line.group, "ID", "of this group");
  option("--nexthop", options_.nexthop, "NAME", "that name this nexthop");
  option("--reason", line.reason, "REASON", "decisions for this reason, and their effects");
  option("--kind", line.kind, "KIND", "decision, effect, nexthop, reload, start or stop");
  option("--since", line.since, "TIME", "younger than 90s, 10m, 2h, 7d, or after event number N");
  option("--limit", line.limit, "NUMBER", "the newest so many (default: 50)");
}

void CommandLine::with_record_options(CLI::App* command) {
  RecordLine& line = options_.record;
  command->add_option("FILE", line.file, "where to: nothing is overwritten");
  command->add_option("--duration", line.duration, "end after this time: 30m, 8h (default: Ctrl-C)")
      ->type_name("TIME");
  command->add_option("--max-size", line.max_size, "end before it is larger (default: 1GB)")
      ->type_name("SIZE");
  command->add_flag("--status", line.status, "tell of the newest recording, and that is all");
  command->add_flag("--stop", line.stop, "end the one that is under way");
}

CLI::App* CommandLine::with_json(CLI::App* command) {
  command->add_flag("-j,--json", options_.json, "print JSON");
  return with_socket(command);
}

int CommandLine::run(int argc, char** argv) {
  if (argc < 2) {
    std::cout << app_.help();
    return kUsage;
  }
  const std::string first = argv[1];
  const auto named = [&](const CLI::App* command) { return command->get_name() == first; };
  if (first[0] != '-' && app_.get_subcommands(named).empty())
    return fail(Error{"unknown command \"" + first + "\" (`hopwise --help` lists them)"}, kUsage);
  try {
    app_.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app_.exit(error) == 0 ? 0 : kUsage;
  }
  return code_;
}

}  // namespace
}  // namespace hopwise::cli

int main(int argc, char** argv) {
  try {
    return hopwise::cli::CommandLine().run(argc, argv);
  } catch (const std::exception& error) {
    std::cerr << "hopwise: " << error.what() << '\n';
    return hopwise::cli::kFailed;
  }
}
