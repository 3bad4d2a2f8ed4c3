// A router with the Internet's routes: four uplinks to one neighbour each, sixteen sets of them,
// and a daemon that follows.
//
//   lan0 -- router --wan0..wan3-- far        10.99.i.1 -- 10.99.i.2   fd00:99:i::1 -- fd00:99:i::2
//
// `far` answers pings; its link-layer addresses are known for good. Nobody forwards anything.
#pragma once

#include <array>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "core/dataplane/handle.hpp"
#include "test/bench/follow_tables.hpp"
#include "test/bench/kernel_routes.hpp"
#include "test/bench/parts.hpp"
#include "test/lab/namespace.hpp"
#include "test/lab/process.hpp"

namespace hopwise::bench {

/// How the kernel has multipath routes: in each route (BIRD; FRR without nexthop groups), or as
/// nexthop objects that many routes share (FRR).
enum class Form : std::uint8_t { multipath, objects };
const char* text(Form form);

/// How many routes of each family.
struct Size {
  std::size_t v4 = 0, v6 = 0;

  [[nodiscard]] std::size_t sum() const { return v4 + v6; }
};
/// 1M + 200k; `quick`: a tenth.
Size size_of(Effort effort);

class FollowRouter {
 public:
  static constexpr std::size_t kUplinks = 4;
  static constexpr std::size_t kSets = 16;

  explicit FollowRouter(Form form);

  [[nodiscard]] const lab::Namespace& router() const { return router_; }
  [[nodiscard]] const lab::Namespace& far() const { return far_; }
  [[nodiscard]] Form form() const { return form_; }
  [[nodiscard]] const std::filesystem::path& folder() const { return folder_; }
  [[nodiscard]] const std::string& pin_root() const { return pin_root_; }

  /// Set `i` modulo kSets of the prefix' family: two to three uplinks, by weights. Lives as long
  /// as the router.
  [[nodiscard]] const Ways& ways(const Prefix& prefix, std::size_t i) const {
    return ways_[prefix.address.is_v4() ? 0 : 1][i % kSets];
  }
  /// Gives the kernel its nexthop objects anew: a link that goes takes them along. Nothing for
  /// Form::multipath.
  void restore_objects() const;
  /// Writes route i of set i.
  void fill(const std::vector<Prefix>& prefixes) const;
  [[nodiscard]] NexthopKey nexthop(std::size_t uplink, Family family) const;

 private:
  void make_link(const std::string& near, const std::string& far, const std::string& addresses);
  void choose_ways();

  Form form_;
  std::string pin_root_;
  std::filesystem::path folder_;
  lab::LastWill unpin_;
  lab::Namespace far_, router_;
  std::array<std::array<Leg, 2>, kUplinks> legs_;  // by uplink and family
  std::array<std::array<Ways, kSets>, 2> ways_;    // by family
};

/// The 1.2M prefixes, IPv4 first.
std::vector<Prefix> follow_prefixes(const Size& size);

/// A `hopwise run` in the router.
class FollowDaemon {
 public:
  /// Starts it, and returns when it has said that it is ready (sd_notify). Throws its last words
  /// where it ends instead.
  explicit FollowDaemon(const FollowRouter& router);

  /// From its exec to that word.
  [[nodiscard]] double ready_s() const { return ready_s_; }
  [[nodiscard]] std::chrono::steady_clock::time_point started() const { return started_; }
  [[nodiscard]] FollowTables tables() const;
  /// Anonymous memory, now: what is not mapped from a file or a BPF map.
  [[nodiscard]] double memory_mib() const;
  /// CPU time that it has used so far.
  [[nodiscard]] double cpu_s() const;

  /// Of its netlink sockets, by /proc/net/netlink.
  struct Sockets {
    std::uint64_t backlog_bytes = 0;  // waiting to be read, of the fullest
    std::uint64_t drops = 0;          // messages that found no room, ever
    bool dumping = false;             // a dump is under way
  };
  [[nodiscard]] Sockets sockets() const;
  /// How many lines of its log have this in them.
  [[nodiscard]] std::size_t logged(const std::string& text) const;

 private:
  static lab::Process start(const FollowRouter& router, const std::string& notify);

  std::filesystem::path notify_path_;
  dataplane::Handle notify_;
  std::string pin_root_;
  std::chrono::steady_clock::time_point started_;
  lab::Process process_;
  double ready_s_ = 0;
};

}  // namespace hopwise::bench
