// What the subcommands do: each takes what stood on the line, prints its result or its error, and
// returns the exit status: 0 done, 1 failed, 2 the command line or the configuration is wrong.
#pragma once

#include <string>

#include "core/cli/event_list.hpp"
#include "core/cli/flow_query.hpp"
#include "core/cli/record.hpp"
#include "core/cli/reflect.hpp"
#include "core/cli/route_list.hpp"
#include "core/cli/simulate.hpp"
#include "core/cli/trace.hpp"
#include "core/cli/verify.hpp"

namespace hopwise::cli {

inline constexpr int kFailed = 1;
inline constexpr int kUsage = 2;

/// All that may stand on the line, of every subcommand.
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
  VerifyLine verify;
  RouteLine routes;
};

namespace commands {

int run(const Options& options);
int check(const Options& options);
int status(const Options& options);
int probes(const Options& options);
int nexthops(const Options& options);
int routes(const Options& options);
int explain(const Options& options);
int flows(const Options& options);
int trace(const Options& options);
int events(const Options& options);
int record(const Options& options);
int reload(const Options& options);
int reflect(const Options& options);
int simulate(const Options& options);
int verify(const Options& options);
int detach(const Options& options);

}  // namespace commands
}  // namespace hopwise::cli
