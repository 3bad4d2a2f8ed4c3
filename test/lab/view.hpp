// The live view of a run: what an operator would want on one screen. Drawing is pure text from
// plain data; Screen is the terminal.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "test/lab/report.hpp"

namespace hopwise::lab {

struct PathRow {
  std::string name;
  std::string state;             // hopwise's word; empty without hopwise
  std::optional<double> rtt_ms;  // measured by hopwise
  double loss = 0;               // the same
  std::optional<double> weight;  // 0..1
  double share = 0;              // of the bytes that the router sent in the last second
  std::string line;              // what its emulated link does now: "delay 60 ms"
};

struct PlannedEvent {
  double at = 0;
  std::string upstream;
  std::string what;
};

struct Scene {
  std::string scenario;
  bool steered = true;
  double now = 0;
  double duration = 0;
  std::vector<PathRow> paths;
  std::vector<PlannedEvent> events;  // past and to come
  std::vector<DecisionSeen> decisions;
  std::vector<std::string> upstreams;
  Latency latency;  // of the short flows ended in the last two seconds
  std::size_t flows_lost = 0;
};

/// The screen's lines, none wider than `columns` (80 at least) on the terminal.
std::vector<std::string> draw(const Scene& scene, std::size_t columns);

/// One line for a log: "t=12.0 isp-a 52% rtt=20.1ms up  isp-b 48% ...".
std::string plain_line(const Scene& scene);

/// "isp-a 50->1 %, isp-b 50->99 %".
std::string shares_text(const DecisionSeen& decision, const std::vector<std::string>& upstreams);

/// The alternate screen of the terminal on stdout, given back when it goes.
class Screen {
 public:
  Screen();
  ~Screen();
  Screen(const Screen&) = delete;
  Screen& operator=(const Screen&) = delete;
  void show(const std::vector<std::string>& lines);
  [[nodiscard]] static std::size_t columns();  // as it is now; at least 80
};

}  // namespace hopwise::lab
