// `hopwise events`: what hopwise did and saw, a line an event, and on as it happens. Knows the
// daemon only through `ask`; without one it reads the history's file.
#pragma once

#include <functional>
#include <iosfwd>
#include <string>
#include <vector>

#include "core/api/client.hpp"
#include "core/model/event.hpp"
#include "core/model/result.hpp"
#include "core/model/time.hpp"

namespace hopwise::cli {

/// As typed.
struct EventLine {
  std::string group{}, nexthop{}, reason{}, kind{};
  std::string since{};  // "10m", or an event's number
  std::string limit = "50";
  bool follow = false;
  bool json = false;
};

struct EventTalk {
  std::function<Result<api::Reply>(const std::string& method, const std::string& target)> ask;
  std::function<void(Duration)> pause;
  std::function<WallTime()> wall;
  /// What the daemon's file holds; asked where no daemon answers.
  std::function<Result<std::vector<EventRecord>>()> read_file;
  std::string file;  // its name
  std::ostream& out;
  std::ostream& err;
};

/// The exit status: 0 told, 1 neither daemon nor file, 2 the line is wrong. Following ends when
/// `out` can be written no more.
int run_events(const EventLine& line, const EventTalk& talk);

}  // namespace hopwise::cli
