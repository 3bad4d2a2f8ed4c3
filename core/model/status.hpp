// A snapshot of everything that hopwise would tell of itself: one source for the status API, the
// metrics and the command line. Plain data, built by the daemon.
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/model/anchor.hpp"
#include "core/model/bandwidth.hpp"
#include "core/model/bgp.hpp"
#include "core/model/bmp.hpp"
#include "core/model/candidates.hpp"
#include "core/model/decision.hpp"
#include "core/model/estimate.hpp"
#include "core/model/event.hpp"
#include "core/model/flow.hpp"
#include "core/model/law.hpp"
#include "core/model/passive.hpp"
#include "core/model/path.hpp"
#include "core/model/speaker.hpp"
#include "core/model/traffic.hpp"

namespace hopwise {

/// The data path's totals. `packets_by_reason` is keyed by the names in bpf/abi.h: "steered" and
/// every reason for which a packet was left to the kernel.
struct DataplaneCounters {
  std::map<std::string, std::uint64_t> packets_by_reason;
  std::map<std::string, std::uint64_t> events;  // by the names in bpf/abi.h
  std::map<PathId, PathTraffic> paths;
  std::map<GroupId, PathTraffic> control;  // flows of the control group: routed by the kernel
};

/// Why nothing may be concluded from a probe that was sent.
enum class Void : std::uint8_t {
  not_left,   // the interface never confirmed it: lost in this host
  strayed,    // it left by another interface or to another gateway
  overflow,   // this host dropped replies that may have been its own
  neighbour,  // link, neighbour or its address changed meanwhile
  rules,      // another program removed the rules that bind probes
};
inline constexpr std::size_t kVoids = 5;
std::string_view text(Void why);

enum class ProbeState : std::uint8_t {
  waiting,     // for the link and the gateway's link-layer address: probes go out, nothing counts
  probing,     // at the usual pace
  suspicious,  // at the faster one
  unbound,     // probes cannot be bound to the nexthop, or cannot be sent: see last_error
};
std::string_view text(ProbeState state);

/// One of the K pinned flows of a prober.
struct ProbeFlow {
  std::uint64_t sent = 0;
  std::uint64_t lost = 0;
  std::optional<Duration> rtt{};  // smoothed
};

/// What a stateful STAMP reflector's own count tells.
struct DirectionalLoss {
  std::uint64_t forward = 0;
  std::uint64_t backward = 0;
};

/// One prober: a nexthop and one anchor behind it. Counters are of probes since it was made.
struct ProbeStatus {
  NexthopId nexthop{};
  Anchor anchor;
  ProbeState state = ProbeState::waiting;
  double rate = 0;             // probes a second that are meant now: what the budget left of it
  std::uint64_t sent = 0;      // those that may yield a sample
  std::uint64_t received = 0;  // in time
  std::uint64_t lost = 0;      // provisionally; those that came late are counted in `late` as well
  std::uint64_t late = 0;
  std::uint64_t duplicate = 0;
  std::uint64_t unsent = 0;   // the host could not send: says nothing of the path
  std::uint64_t forged = 0;   // replies that named this prober, and were not to a probe of its
  std::uint64_t refused = 0;  // ICMP errors about its probes
  std::uint64_t proved = 0;   // probes that are known to have left by the nexthop itself
  std::array<std::uint64_t, kVoids> voids{};  // by Void
  std::uint64_t kernel_stamped = 0;  // of the replies, late ones too: measured by the kernel
  std::optional<Duration> rtt{};     // smoothed
  std::vector<ProbeFlow> flows{};    // empty for HTTP
  std::optional<DirectionalLoss> directional{};
  std::optional<Duration> forward{}, backward{};  // newest one-way delays
  std::optional<Duration> first_byte{};           // newest, HTTP
  std::optional<std::string> last_error;
  bool blamed = false;  // by the engine: the anchor fails through every nexthop, and is not counted

  /// How much slower the slowest pinned flow is than the fastest.
  [[nodiscard]] std::optional<Duration> spread() const;
};

/// All probers together.
struct ProberTotals {
  std::uint64_t stalls = 0;           // times that this host did not run the prober when it should
  std::uint64_t overflows = 0;        // times that the kernel dropped replies: no room
  std::uint64_t unknown_replies = 0;  // to no probe of any prober: forged, or very late
  double wanted_rate = 0;             // probes a second that all would send, HTTP too ...
  double rate = 0;                    // ... and do, under the budget
  bool staged = false;                // bound by the staging device, not by a rule each
  double budget = 0;                  // probes a second that they may send; HTTP is outside of it
  /// What the staging device made of packets, by the names in bpf/abi.h: "sent", "unknown",
  /// "too_big". Empty where there can be none.
  std::map<std::string, std::uint64_t> staged_packets{};
};

struct NexthopStatus {
  Nexthop nexthop;
  bool link_up = false;
  bool neighbour_resolved = false;
  bool bfd_down = false;  // by the routing daemon's BFD
  PathState state = PathState::probation;
  Estimate estimate;
  std::vector<ProbeStatus> probes;
  std::vector<Bandwidth> bandwidth{};
  /// Packet trains by what came of them: "measured", "lost", "reordered", "undispersed", "unsent".
  std::map<std::string, std::uint64_t> trains{};
  std::optional<Duration> shift{};  // delay is lastingly this far above its usual
  std::optional<Load> load{};
  std::optional<CarrierView> carrier{};              // as the law sees it
  std::optional<EthernetAddress> gateway_address{};  // while its neighbour is resolved
  std::optional<TimePoint> state_since{};            // empty: not looked at yet
};

struct PathStatus {
  Path path;
  double weight = 0;          // share of the movable traffic, 0..1
  std::uint32_t buckets = 0;  // installed, of kBuckets
  bool usable = false;
  double cost = 0;
  PathTraffic traffic;
  std::optional<PassiveRtt> passive{};  // of its own traffic; empty: nothing was measured lately
  PassiveTotal passive_total{};
};

struct GroupStatus {
  GroupId id{};
  std::size_t routes = 0;  // or, of a class' group, the groups whose traffic it carries
  std::string affinity{};  // "flow", "flowlet" or "bucket"
  std::vector<PathStatus> paths;
  std::optional<PathTraffic> control_traffic{};  // empty: no control group
  std::optional<PassiveRtt> control_passive{};
  PassiveTotal control_total{};
  std::optional<std::string> name{};           // of the configuration's entry that rules it
  std::optional<std::string> traffic_class{};  // of a class of traffic: its name
  std::optional<std::string> destination{};    // of one destination alone: its prefix
  std::optional<std::string> objectives{};     // in words: "max_latency 80ms"
  std::optional<GroupLawView> law{};
};

/// Destinations with a group of their own. Totals are since the start.
struct DestinationsStatus {
  std::size_t promoted = 0;
  std::uint64_t promotions = 0;
  std::uint64_t demotions = 0;  // for want of traffic or room, ...
  std::uint64_t ended = 0;      // ... or because routing changed
  std::uint64_t flows = 0;      // read at the last look
  double untracked_share = 0;   // of the bytes: it is not known to which destination they went
};

struct InterfaceStatus {
  std::string name;
  std::string role;    // "lan", "wan", "lan_return" or "local": dataplane::Role
  std::string attach;  // "tcx" or "clsact"
};

struct Status {
  std::string version;
  double uptime_s = 0;
  bool ready = false;
  std::string not_ready_because;  // empty when ready
  bool steering = true;           // false in observe-only mode
  std::string actuator;           // "redirect" or "mark"
  std::string actuator_because;   // why that one
  double lease_remaining_s = 0;
  std::vector<InterfaceStatus> interfaces;
  std::vector<NexthopStatus> nexthops;
  ProberTotals probing{};
  std::vector<GroupStatus> groups;
  std::optional<DestinationsStatus> destinations{};  // empty: switched off
  std::optional<BgpStatus> bgp{};                    // empty: no listener
  std::optional<BmpStatus> bmp{};                    // empty: no receiver
  std::optional<CandidatesStatus> candidates{};      // empty: the configuration has none
  std::size_t routes_steered = 0;
  std::size_t routes_kernel = 0;  // known, but with fewer than two nexthops
  std::map<std::string, std::uint64_t> packets_by_reason;
  std::map<std::string, std::uint64_t> dataplane_events;
  std::map<Reason, std::uint64_t> decisions_by_reason;
  std::vector<Decision> recent_decisions;  // newest last, bounded
  std::uint64_t reloads = 0;
  std::uint64_t reload_failures = 0;
  HistoryStatus history{};
  SpeakerStatus speaker{};
};

/// The answer to "where does this flow go, and why".
struct Explanation {
  FlowPlacement placement;
  std::vector<NexthopStatus> nexthops;    // those of the group, in its order
  std::vector<PathStatus> paths;          // the same
  std::optional<Decision> last_decision;  // the group's newest
  std::string summary;                    // one sentence
  std::string traffic_class{};            // by name; empty: no rule puts the flow into one
};

}  // namespace hopwise
