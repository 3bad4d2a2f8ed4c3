// One run of a scenario: the lab, hopwise and Prometheus in it, the traffic, and everything that is
// written down meanwhile.
#pragma once

#include <functional>
#include <memory>
#include <vector>

#include "core/model/result.hpp"
#include "test/lab/record.hpp"
#include "test/lab/scenario.hpp"
#include "test/lab/view.hpp"

namespace hopwise::lab {

struct Outcome {
  RunRecord record;
  std::vector<Check> checks;  // of the run itself, beside the report's
};

class Run {
 public:
  /// Opens the lab, and returns when all is ready to begin.
  static Result<std::unique_ptr<Run>> prepare(Scenario scenario, Steering steering);
  ~Run();

  /// Plays the scenario. `watch` is called five times a second with what there is to see; the run
  /// ends early, as an error, once it returns false.
  Result<Outcome> play(const std::function<bool(const Scene&)>& watch);

 private:
  struct Impl;
  explicit Run(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace hopwise::lab
