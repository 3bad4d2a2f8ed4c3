#include "test/unit/probes/lan.hpp"

#include <fcntl.h>
#include <net/if.h>
#include <sched.h>
#include <unistd.h>

#include <array>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <sstream>
#include <vector>

#include "test/catch.hpp"

namespace hopwise::probes {
namespace {

int this_namespace() {
  return open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC);
}

void add_addresses(const NetNamespace& gateway, const std::string& v4, const std::string& v6) {
  gateway.sh("ip addr add " + v4 + "/24 dev eth0; ip addr add " + v6 + "/64 dev eth0 nodad");
  gateway.sh("ip link set eth0 up; sysctl -qw net.ipv6.icmp.ratelimit=0");
  gateway.sh("ip addr add 203.0.113.1/32 dev lo; ip addr add 2001:db8::1/128 dev lo nodad");
}

// The kernel activates links up to a second after they are set up; until then it swallows packets.
void await_up(const NetNamespace& where, const std::string& interface) {
  where.sh("for i in $(seq 500); do ip link show " + interface +
           " | grep -q 'state UP' && exit 0; sleep 0.02; done; exit 1");
}

}  // namespace

NetNamespace::NetNamespace() {
  const int outer = this_namespace();
  REQUIRE(unshare(CLONE_NEWNET) == 0);
  fd_ = this_namespace();
  REQUIRE(setns(outer, CLONE_NEWNET) == 0);
  close(outer);
  sh("ip link set lo up; sysctl -qw net.ipv6.conf.default.accept_dad=0");
}

NetNamespace::~NetNamespace() {
  close(fd_);
}

NetNamespace::Visit::Visit(const NetNamespace& where) : outer_(this_namespace()) {
  REQUIRE(setns(where.fd_, CLONE_NEWNET) == 0);
}

NetNamespace::Visit::~Visit() {
  if (setns(outer_, CLONE_NEWNET) != 0) std::abort();  // all that follows would run elsewhere
  close(outer_);
}

void NetNamespace::sh(const std::string& commands) const {
  INFO(commands);
  const Visit visit(*this);
  REQUIRE(std::system(("set -e\n" + commands).c_str()) == 0);
}

std::string NetNamespace::output(const std::string& command) const {
  const Visit visit(*this);
  FILE* pipe = popen(command.c_str(), "r");
  REQUIRE(pipe != nullptr);
  std::string text;
  std::array<char, 4096> buffer{};
  while (const std::size_t count = fread(buffer.data(), 1, buffer.size(), pipe))
    text.append(buffer.data(), count);
  pclose(pipe);
  return text;
}

std::string NetNamespace::path() const {
  return "/proc/" + std::to_string(getpid()) + "/fd/" + std::to_string(fd_);
}

std::uint64_t NetNamespace::echo_requests(Family family) const {
  // A line of names and one of values for ICMP; a line of both for every counter of ICMPv6.
  std::istringstream words(
      output(family == Family::v4 ? "awk '/^Icmp:/ { for (i = 1; i <= NF; i++) if ($i == "
                                    "\"InEchos\") column = i; value = $column } END { print value "
                                    "}' /proc/net/snmp"
                                  : "awk '$1 == \"Icmp6InEchos\" { print $2 }' /proc/net/snmp6"));
  std::uint64_t count = 0;
  words >> count;
  REQUIRE(words);
  return count;
}

Lan::Lan() {
  bridge.sh("ip link add br0 type bridge; ip link set br0 up");
  a.sh("ip link add eth0 type veth peer name port-a netns " + bridge.path());
  b.sh("ip link add eth0 type veth peer name port-b netns " + bridge.path());
  c.sh("ip link add eth0 type veth peer name side netns " + router.path());
  router.sh("ip link add wan type veth peer name port-r netns " + bridge.path());
  bridge.sh("for i in a b r; do ip link set port-$i master br0; ip link set port-$i up; done");
  add_addresses(a, "10.9.0.1", "fd09::1");
  add_addresses(b, "10.9.0.2", "fd09::2");
  add_addresses(c, "10.8.0.3", "fd08::3");
  router.sh("ip addr add 10.9.0.254/24 dev wan; ip addr add fd09::fe/64 dev wan nodad");
  router.sh("ip addr add 10.8.0.254/24 dev side; ip addr add fd08::fe/64 dev side nodad");
  router.sh("ip link set wan up; ip link set side up");
  router.sh("sysctl -qw net.ipv6.conf.all.forwarding=1 net.ipv4.ip_forward=1");
  for (const auto* interface : {"wan", "side"}) await_up(router, interface);
  for (const auto* gateway : {&a, &b, &c}) await_up(*gateway, "eth0");
  for (const auto* port : {"port-a", "port-b", "port-r"}) await_up(bridge, port);
}

Nexthop Lan::nexthop(std::uint32_t id, const char* gateway, const char* interface) const {
  const NetNamespace::Visit visit(router);
  const auto ifindex = if_nametoindex(interface);
  REQUIRE(ifindex != 0);
  return {NexthopId{id}, {ifindex, address(gateway)}, interface, std::string(gateway)};
}

}  // namespace hopwise::probes
