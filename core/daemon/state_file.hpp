// What hopwise has learnt slowly, in a file that outlives the process and the machine's uptime.
//
// One JSON document, {"hopwise_state":1,"sha256":"...","body":{...}}, where the checksum is of the
// body's bytes: a body that is not exactly what was written is not read. Written beside itself,
// synced and renamed, so that a crash leaves the old one or the new one. Nexthops go by interface
// and gateway, groups by the sorted set of those: ids mean nothing after a restart. Ages go by the
// wall clock; one that jumped back makes nothing younger.
// Two that kept what they learnt in one file would each read the other's, for names like eth1 are
// of a network namespace: FILE.lock says whose it is. Promises: nothing that a file may hold ends
// the process or comes through as a number that is not finite, negative or absurd; such a file is
// set aside and named in a warning.
#pragma once

#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>

#include "core/engine/memory.hpp"
#include "core/model/path.hpp"
#include "core/model/result.hpp"
#include "core/model/time.hpp"

namespace hopwise {

/// Something remembered, and how long ago: what has an age in it is to be let_pass() by that.
template <class Memory>
struct Remembered {
  Memory memory;
  Duration age{};
};

/// A group's memory; its shares are here, by the nexthops' keys.
struct KeptGroup {
  engine::GroupMemory memory;
  std::map<std::string, double> shares;
};

struct State {
  std::map<std::string, Remembered<engine::NexthopMemory>> nexthops;
  std::map<std::string, Remembered<KeptGroup>> groups;
};

inline constexpr Duration kForgetAfter = std::chrono::hours(24 * 7);

/// "eth1 198.51.100.1".
std::string state_key(const Nexthop& nexthop);
/// Of the nexthops' keys, in any order, and of what else tells groups of the same nexthops apart.
std::string state_key(std::span<const std::string> nexthops, std::string_view variant);

/// The memory as it is after `time` more: ages grow, and a revert runs on.
void let_pass(engine::NexthopMemory& memory, Duration time);
void let_pass(engine::GroupMemory& memory, Duration time);

/// The file's text. What is not finite is left out.
std::string encode(const State& state, WallTime now);
/// Ages are as of `now`; what is over a week old is left out. The error names the cause alone.
Result<State> decode(std::string_view text, WallTime now);

/// A lock that ends with it, or with the process.
class FileClaim {
 public:
  explicit FileClaim(int fd) : fd_(fd) {}
  FileClaim(FileClaim&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  FileClaim& operator=(FileClaim&& other) noexcept {
    std::swap(fd_, other.fd_);
    return *this;
  }
  ~FileClaim();

 private:
  int fd_;
};

class StateFile {
 public:
  explicit StateFile(std::string path) : path_(std::move(path)) {}

  struct Loaded {
    State state;                         // empty where there was none, or none that could be read
    std::optional<std::string> trouble;  // why, and what became of the file
    bool usable = true;                  // false: the path leads to what must not be replaced
  };
  /// Takes the file for this process alone; waits a second for one that is dying. Empty where there
  /// can be no lock (a folder that cannot be written): nothing will be written there either. The
  /// error: it is another's.
  [[nodiscard]] Result<std::optional<FileClaim>> claim() const;
  /// What is corrupt, of another version, absurd, over 64 MB or over a week old is renamed to
  /// FILE.bad-TIME, of which the newest three stay. What is no regular file is left alone.
  [[nodiscard]] Loaded load(WallTime now) const;
  /// Makes the folder where it is missing.
  [[nodiscard]] Result<> save(const State& state, WallTime now) const;

  [[nodiscard]] const std::string& path() const { return path_; }

 private:
  [[nodiscard]] std::string set_aside(WallTime now) const;

  std::string path_;
};

}  // namespace hopwise
