// Carries what the engine has learnt over a restart, and over the time in which routing does not
// offer a nexthop.
//
// At the start the state file is read; whenever steering begins to use a nexthop or a group, the
// engine is told what was known of it. Every minute, and at the end, the engine is asked and the
// file written: on a thread of its own, for a slow disk must not hold up the control loop. What is
// not in use is kept for a week. A file that another hopwise keeps is neither read nor written.
// Trouble with the file is warned of once, and never fatal.
#pragma once

#include <boost/asio/io_context.hpp>
#include <boost/asio/thread_pool.hpp>
#include <functional>

#include "core/daemon/log.hpp"
#include "core/daemon/state_file.hpp"
#include "core/engine/engine.hpp"

namespace hopwise {

class Steering;

/// Whether the data plane's tables tell a group's shares from an earlier daemon.
enum class Shares : std::uint8_t { recalled, adopted };

class Memories {
 public:
  using Clock = std::function<TimePoint()>;

  /// `path` may be empty: nothing is read or written, and what is not in use is kept all the same.
  Memories(boost::asio::io_context& io, const std::string& path, engine::Engine& engine, Log& log,
           Clock clock);
  ~Memories();

  /// Reads the file, once, before routing is followed.
  void load();
  /// Tells the engine what was known of it.
  void recall(const Nexthop& nexthop);
  /// Before the group's first decision. With adopted shares the others count no more.
  void recall(const Group& group, const Steering& steering, Shares shares);

  /// Once a second: asks the engine and writes, where a minute has passed.
  void every_second(const Steering& steering);
  /// At the end: asks and writes at once, and waits for it.
  void save_now(const Steering& steering);

 private:
  template <class Memory>
  struct Kept {
    Memory memory;
    TimePoint at;  // age zero
  };
  void gather(const Steering& steering);
  [[nodiscard]] State state() const;
  void save_soon();
  void tell(const Result<>& saved);

  boost::asio::io_context& io_;
  std::optional<StateFile> file_;
  std::optional<FileClaim> claim_;  // of the file
  engine::Engine& engine_;
  Log& log_;
  Clock clock_;
  std::map<std::string, Kept<engine::NexthopMemory>> nexthops_;
  std::map<std::string, Kept<KeptGroup>> groups_;
  TimePoint saved_;
  bool saving_ = false;
  bool warned_ = false;
  boost::asio::thread_pool writer_{1};
};

}  // namespace hopwise
