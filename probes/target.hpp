// What is to be probed, as the daemon tells it: plain data.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "core/model/anchor.hpp"
#include "core/model/path.hpp"

namespace hopwise::probes {

/// An anchor, and what its kind of probe needs to know beside the address.
struct AnchorSpec {
  Anchor anchor;
  std::string stamp_key;  // HMAC key, raw; empty: unauthenticated
  std::string http_host;  // of the request and of TLS; empty: the address
  std::string http_path = "/";
  bool verify_certificate = true;  // https

  AnchorSpec() = default;
  AnchorSpec(Anchor a) : anchor(a) {}            // NOLINT(google-explicit-constructor)
  AnchorSpec(const IpAddress& a) : anchor(a) {}  // NOLINT(google-explicit-constructor)
  bool operator==(const AnchorSpec&) const = default;
};

struct Target {
  Nexthop nexthop;
  std::vector<AnchorSpec> anchors;  // of either family; empty: nothing is probed
};

/// What the kernel says of the way to the gateway.
struct Readiness {
  bool ready = false;  // link up and neighbour resolved
  /// The gateway's, where the interface is Ethernet: what proves that a probe left for it.
  std::optional<EthernetAddress> gateway{};

  bool operator==(const Readiness&) const = default;
};

}  // namespace hopwise::probes
