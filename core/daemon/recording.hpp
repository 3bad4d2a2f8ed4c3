// Recordings of this daemon's engine into a file, at an operator's word: `hopwise record`.
//
// The engine tells all that it is told; ten times a second that is passed on to a thread that does
// nothing but write, so that a slow disk never holds up the control loop. What is waiting for the
// disk is bounded, and so is the file: a recording that would go beyond ends, and says why, in its
// last line too.
#pragma once

#include <boost/asio/thread_pool.hpp>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>

#include "core/api/server.hpp"
#include "core/daemon/log.hpp"
#include "core/daemon/steering.hpp"
#include "core/engine/engine.hpp"
#include "core/simulation/recording.hpp"

namespace hopwise {

class Recording {
 public:
  using Clock = std::function<TimePoint()>;
  using Nexthops = std::map<NexthopId, NexthopRecord>;

  /// Hears of all that `engine` is told from now on. `engine` and `log` outlive it.
  Recording(engine::Engine& engine, Log& log, Clock clock);
  Recording(const Recording&) = delete;
  ~Recording();  // what is under way gets its end

  /// `options`: what the engine has now. Refused while another is under way, and where the file is
  /// there already or cannot be made.
  Result<> begin(const api::RecordOrder& order, const engine::Options& options,
                 const Nexthops& nexthops);
  /// Refused when none is under way.
  Result<> end();
  /// Every tick.
  void settle(const Nexthops& nexthops);
  [[nodiscard]] api::RecordStatus status() const;

 private:
  struct File;
  void pass_on();
  void finish(const std::string& because);

  engine::Engine& engine_;
  Log& log_;
  Clock clock_;
  simulation::RecordingWriter writer_;
  api::RecordOrder order_;
  api::RecordStatus status_;  // of the newest
  TimePoint began_;
  std::shared_ptr<File> file_;  // while one is under way
  boost::asio::thread_pool disk_{1};
};

}  // namespace hopwise
