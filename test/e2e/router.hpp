// A lab with hopwise running in its router, and the questions that end-to-end tests ask of it.
#pragma once

#include <memory>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <vector>

#include "test/lab/lab.hpp"
#include "test/lab/packet_stream.hpp"
#include "test/lab/process.hpp"

namespace hopwise::e2e {

using Json = nlohmann::json;
using namespace std::chrono_literals;

/// Two upstreams, FRR and BIRD, 10 ms and 15 ms away, unless told otherwise.
lab::Topology two_upstreams();

/// Names the nexthops after the upstreams, with the anchors behind their emulated links.
Json config_with_anchors(const lab::Lab& lab);

class Router {
 public:
  /// Opens the lab; starts hopwise with `config` made from it, or without any file.
  explicit Router(const lab::Topology& topology);

  lab::Lab& lab() { return *lab_; }
  [[nodiscard]] const lab::Lab& lab() const { return *lab_; }

  /// Starts the daemon and waits until /readyz says so.
  void start(const std::optional<Json>& config);
  void wait_ready();
  lab::Process& daemon() { return *daemon_; }

  [[nodiscard]] Json status() const;
  [[nodiscard]] Json explain(const std::string& query) const;
  /// Runs `hopwise ARGUMENTS` in the router: its exit status and all it printed.
  struct Ran {
    int status;
    std::string output;
  };
  Ran hopwise(std::vector<std::string> arguments);
  /// Overwrites the daemon's configuration file.
  void write_config(const std::string& text);

  /// The id in status() of upstream i's nexthop of this family.
  [[nodiscard]] Json nexthop(std::size_t upstream, Family family) const;
  /// Upstream i's share of the movable traffic in the group of this family.
  [[nodiscard]] double weight(std::size_t upstream, Family family) const;
  /// Datagrams for `service` that upstream i's link has delivered to the server.
  [[nodiscard]] std::uint64_t delivered(std::size_t upstream, std::uint16_t service) const;
  [[nodiscard]] std::uint64_t packets(const std::string& reason) const;

  std::unique_ptr<lab::PacketStream> stream(Family family, int packets_per_s = 1000);

 private:
  [[nodiscard]] bool is_gateway(const Json& nexthop, std::size_t upstream, Family family) const;
  std::unique_ptr<lab::Lab> lab_;
  std::optional<lab::Process> daemon_;
};

}  // namespace hopwise::e2e
