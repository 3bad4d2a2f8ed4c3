// A router with a routing daemon and two upstreams, for the listener to listen to:
//
//   u2 (BIRD, AS 65002) --- w2 dut w3 --- (BIRD, AS 65003) u3
//                              daemon, AS 65000 -- iBGP, add-path --> hopwise
//
// Both upstreams tell 198.51.100.0/24 over IPv4, 2001:db8:100::/48 over IPv6, and 192.0.2.0/24 with
// an IPv6 next hop (RFC 8950); u3 prepends, so that its paths are never the best. The daemons'
// configurations are those of core/bgp/README.md.
#pragma once

#include <filesystem>
#include <vector>

#include "core/bgp/options.hpp"
#include "test/lab/namespace.hpp"
#include "test/lab/process.hpp"

namespace hopwise::bgp::test {

enum class Kind { frr, bird, gobgp };

class Router {
 public:
  /// Throws what cannot be had.
  explicit Router(Kind kind);
  Router(const Router&) = delete;
  Router& operator=(const Router&) = delete;
  ~Router();

  [[nodiscard]] const lab::Namespace& dut() const { return dut_; }
  /// What hopwise is to be told of this daemon.
  [[nodiscard]] Options options() const;
  /// u3 takes 198.51.100.0/24 back.
  void withdraw();
  /// SIGKILL to the daemon that speaks BGP.
  void kill_daemon() { daemons_.back().kill(9); }
  [[nodiscard]] std::string logs() const;

 private:
  void write(const std::string& name, const std::string& text) const;
  void start(const lab::Namespace& where, const std::string& name,
             const std::vector<std::string>& argv, std::vector<lab::Process>& into);
  void start_upstream(const lab::Namespace& where, int number);
  void start_frr();

  Kind kind_;
  std::filesystem::path folder_;
  lab::Namespace dut_, u2_, u3_;
  std::vector<lab::Process> upstreams_, daemons_;
};

}  // namespace hopwise::bgp::test
