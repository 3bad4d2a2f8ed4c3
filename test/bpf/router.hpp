// A router under test: a private network namespace, a data plane in it, and its programs to run on
// packets. Loopback stands for every interface; no packet leaves.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <ostream>
#include <string>
#include <utility>
#include <vector>

#include "bpf/abi.h"
#include "core/dataplane/dataplane.hpp"
#include "core/dataplane/handle.hpp"
#include "test/bpf/packet.hpp"

namespace hopwise {
/// Lets REQUIRE(result) print what went wrong.
inline std::ostream& operator<<(std::ostream& out, const Error& error) {
  return out << error.message;
}
}  // namespace hopwise

namespace hopwise::test {

/// The key of the flow that a packet of the direction LAN -> WAN belongs to.
hw_flow_key key_of(const PacketSpec& spec);

constexpr int kPassed = -1;   // TC_ACT_UNSPEC: untouched, to whoever comes next
constexpr int kRedirect = 7;  // TC_ACT_REDIRECT

/// The calling thread is in a network namespace of its own until this ends.
class PrivateNamespace {
 public:
  PrivateNamespace();
  ~PrivateNamespace();
  PrivateNamespace(const PrivateNamespace&) = delete;
  PrivateNamespace& operator=(const PrivateNamespace&) = delete;

  /// Runs `command` by the shell in it; fails the test when that fails.
  static void run(const std::string& command);

 private:
  int outside_;
};

/// What the kernel knows of a packet beside its bytes.
struct Skb {
  std::uint32_t mark = 0;
  std::uint32_t ifindex = 1;          // where it is: loopback
  std::uint32_t ingress_ifindex = 0;  // where it came in; 0: made here
  std::uint32_t gso_size = 0;         // of an aggregate: data in each packet
  std::uint32_t gso_segs = 0;
};

/// What happened to a packet.
struct Outcome {
  int verdict = -1;
  std::string reason;  // the one whose counter went up; empty when none or several did
  Bytes bytes;         // as they are afterwards
  std::uint32_t mark = 0;
};

class Router {
 public:
  explicit Router(dataplane::Options options = {});
  ~Router();
  Router(const Router&) = delete;
  Router& operator=(const Router&) = delete;

  dataplane::Dataplane& dataplane() { return *dataplane_; }
  /// Ends the daemon and starts the next one on what the first has left pinned.
  void restart();
  /// The same with other options.
  void restart_with(const std::function<void(dataplane::Options&)>& change) {
    change(options_);
    restart();
  }
  [[nodiscard]] hw_router lease() const;
  /// Set from the start, so that the tests' flows fall into the same buckets in every run.
  void set_hash_seed(std::uint32_t seed);
  void crash() { dataplane_.reset(); }

  /// A usable nexthop on loopback.
  void nexthop(std::uint32_t id, const std::string& gateway);
  /// Path ids are group * 16 + position, from 1.
  Group group(std::uint32_t id,
              const std::vector<std::pair<std::uint32_t, std::uint32_t>>& nexthops_and_weights);
  void route(const std::string& prefix, std::uint32_t group);
  /// Two nexthops of each family, group 1 (IPv4) and 2 (IPv6) of equal weights, default routes.
  void two_upstreams();
  /// Weights and usable paths of a group, as a decision would set them.
  void publish(const Group& group, const std::vector<double>& weights,
               const std::vector<bool>& usable);

  Outcome steer(const Bytes& packet, const Skb& skb = {});
  Outcome local(const Bytes& packet, const Skb& skb = {});
  int observe(const Bytes& packet, const Skb& skb = {});
  /// The entry of the flow that this packet of the direction LAN -> WAN belongs to.
  [[nodiscard]] std::optional<hw_flow> flow(const PacketSpec& spec) const;
  [[nodiscard]] std::optional<hw_flow> embryo(const PacketSpec& spec) const;
  /// Overwrites an entry, in the table where it is: to have it older, or otherwise different.
  void set_flow(const PacketSpec& spec, const hw_flow& flow);
  /// Lets `change` see and alter a path's entry, behind the data plane's back.
  void change_path(std::uint32_t id, const std::function<void(hw_path&)>& change);
  [[nodiscard]] int steer_fd() const;
  [[nodiscard]] int local_fd() const;
  [[nodiscard]] int observe_fd() const;
  /// Of a map by its name, as in bpf/maps.h.
  [[nodiscard]] int map_fd(const std::string& name) const;
  [[nodiscard]] std::uint64_t event(const std::string& name) const {
    return dataplane_->counters().events.at(name);
  }
  /// The nexthop that a packet takes; 0 for the kernel. Told by the path whose counter went up.
  std::uint32_t nexthop_of(const PacketSpec& spec);

  [[nodiscard]] const std::string& pin_root() const { return options_.pin_root; }
  static TimePoint now() { return std::chrono::steady_clock::now(); }

 private:
  void find_programs();
  Outcome run_counted(int program, const Bytes& packet, const Skb& skb);

  PrivateNamespace namespace_;
  dataplane::Options options_;
  std::unique_ptr<dataplane::Dataplane> dataplane_;
  std::string folder_;                                    // of its pins
  mutable std::map<std::string, dataplane::Handle> fds_;  // of programs and maps
  std::vector<Group> groups_;
};

}  // namespace hopwise::test
