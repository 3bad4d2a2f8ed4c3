// hopwise: one binary, subcommands in the manner of ip(8), each with what it needs of the line.
// Parses the line and runs one, which prints its result or its error, and exits: 0 done, 1 failed,
// 2 the command line or the configuration is wrong.
#include <CLI/CLI.hpp>
#include <iostream>
#include <string>

#include "core/api/server.hpp"
#include "core/cli/commands.hpp"
#include "core/cli/help.hpp"
#include "core/config/config.hpp"

namespace hopwise::cli {
namespace {

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
  void with_route_options(CLI::App* command);

  Options options_;
  CLI::App app_{help::kAbout};
  int code_ = 0;
};

// Adds options that take a text to `command`.
auto text_options(CLI::App* command) {
  return [command](const char* name, std::string& value, const char* type, const char* about) {
    command->add_option(name, value, about)->type_name(type);
  };
}

CommandLine::CommandLine() {
  app_.set_version_flag("--version", "hopwise " HOPWISE_VERSION);
  app_.failure_message(CLI::FailureMessage::simple);
  app_.name("hopwise");
  app_.footer(help::kExamples);

  auto* daemon =
      with_socket(command("run", "run the daemon in the foreground", help::kRun, commands::run));
  daemon->add_flag("--dry-run", options_.dry_run, "decide and explain, but install nothing");
  daemon
      ->add_option("--state", options_.state_file,
                   "state file (default: the configuration's, " + config::Config{}.state_file + ")")
      ->type_name("");
  with_config(
      command("check", "validate the configuration and exit", help::kCheck, commands::check),
      "-c,--config,FILE");
  with_json(command("status", "what hopwise sees and does now", help::kStatus, commands::status));
  auto* probers =
      with_json(command("probes", "what became of the probes", help::kProbes, commands::probes));
  probers->add_option("NEXTHOP", options_.nexthop, "a nexthop's name or gateway (default: all)");
  probers->add_flag("-v,--flows", options_.flow_lines, "a line for each pinned flow too");
  auto* nexthops = with_json(command("nexthops", "nexthops, their state and what uses them",
                                     help::kNexthops, commands::nexthops));
  nexthops->add_option("NEXTHOP", options_.nexthop,
                       "a nexthop's name, gateway or id (default: all)");
  with_route_options(
      with_json(command("routes", "which route an address takes; the routes there are",
                        help::kRoutes, commands::routes)));
  auto* flow =
      with_json(command("explain", "why a group's traffic is shared so, or where a flow goes",
                        help::kExplain, commands::explain));
  flow->add_option("GROUP|SRC", options_.source, "a group's number or name, or a source address")
      ->required();
  flow->add_option("DST", options_.destination, "destination address");
  flow->add_option("PROTO", options_.protocol, "tcp (default), udp, icmp, icmpv6, or a number");
  flow->add_option("SPORT", options_.source_port, "source port (ICMP: the echo identifier)");
  flow->add_option("DPORT", options_.destination_port, "destination port");
  flow->add_option("--dscp", options_.dscp, "of its packets, 0 to 63 (classes may go by it)");
  with_flow_options(with_json(command("flows", "the flows in the data path, largest first",
                                      help::kFlows, commands::flows)));
  with_event_options(
      with_json(command("events", "what hopwise did and saw", help::kEvents, commands::events)));
  with_trace_options(
      with_json(command("trace", "the hops on the way by a nexthop, and where it breaks",
                        help::kTrace, commands::trace)));
  auto* verify = command("verify", "whether the data plane equals what routing says", help::kVerify,
                         commands::verify);
  verify->add_flag("-j,--json", options_.json, "print JSON");
  verify
      ->add_option("--wait", options_.verify.wait,
                   "a difference must stand for so long: 0, 500ms, 5s (default: 1s)")
      ->type_name("TIME");
  with_config(verify);
  with_socket(command("reload", "swap in the configuration file, whole or not at all", "",
                      commands::reload));
  with_config(command("detach", "remove all that hopwise left in the kernel", help::kDetach,
                      commands::detach));
  with_reflect_options(command("reflect", "answer STAMP and TWAMP-Light probes, in the foreground",
                               help::kReflect, commands::reflect));
  with_record_options(
      with_json(command("record", "record all that the engine is told, for `simulate`",
                        help::kRecord, commands::record)));
  with_simulate_options(command("simulate", "play a scenario, or what was recorded",
                                help::kSimulate, commands::simulate));
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
  const auto option = text_options(command);
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
  const auto option = text_options(command);
  option("--group", line.group, "ID", "of this group");
  option("--nexthop", options_.nexthop, "NAME", "that name this nexthop");
  option("--reason", line.reason, "REASON", "decisions for this reason, and their effects");
  option("--kind", line.kind, "KIND", "decision, effect, nexthop, reload, start, stop or speaker");
  option("--since", line.since, "TIME", "younger than 90s, 10m, 2h, 7d, or after event number N");
  option("--limit", line.limit, "NUMBER", "the newest so many (default: 50)");
}

void CommandLine::with_route_options(CLI::App* command) {
  RouteLine& line = options_.routes;
  command->add_option("ADDRESS|PREFIX", line.where,
                      "the longest match of an address, or exactly this prefix (default: all)");
  command->add_flag("--longer", line.longer, "the prefix and all that is below it");
  const auto option = text_options(command);
  option("--group", line.group, "ID", "of this group");
  option("--nexthop", options_.nexthop, "NAME", "that may use this nexthop (name, gateway or id)");
  option("--family", line.family, "FAMILY", "v4 or v6");
  command->add_flag("--left-to-kernel", line.left_to_kernel, "those that are not steered, and why");
  command->add_flag("--steered", line.steered, "those that are");
  command->add_flag("--count", line.count, "how many, and no more");
  option("--limit", line.limit, "NUMBER", "show at most so many (default: all)");
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
  if (first[0] != '-' && app_.get_subcommands(named).empty()) {
    std::cerr << "hopwise: unknown command \"" << first << "\" (`hopwise --help` lists them)\n";
    return kUsage;
  }
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
