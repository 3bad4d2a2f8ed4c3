// Connections that leave by another device than the nexthop's interface, as behind the staging
// device.
#include <net/if.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include <boost/asio/io_context.hpp>

#include "probes/http/marked_connect.hpp"
#include "test/catch.hpp"
#include "test/unit/probes/bench.hpp"

using namespace hopwise;
using namespace hopwise::probes;

namespace {

/// The MSS that the SYN offered.
std::uint32_t offered(int fd) {
  tcp_info info{};
  socklen_t size = sizeof info;
  REQUIRE(getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &size) == 0);
  return info.tcpi_advmss;
}

}  // namespace

TEST_CASE("segments fit the nexthop's interface, whatever device is before it",
          "[probes][netns][http]") {
  NEEDS_ROOT();
  const NetNamespace host;
  host.sh(
      "ip link add stage mtu 65535 type veth peer name end mtu 65535; ip link set end up; "
      "ip link set stage up; ip addr add 192.0.2.1/24 dev stage; "
      "ip -6 addr add 2001:db8::1/64 dev stage nodad; "
      "ip link add wan mtu 1400 type veth peer name far");
  const NetNamespace::Visit inside(host);
  boost::asio::io_context io{1};
  const bool v4 = GENERATE(true, false);
  const IpAddress peer = *IpAddress::parse(v4 ? "192.0.2.9" : "2001:db8::9");
  const auto connect = [&](std::uint32_t ifindex) {
    boost::asio::ip::tcp::socket socket(io);
    const auto begun = begin_connect(socket, {peer, 80, ifindex}, {});
    INFO((begun ? "" : begun.error().message));
    REQUIRE(begun.has_value());
    return offered(socket.native_handle());
  };
  CHECK(connect(if_nametoindex("wan")) == (v4 ? 1360 : 1340));
  CHECK(connect(0) > 60'000);  // what it would be without
}
