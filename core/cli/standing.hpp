// Which differences stand. Routing changes while one looks, and what follows it is a little later:
// a difference is believed when it is there in every look, from one to another that began a while
// after the first had ended. Pure.
#pragma once

#include <map>
#include <string>
#include <utility>
#include <vector>

#include "core/dataplane/difference.hpp"
#include "core/model/time.hpp"

namespace hopwise::cli {

class Standing {
 public:
  explicit Standing(Duration wait) : wait_(wait) {}

  enum class Next : std::uint8_t { settled, look_again };
  /// What one look found, and when it began and ended. Settled: nothing is left, all that is left
  /// stands, or, where always new ones come, there was time enough for three waits.
  Next look(const std::vector<dataplane::Difference>& found, TimePoint began, TimePoint ended);

  /// Those that stand.
  [[nodiscard]] std::vector<dataplane::Difference> faults() const;
  /// Those of the last look that are too young to be believed.
  [[nodiscard]] std::size_t changing() const;
  [[nodiscard]] int looks() const { return looks_; }

 private:
  struct Seen {
    TimePoint since;  // the end of the look that found it first
    std::string detail;
  };
  [[nodiscard]] bool stands(const Seen& seen) const { return last_began_ - seen.since >= wait_; }

  Duration wait_;
  std::map<std::pair<dataplane::Fault, std::string>, Seen> seen_;
  int looks_ = 0;
  TimePoint began_{}, last_began_{};
};

}  // namespace hopwise::cli
