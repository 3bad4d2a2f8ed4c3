// The subcommands in the manner of ip(8), each with what it needs of the line.
#pragma once

#include <CLI/CLI.hpp>

#include "core/cli/commands.hpp"
#include "core/cli/help.hpp"

namespace hopwise::cli {

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

}  // namespace hopwise::cli
