// What an open lab consists of, for build.cpp (which makes it) and lab.cpp (which lends it out).
#pragma once

#include <filesystem>
#include <map>
#include <memory>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "test/lab/lab.hpp"
#include "test/lab/last_will.hpp"
#include "test/lab/plan.hpp"
#include "test/lab/speaker.hpp"

namespace hopwise::lab {

struct Lab::Impl {
  explicit Impl(const Topology& t);
  ~Impl();

  void link_wan(std::size_t i);
  void add_second_site();
  void link_core(std::size_t i);
  Result<LinkId> add_line(std::size_t i, const Prefix& prefix);
  void set_up_server();
  void start_routing();
  void know_onlink_neighbour(std::size_t i) const;
  Result<> fix_routes() const;  // where no daemon does
  Result<> set_up_wan(std::size_t i) const;
  Result<> set_wan_addresses(std::size_t i) const;
  [[nodiscard]] std::set<int> groups(const std::string& device) const;
  [[nodiscard]] Plan plan(std::size_t i) const { return {i, topology.wan}; }

  struct Offer {
    std::size_t upstream;
    IpAddress gateway;
  };
  [[nodiscard]] std::vector<Offer> offers(Family family) const;
  [[nodiscard]] std::optional<Offer> offer(const nlohmann::json& hop) const;
  [[nodiscard]] std::vector<nlohmann::json> object_hops(int id) const;

  Topology topology;
  std::filesystem::path folder;
  LastWill folder_removal;
  Namespace client;
  Namespace router;
  Namespace server;
  struct SecondSite {
    Namespace client;
    Namespace router;
  };
  std::optional<SecondSite> second;
  std::optional<Namespace> exchange;  // the bridge of a shared WAN
  std::vector<Namespace> upstreams;
  std::unique_ptr<Relay> relay;
  std::vector<LinkId> core;
  std::optional<Speaker> router_speaker;
  std::vector<Speaker> speakers;
  std::set<std::size_t> announced;                          // without daemons
  std::map<std::size_t, std::set<int>> groups_before_down;  // by upstream
};

}  // namespace hopwise::lab
