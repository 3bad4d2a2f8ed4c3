// Where routing daemons listen, and which of them routes for this network namespace.
//
// A unix socket knows no network namespace: a zebra of another one answers just as well. Whose it
// is tells SO_PEERCRED of its listener and /proc/PID/ns/net.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "core/model/speaker.hpp"
#include "core/speaker/pulse.hpp"

namespace hopwise::speaker {

/// FRR's folder of sockets, or BIRD's socket.
struct Place {
  SpeakerKind kind = SpeakerKind::none;
  std::string path{};
};

/// Where to look: FRR's folder and those in it (`-N NAME`), BIRD's sockets. Empty: not there.
struct Roots {
  std::string frr = "/var/run/frr";
  std::vector<std::string> bird{"/run/bird/bird.ctl", "/run/bird.ctl",
                                "/usr/local/var/run/bird.ctl"};
};

/// The daemon whose socket is there and whose process is in the calling thread's network namespace;
/// FRR first. Does not wait.
std::optional<Place> find_speaker(const Roots& roots);

/// The process that listens where this connection leads.
Peer peer_of(int socket);

/// Empty where it cannot be told.
std::optional<bool> in_our_network_namespace(int pid);

}  // namespace hopwise::speaker
