// The demo: plays a scenario in the lab, shows it, and says whether steering did its job.
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <csignal>
#include <cstdio>
#include <exception>
#include <fstream>
#include <optional>

#include "test/lab/report.hpp"
#include "test/lab/run.hpp"

using namespace hopwise;
using namespace hopwise::lab;

namespace {

volatile std::sig_atomic_t interrupted = 0;  // what a signal handler may touch

struct Options {
  std::string scenario = "brownout";
  std::string json;
  bool plain = false;
  Steering steering = Steering::hopwise;
};

/// A line a second, and one for each event and decision when it happens.
class PlainView {
 public:
  void show(const Scene& scene) {
    for (; events_ < scene.events.size() && scene.events[events_].at <= scene.now; ++events_) {
      const auto& event = scene.events[events_];
      std::printf("event    t=%.1f  %s: %s\n", event.at, event.upstream.c_str(),
                  event.what.c_str());
    }
    for (; decisions_ < scene.decisions.size(); ++decisions_) {
      const auto& decision = scene.decisions[decisions_];
      std::printf("decision t=%.2f  group=%u reason=%s cause=%s  %s  %s\n", decision.at,
                  decision.group, decision.reason.c_str(), decision.cause.c_str(),
                  shares_text(decision, scene.upstreams).c_str(), decision.evidence.c_str());
    }
    if (scene.now >= next_) {
      std::printf("%s\n", plain_line(scene).c_str());
      next_ += 1;
    }
    std::fflush(stdout);
  }

 private:
  std::size_t events_ = 0;
  std::size_t decisions_ = 0;
  double next_ = 0;
};

Result<Outcome> play(const Options& options) {
  auto scenario = load_scenario(options.scenario);
  if (!scenario) return scenario.error();
  std::printf("opening the lab: %zu upstreams, %s\n", scenario->topology.upstreams.size(),
              text(options.steering));
  std::fflush(stdout);
  auto run = Run::prepare(*scenario, options.steering);
  if (!run) return run.error();
  PlainView plain;
  std::optional<Screen> screen;
  if (!options.plain) screen.emplace();
  return (*run)->play([&](const Scene& scene) {
    if (screen) {
      screen->show(draw(scene, Screen::columns()));
    } else {
      plain.show(scene);
    }
    return interrupted == 0;
  });
}

int demo(const Options& options) {
  const auto outcome = play(options);
  if (!outcome) {
    std::fprintf(stderr, "demo: %s\n", outcome.error().message.c_str());
    return interrupted != 0 ? 130 : 2;
  }
  auto report = evaluate(outcome->record);
  report.checks.insert(report.checks.end(), outcome->checks.begin(), outcome->checks.end());
  std::fputs(summary(outcome->record, report).c_str(), stdout);
  if (!options.json.empty()) {
    std::ofstream file(options.json);
    file << to_json(outcome->record, report);
    file.close();
    if (!file) {
      std::fprintf(stderr, "demo: write %s: failed (is its folder there?)\n", options.json.c_str());
      return 2;
    }
  }
  return report.passed() ? 0 : 1;
}

}  // namespace

int main(int argc, char** argv) {
  CLI::App app{
      "Plays a scenario in a lab of network namespaces: a router with FRR and hopwise between a\n"
      "client and several upstreams that go bad. Exit status 0: steering did its job; 1: it did\n"
      "not; 2: the lab could not run.",
      "test/lab/demo"};
  Options options;
  bool no_steer = false;
  bool greedy = false;
  app.add_option("--scenario", options.scenario,
                 "A scenario file, or the name of one of scenarios/")
      ->capture_default_str();
  app.add_option("--json", options.json, "Write the report to this file");
  app.add_flag("--plain", options.plain, "One line a second instead of the live view");
  app.add_flag("--no-steer", no_steer, "Kernel ECMP only, without hopwise: for contrast");
  app.add_flag("--greedy", greedy,
               "Without hopwise too: a script moves the route to the lowest round-trip time")
      ->excludes("--no-steer");
  CLI11_PARSE(app, argc, argv);
  if (no_steer) options.steering = Steering::kernel;
  if (greedy) options.steering = Steering::greedy;
  if (isatty(STDOUT_FILENO) == 0) options.plain = true;
  for (const int signal : {SIGINT, SIGTERM, SIGHUP})
    std::signal(signal, [](int) { interrupted = 1; });
  try {
    return demo(options);
  } catch (const std::exception& e) {
    std::fprintf(stderr, "demo: %s\n", e.what());
    return 2;
  }
}
