// HTTP and HTTPS anchors: a GET at each interval, by exactly its nexthop, and how long the path
// took to connect and the server to answer, apart.
//
// Each probe is a connection of its own, its socket marked for the nexthop. The path is judged by
// the SYN alone: SYN-ACK and RST both answer, and what goes wrong after it (TLS, a status of 4xx or
// 5xx, no HTTP, no first byte in time) is told in last_error and loses nothing. The round trip is
// the kernel's own figure of SYN to SYN-ACK (TCP_INFO), so neither a stalled loop nor a slow server
// is in it; where it has none, as of a RST, it is the time until the loop saw the answer (source
// user).
//
// Each SYN is one packet that is counted: where the kernel had to send it again the one before is a
// loss, known at the time of the next, and the round trip of the one that was answered has no RTO
// in it (connect_verdict.hpp). So sent, received and lost count SYNs.
//
// Nothing blocks; at most one connection of a prober is open, never beyond http_timeout; of what
// the server says 16 KiB are read at most. Runs on one io_context; call it from there only, and not
// from within its hooks.
#pragma once

#include <boost/asio/io_context.hpp>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "core/model/path.hpp"
#include "core/model/result.hpp"
#include "core/model/sample.hpp"
#include "core/model/status.hpp"
#include "probes/http/marked_connect.hpp"
#include "probes/options.hpp"
#include "probes/target.hpp"

namespace hopwise::probes {

class HttpProber {
 public:
  struct Hooks {
    /// What became known; never empty.
    std::function<void(std::span<const Sample>)> samples;
    /// Asked before each probe. An error: the mark does not lead by the nexthop now, and the probe
    /// is unsent.
    std::function<Result<Departure>(NexthopId, const IpAddress& destination)> depart;
  };

  HttpProber(boost::asio::io_context& io, const Options& options, Hooks hooks);
  HttpProber(const HttpProber&) = delete;
  HttpProber& operator=(const HttpProber&) = delete;
  ~HttpProber();  // closes all connections

  /// Starts probing the target's anchors of kind http and https, and stops its others; those that
  /// stay keep what they know. Anchors of other kinds are left out. Nothing is sent before
  /// set_ready().
  void set_target(const Target& target);
  void remove_target(NexthopId id);
  /// Not ready: nothing is sent. Probes that are out become void, also when the gateway's
  /// link-layer address changes.
  void set_ready(NexthopId id, const Readiness& readiness);
  /// All probes that are out yield no samples: they may have left by another path.
  void void_outstanding(Void why, const std::string& trouble);
  void reconfigure(const Options& options);

  [[nodiscard]] std::vector<ProbeStatus> status() const;
  /// Probes a second that all of them send.
  [[nodiscard]] double rate() const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace hopwise::probes
