// The staging device: a veth pair that leads nowhere, with hw_stage (bpf/stage.bpf.c) at its
// egress. What is routed to it with a nexthop's mark leaves by that interface and gateway; what has
// another mark ends there.
//
// The program hangs on a device of its own, never on a real one: there a neighbour that is not
// resolved yet sends the packet by the kernel's own route. A veth, because every kernel that runs
// containers has it; a dummy device would do as well and needs no peer, but is missing from more of
// them. It answers no ARP, has no address, its peer forwards nothing, and the two Ethernet
// addresses differ: should somebody take the program off, packets end in the peer.
//
// Nothing is pinned. The device outlives a daemon that is killed, without its program where TCX is
// there; the next one, or `hopwise detach`, removes it. Not thread-safe: one thread owns it.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "core/dataplane/dataplane.hpp"
#include "core/dataplane/handle.hpp"
#include "core/netlink/socket.hpp"

struct stage_bpf;

namespace hopwise::dataplane {

inline constexpr const char* kStageDevice = "hwprobe0";
inline constexpr const char* kStagePeer = "hwprobe1";

class Stage {
 public:
  struct Options {
    std::uint32_t mark_base = 0x68770000;  // a nexthop's mark: this and its id
    HookChoice hook = HookChoice::automatic;
  };

  /// Loads and makes nothing yet; removes the device that a dead daemon left.
  explicit Stage(const Options& options);
  Stage(const Stage&) = delete;
  Stage& operator=(const Stage&) = delete;
  ~Stage();  // removes the device

  /// Makes the device, or makes it anew where it is not whole any more: gone, down, or without the
  /// program. Nexthops that are set stay set. Returns its ifindex.
  Result<std::uint32_t> raise();
  /// Removes it.
  void lower();

  /// From now on packets with the nexthop's mark leave by it. After raise() only.
  Result<> set(NexthopId id, const NexthopKey& key);
  void remove(NexthopId id);

  /// Packets by what became of them, by the names in bpf/abi.h (HW_STAGE_COUNTS).
  [[nodiscard]] std::map<std::string, std::uint64_t> counters() const;
  /// The loaded program, for tests; -1 before raise().
  [[nodiscard]] int program_fd() const;

 private:
  struct Destroy {
    void operator()(stage_bpf* object) const;
  };
  Result<> load();
  Result<> make();
  Result<> hang();
  [[nodiscard]] bool is_whole() const;

  Options options_;
  std::unique_ptr<stage_bpf, Destroy> object_;
  std::uint32_t ifindex_ = 0;  // 0: there is none
  Handle link_;                // of TCX; clsact has none
};

/// Removes the staging device that a dead daemon left in this network namespace; true when there
/// was one.
Result<bool> remove_stage();

}  // namespace hopwise::dataplane
