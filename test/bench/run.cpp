#include "test/bench/run.hpp"

#include <unistd.h>

#include <CLI/CLI.hpp>
#include <exception>
#include <iostream>
#include <set>
#include <string>
#include <vector>

namespace hopwise::bench {
namespace {

// A part that fails keeps the others from nothing.
int measure(std::span<const Part> parts, const std::set<std::string>& only, Effort effort,
            const std::string& json) {
  Report report;
  int failed = 0;
  for (const Part& part : parts) {
    if (!only.empty() && !only.contains(part.name)) continue;
    try {
      part.measure(report, effort);
    } catch (const std::exception& error) {
      std::cerr << "bench: " << part.name << ": " << error.what() << '\n';
      failed = 1;
    }
  }
  report.print(std::cout);
  if (!json.empty()) report.write_json(json);
  return failed;
}

}  // namespace

void progress(const std::string& text) {
  std::cerr << "bench: " << text << '\n';
}

int run_parts(int argc, char** argv, const char* about, std::span<const Part> parts, Needs needs) {
  CLI::App app{about};
  std::string json;
  std::vector<std::string> only, names;
  for (const Part& part : parts) names.emplace_back(part.name);
  bool quick = false;
  app.add_option("--json", json, "Write every figure to FILE")->type_name("FILE");
  app.add_option("--only", only, "Measure PART only (may be given again)")
      ->type_name("PART")
      ->check(CLI::IsMember(names));
  app.add_flag("--quick", quick, "Fewer runs and smaller tables: does it work at all?");
  CLI11_PARSE(app, argc, argv);
  if (needs == Needs::root && geteuid() != 0) {
    std::cerr << "bench: needs root: it makes network namespaces and loads BPF programs\n";
    return 1;
  }
  try {
    return measure(parts, {only.begin(), only.end()}, quick ? Effort::quick : Effort::full, json);
  } catch (const std::exception& error) {
    std::cerr << "bench: " << error.what() << '\n';
    return 1;
  }
}

}  // namespace hopwise::bench
