// test/bench/dataplane: what the data plane costs, and what it is worth next to others.
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <array>
#include <exception>
#include <iostream>
#include <set>

#include "test/bench/parts.hpp"

namespace {

using namespace hopwise::bench;

struct Part {
  const char* name;
  void (*measure)(Report&, Effort);
};
constexpr std::array<Part, 4> kParts{{{"routes", measure_routes},
                                      {"packet", measure_packet},
                                      {"forward", measure_forward},
                                      {"rtt", measure_rtt}}};

// A part that fails keeps the others from nothing.
int run(const std::set<std::string>& only, Effort effort, const std::string& json) {
  Report report;
  int failed = 0;
  for (const Part& part : kParts) {
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

void hopwise::bench::progress(const std::string& text) {
  std::cerr << "bench: " << text << '\n';
}

int main(int argc, char** argv) {
  CLI::App app{
      "Benchmarks of hopwise's data plane. Needs root; all traffic stays in network "
      "namespaces of its own."};
  std::string json;
  std::vector<std::string> only;
  bool quick = false;
  app.add_option("--json", json, "Write every figure to FILE")->type_name("FILE");
  app.add_option("--only", only, "Measure PART only (may be given again)")
      ->type_name("PART")
      ->check(CLI::IsMember({"routes", "packet", "forward", "rtt"}));
  app.add_flag("--quick", quick, "Fewer runs and smaller tables: does it work at all?");
  CLI11_PARSE(app, argc, argv);
  if (geteuid() != 0) {
    std::cerr << "bench: needs root: it makes network namespaces and loads BPF programs\n";
    return 1;
  }
  try {
    return run({only.begin(), only.end()}, quick ? Effort::quick : Effort::full, json);
  } catch (const std::exception& error) {
    std::cerr << "bench: " << error.what() << '\n';
    return 1;
  }
}
