// What the kernel would have done to a packet that a redirect on TC ingress skips.
//
// Redirected packets pass no netfilter hook, no policy routing, no IPsec policy and no reverse-path
// filter: rules would be walked around, NAT would not happen, plaintext would leave. Where there is
// any of these, hopwise does not steer unless the operator says that it may.
#pragma once

#include <boost/asio/io_context.hpp>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "core/model/result.hpp"

namespace hopwise {

/// Each in the operator's words, in an order that does not change:
///  - netfilter's base chains on the way of a forwarded packet that have rules or drop by policy:
///    "nftables inet filter forward", and tables of the older iptables: "iptables nat";
///  - policy rules but the three default ones and the probes' own: "ip rule 100", "ip -6 rule
///  1000";
///  - IPsec policies: "ip xfrm policy";
///  - strict reverse-path filtering on one of `interfaces`: "rp_filter eth0".
Result<std::vector<std::string>> skipped_policy(const std::vector<std::string>& interfaces);

/// Says when rules may have changed, so that nobody has to ask again and again.
class PolicyWatch {
 public:
  /// `changed` is called on `io`, once for a burst of changes.
  PolicyWatch(boost::asio::io_context& io, std::function<void()> changed);
  ~PolicyWatch();

 private:
  struct Impl;
  std::shared_ptr<Impl> impl_;
};

}  // namespace hopwise
