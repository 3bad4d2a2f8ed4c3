// `hopwise verify`'s reading of a real data plane's pinned maps, each kind of fault injected behind
// its back. What should be is said by the test itself.
#include <bpf/bpf.h>
#include <unistd.h>

#include "core/dataplane/verification.hpp"
#include "test/bpf/interfaces.hpp"
#include "test/catch.hpp"

using namespace hopwise;
using namespace hopwise::test;
using dataplane::Expectation;
using dataplane::Fault;

namespace {

NexthopKey on_loopback(const std::string& gateway) {
  return {1, *IpAddress::parse(gateway)};
}

/// Router::two_upstreams(): a default route of each family over two nexthops.
class Verified {
 public:
  Verified() { router_.two_upstreams(); }

  std::string faults() {
    Expectation expectation;
    expectation.sets.push_back({{on_loopback("192.0.2.1"), 1}, {on_loopback("192.0.2.2"), 1}});
    expectation.sets.push_back(
        {{on_loopback("2001:db8:2::1"), 1}, {on_loopback("2001:db8:2::2"), 1}});
    expectation.add(*Prefix::parse("0.0.0.0/0"), 1);
    expectation.add(*Prefix::parse("::/0"), 2);
    for (const auto& [prefix, set] : more_) expectation.add(prefix, set);
    expectation.gateway = [](const NexthopKey&) {
      return dataplane::GatewayState{.interface_known = true,
                                     .interface = "lo",
                                     .link_up = true,
                                     .neighbour_resolved = true,
                                     .on_link = true};
    };
    expectation.programs = [this](const dataplane::Uplinks&) { return programs_; };
    auto found = dataplane::verify(router_.pin_root(), expectation, Router::now());
    REQUIRE(found.has_value());
    std::string text;
    for (const auto& d : found->differences.kept())
      text += (text.empty() ? "" : "; ") + std::string(name(d.fault)) + ' ' + d.subject;
    return text;
  }

  template <class Entry, class Change>
  void spoil(const std::string& map, std::uint32_t index, const Change& change) {
    Entry entry{};
    const int fd = router_.map_fd(map);
    REQUIRE(bpf_map_lookup_elem(fd, &index, &entry) == 0);
    change(entry);
    REQUIRE(bpf_map_update_elem(fd, &index, &entry, BPF_ANY) == 0);
  }

  Router router_;
  std::vector<std::pair<Prefix, std::uint32_t>> more_;
  std::vector<dataplane::ExpectedProgram> programs_;
};

}  // namespace

TEST_CASE("a data plane as it was told is equal, with a daemon and without", "[bpf][verify]") {
  Verified verified;
  CHECK(verified.faults().empty());
  verified.router_.route("203.0.113.0/24", 0);
  verified.more_.emplace_back(*Prefix::parse("203.0.113.0/24"), 0);
  CHECK(verified.faults().empty());
  verified.router_.crash();
  CHECK(verified.faults().empty());
}

TEST_CASE("what is changed behind the data plane's back is found", "[bpf][verify]") {
  Verified verified;
  SECTION("a slot of the first stage") {
    verified.spoil<hw_slots4>("hw_routes4", 0xcb0071 / 4,
                              [](hw_slots4& slots) { slots.slot[1] = 2; });
    CHECK(verified.faults() == "other_nexthops 0.0.0.0/0");
  }
  SECTION("a slot of IPv6") {
    verified.spoil<hw_slots6>("hw_routes6", 0x20010 / 2,
                              [](hw_slots6& slots) { slots.slot[0] = HW_ROUTE_KERNEL; });
    CHECK(verified.faults() == "not_steered ::/0");
  }
  SECTION("a default route") {
    verified.spoil<hw_router>("hw_router", 0, [](hw_router& router) { router.default4 = 99; });
    CHECK(verified.faults() == "dangling_route 0.0.0.0/0");
  }
  SECTION("a bucket") {
    verified.spoil<hw_bucket>("hw_buckets", HW_BUCKETS + 3,
                              [](hw_bucket& bucket) { bucket.path = 4000; });
    CHECK(verified.faults() == "stray_bucket group 1");
  }
  SECTION("a path's nexthop") {
    verified.router_.change_path(17, [](hw_path& path) { path.nexthop = 3; });
    CHECK_THAT(verified.faults(), Catch::Contains("other_nexthops 0.0.0.0/0"));
  }
  SECTION("a nexthop's flags") {
    verified.spoil<hw_nexthop>("hw_nexthops", 2, [](hw_nexthop& n) { n.flags = 0; });
    CHECK(verified.faults() ==
          "dead_bucket group 1 by 192.0.2.2@lo; unusable_while_up 192.0.2.2@lo");
  }
  SECTION("a route that was never withdrawn") {
    verified.router_.route("198.51.100.0/24", 2);
    CHECK(verified.faults() == "other_nexthops 0.0.0.0/0");
  }
}

TEST_CASE("programs of other tables, and programs that are missing, are found", "[bpf][verify]") {
  Verified verified;
  make_veth("lan0");
  const auto lan = on("lan0", dataplane::Role::lan);
  verified.programs_ = {{lan, true}};
  CHECK(verified.faults() == "program_missing steer on lan0 (lan)");
  REQUIRE(verified.router_.dataplane().attach({lan}).empty());
  CHECK(verified.faults().empty());
  verified.programs_.clear();
  CHECK(verified.faults() == "program_stray steer on lan0 (lan)");
}

TEST_CASE("without pinned tables there is nothing to verify", "[bpf][verify]") {
  PrivateNamespace alone;
  Expectation expectation;
  const auto found = dataplane::verify("/sys/fs/bpf/hopwise", expectation, Router::now());
  REQUIRE(!found.has_value());
  CHECK_THAT(found.error().message, Catch::Contains("no hopwise of this version has run"));
}
