// The kernel's own rules, in a network namespace that ends with its thread.
#include "core/daemon/policy.hpp"

#include <sched.h>
#include <unistd.h>

#include <cstdlib>
#include <future>

#include "test/catch.hpp"

using namespace hopwise;

namespace {

std::vector<std::string> texts(const std::vector<std::string>& interfaces = {}) {
  const auto found = find_policy(interfaces);
  if (!found) FAIL(found.error().message);
  std::vector<std::string> all;
  for (const KernelPolicy& policy : *found) all.push_back(policy.text);
  return all;
}

void sh(const std::string& command) {
  INFO(command);
  REQUIRE(std::system(command.c_str()) == 0);
}

// What is found because of `set`, in a namespace of its own with a link v0.
std::vector<std::string> found_after(const std::string& set) {
  std::vector<std::string> found;
  std::async(std::launch::async, [&] {
    REQUIRE(unshare(CLONE_NEWNET) == 0);
    sh("ip link add v0 type veth peer name p0");
    CHECK(texts({"v0"}).empty());
    sh(set);
    found = texts({"v0"});
  }).get();
  return found;
}

using Texts = std::vector<std::string>;

}  // namespace

#define NEEDS_ROOT()                               \
  if (geteuid() != 0) {                            \
    WARN("skipped: network namespaces need root"); \
    return;                                        \
  }

TEST_CASE("chains on the way of a forwarded packet are found, by rules or by policy",
          "[netns][policy]") {
  NEEDS_ROOT();
  CHECK(found_after("nft add table ip nat && nft add chain ip nat post '{ type nat hook "
                    "postrouting priority 100; }' && nft add rule ip nat post masquerade") ==
        Texts{"nftables ip nat post"});
  CHECK(found_after("nft add table inet t && nft add chain inet t f '{ type filter hook forward "
                    "priority 0; policy drop; }'") == Texts{"nftables inet t f"});
  // Neither an empty chain nor one for this host's own packets changes what is forwarded.
  CHECK(found_after("nft add table inet t && nft add chain inet t f '{ type filter hook forward "
                    "priority 0; }' && nft add chain inet t i '{ type filter hook input priority "
                    "0; policy drop; }'")
            .empty());
}

TEST_CASE("policy rules are found with their priority, the usual ones are not", "[netns][policy]") {
  NEEDS_ROOT();
  CHECK(found_after("ip rule add from 10.0.0.1 priority 100 lookup 7; "
                    "ip -6 rule add from fd00::1 priority 6000 lookup 7") ==
        Texts{"ip rule 100", "ip -6 rule 6000"});
  std::async(std::launch::async, [&] {
    REQUIRE(unshare(CLONE_NEWNET) == 0);
    sh("ip rule add from 10.0.0.1 priority 6000 lookup 7");
    const auto found = find_policy({});
    REQUIRE(found.has_value());
    REQUIRE(found->size() == 1);
    CHECK(found->front().kind == KernelPolicy::Kind::rule);
    CHECK(found->front().priority == 6000);
  }).get();
}

TEST_CASE("IPsec policies and strict reverse-path filters are found", "[netns][policy]") {
  NEEDS_ROOT();
  CHECK(found_after("ip xfrm policy add dir fwd src 10.0.0.0/24 dst 10.1.0.0/24 action block") ==
        Texts{"ip xfrm policy"});
  CHECK(found_after("echo 1 > /proc/sys/net/ipv4/conf/v0/rp_filter") == Texts{"rp_filter v0"});
  CHECK(found_after("echo 2 > /proc/sys/net/ipv4/conf/v0/rp_filter").empty());
}

TEST_CASE("every interface is known by name, and none that is not one", "[netns][policy]") {
  NEEDS_ROOT();
  std::async(std::launch::async, [&] {
    REQUIRE(unshare(CLONE_NEWNET) == 0);
    sh("ip link add v0 type veth peer name p0");
    CHECK(every_interface() == Texts{"lo", "p0", "v0"});
  }).get();
}
