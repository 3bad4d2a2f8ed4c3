// hopwise: one binary, subcommands. Parses the line, runs one subcommand, which prints its result
// or its error, and exits: 0 done, 1 failed, 2 the command line or the configuration is wrong.
#include <iostream>

#include "core/cli/command_line.hpp"

int main(int argc, char** argv) {
  try {
    return hopwise::cli::CommandLine().run(argc, argv);
  } catch (const std::exception& error) {
    std::cerr << "hopwise: " << error.what() << '\n';
    return hopwise::cli::kFailed;
  }
}
