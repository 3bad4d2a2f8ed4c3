#include "core/routes/parse.hpp"

#include <libmnl/libmnl.h>
#include <linux/if.h>
#include <linux/if_arp.h>
#include <linux/neighbour.h>
#include <linux/nexthop.h>
#include <linux/rtnetlink.h>
#include <sys/socket.h>

#include <cstring>
#include <functional>
#include <memory>
#include <random>

#include "test/catch.hpp"

using namespace hopwise;
using namespace hopwise::routes;

namespace {

// A message under construction, in the kernel's own layout.
class Built {
 public:
  template <class Header>
  Built(std::uint16_t type, const Header& header) : head_(mnl_nlmsg_put_header(space_.data())) {
    head_->nlmsg_type = type;
    std::memcpy(mnl_nlmsg_put_extra_header(head_, sizeof(header)), &header, sizeof(header));
  }
  Built(const Built&) = delete;

  Built& flags(int flags) {
    head_->nlmsg_flags = static_cast<std::uint16_t>(flags);
    return *this;
  }
  Built& u32(int type, std::uint32_t value) {
    mnl_attr_put_u32(head_, static_cast<std::uint16_t>(type), value);
    return *this;
  }
  Built& bytes(int type, const std::string& value) {
    mnl_attr_put(head_, static_cast<std::uint16_t>(type), value.size(), value.data());
    return *this;
  }
  Built& address(int type, const char* text) { return bytes(type, raw_address(text)); }

  [[nodiscard]] const nlmsghdr& message() const { return *head_; }
  [[nodiscard]] std::string image() const {
    return {reinterpret_cast<const char*>(head_), head_->nlmsg_len};
  }

  static std::string raw_address(const char* text) {
    const auto address = *IpAddress::parse(text);
    return {reinterpret_cast<const char*>(address.bytes.data()), address.size()};
  }

 private:
  alignas(nlmsghdr) std::array<char, 1024> space_{};
  nlmsghdr* head_;
};

rtmsg route(int family, int length, int table = RT_TABLE_MAIN, int type = RTN_UNICAST) {
  rtmsg header{};
  header.rtm_family = static_cast<unsigned char>(family);
  header.rtm_dst_len = static_cast<unsigned char>(length);
  header.rtm_table = static_cast<unsigned char>(table);
  header.rtm_type = static_cast<unsigned char>(type);
  return header;
}

std::string attribute(int type, const std::string& payload) {
  const nlattr head{static_cast<std::uint16_t>(sizeof(nlattr) + payload.size()),
                    static_cast<std::uint16_t>(type)};
  std::string bytes(reinterpret_cast<const char*>(&head), sizeof(head));
  bytes += payload;
  bytes.resize(NLA_ALIGN(bytes.size()));
  return bytes;
}

std::string leg(int ifindex, int weight, unsigned flags, const std::string& attributes) {
  rtnexthop head{};
  head.rtnh_len = static_cast<unsigned short>(sizeof(head) + attributes.size());
  head.rtnh_flags = static_cast<unsigned char>(flags);
  head.rtnh_hops = static_cast<unsigned char>(weight - 1);
  head.rtnh_ifindex = ifindex;
  return std::string(reinterpret_cast<const char*>(&head), sizeof(head)) + attributes;
}

std::string via(int family, const char* gateway) {
  const auto number = static_cast<std::uint16_t>(family);
  return std::string(reinterpret_cast<const char*>(&number), sizeof(number)) +
         Built::raw_address(gateway);
}

IpAddress ip(const char* text) {
  return *IpAddress::parse(text);
}

template <class Kind>
Kind parsed(const Built& built) {
  const auto message = parse(built.message());
  REQUIRE(message);
  return std::get<Kind>(*message);
}

// What the properties below start from: one of each kind, rich in attributes.
std::vector<std::string> specimens() {
  nhmsg nexthop{};
  nexthop.nh_family = AF_INET6;
  const nexthop_grp members[2] = {{1, 0, 0, 0}, {2, 9, 0, 0}};
  ifinfomsg link{};
  link.ifi_index = 3;
  ndmsg neighbour{};
  neighbour.ndm_family = AF_INET;
  neighbour.ndm_ifindex = 3;
  return {
      Built(RTM_NEWROUTE, route(AF_INET, 24))
          .u32(RTA_TABLE, 254)
          .address(RTA_DST, "192.0.2.0")
          .u32(RTA_PRIORITY, 20)
          .u32(RTA_NH_ID, 7)
          .bytes(RTA_METRICS, attribute(RTAX_MTU, "1234"))
          .bytes(RTA_MULTIPATH,
                 leg(3, 1, 0, attribute(RTA_GATEWAY, Built::raw_address("10.0.0.2"))) +
                     leg(4, 5, 0, attribute(RTA_VIA, via(AF_INET6, "fe80::2"))))
          .image(),
      Built(RTM_NEWROUTE, route(AF_INET6, 32))
          .address(RTA_DST, "2001:db8::")
          .address(RTA_GATEWAY, "fe80::1")
          .u32(RTA_OIF, 3)
          .image(),
      Built(RTM_NEWNEXTHOP, nexthop)
          .u32(NHA_ID, 10)
          .bytes(NHA_GROUP, {reinterpret_cast<const char*>(members), sizeof(members)})
          .image(),
      Built(RTM_NEWNEXTHOP, nexthop)
          .u32(NHA_ID, 1)
          .u32(NHA_OIF, 3)
          .address(NHA_GATEWAY, "fe80::1")
          .image(),
      Built(RTM_NEWLINK, link).bytes(IFLA_IFNAME, {"eth0", 5}).u32(IFLA_MTU, 1500).image(),
      Built(RTM_NEWNEIGH, neighbour).address(NDA_DST, "10.0.0.2").image(),
  };
}

// Parses exactly these bytes, from the heap, so that a sanitizer sees any step beyond them.
std::optional<Message> parse_image(const std::string& image) {
  const std::unique_ptr<char[]> copy(new char[image.size()]);
  std::memcpy(copy.get(), image.data(), image.size());
  return parse(*reinterpret_cast<const nlmsghdr*>(copy.get()));
}

void set_length(std::string& image, std::size_t length) {
  image.resize(length);
  const auto value = static_cast<std::uint32_t>(length);
  std::memcpy(image.data(), &value, sizeof(value));
}

}  // namespace

TEST_CASE("a multipath route tells every leg with its weight and life", "[routes]") {
  Built built(RTM_NEWROUTE, route(AF_INET, 24));
  built.address(RTA_DST, "192.0.2.0")
      .u32(RTA_TABLE, 1000)
      .u32(RTA_PRIORITY, 20)
      .u32(RTA_NH_ID, 7)
      .bytes(RTA_MULTIPATH,
             leg(3, 1, RTNH_F_ONLINK, attribute(RTA_GATEWAY, Built::raw_address("10.0.0.2"))) +
                 leg(4, 256, RTNH_F_LINKDOWN, attribute(RTA_VIA, via(AF_INET6, "fe80::2"))) +
                 leg(5, 2, RTNH_F_DEAD, ""));
  const auto r = parsed<RouteMessage>(built);
  CHECK_FALSE(r.gone);
  CHECK(r.prefix.text() == "192.0.2.0/24");
  CHECK(r.table == 1000);
  CHECK(r.metric == 20);
  CHECK((r.hops.unicast && r.hops.nexthop_object == 7));
  CHECK(r.hops.legs == std::vector<Leg>{{3, ip("10.0.0.2"), 1, false},
                                        {4, ip("fe80::2"), 256, true},
                                        {5, std::nullopt, 2, true}});
}

TEST_CASE("a route with one gateway has one leg", "[routes]") {
  Built built(RTM_DELROUTE, route(AF_INET6, 0));
  built.address(RTA_GATEWAY, "fe80::1").u32(RTA_OIF, 3);
  const auto r = parsed<RouteMessage>(built);
  CHECK(r.gone);
  CHECK(r.prefix.text() == "::/0");
  CHECK(r.table == RT_TABLE_MAIN);
  CHECK(r.hops.legs == std::vector<Leg>{{3, ip("fe80::1"), 1, false}});
}

TEST_CASE("an MTU among a route's metrics is seen, other metrics are not", "[routes]") {
  const int family = GENERATE(AF_INET, AF_INET6);
  const auto number = [](std::uint32_t value) {
    return std::string(reinterpret_cast<const char*>(&value), sizeof(value));
  };
  const auto own_mtu = [&](const std::string& metrics) {
    Built built(RTM_NEWROUTE, route(family, 0));
    built.bytes(RTA_METRICS, metrics);
    return parsed<RouteMessage>(built).hops.own_mtu;
  };
  const std::string others = attribute(RTAX_ADVMSS, number(1300)) + attribute(RTAX_CC_ALGO, "reno");
  CHECK_FALSE(own_mtu(others));
  CHECK(own_mtu(others + attribute(RTAX_MTU, number(1400))));
  CHECK(own_mtu(attribute(RTAX_LOCK, number(1U << RTAX_MTU)) + attribute(RTAX_MTU, number(1400))));

  Built torn(RTM_NEWROUTE, route(family, 0));
  torn.bytes(RTA_METRICS, attribute(RTAX_MTU, "12"));
  CHECK_FALSE(parse(torn.message()));
}

TEST_CASE("encapsulating, blackhole, tos and source-specific routes are told apart", "[routes]") {
  Built encapsulating(RTM_NEWROUTE, route(AF_INET, 24));
  encapsulating.address(RTA_DST, "192.0.2.0").u32(RTA_OIF, 3).address(RTA_GATEWAY, "10.0.0.2");
  encapsulating.bytes(RTA_ENCAP, "x");
  CHECK_FALSE(parsed<RouteMessage>(encapsulating).hops.legs.at(0).gateway);

  const Built blackhole(RTM_NEWROUTE, route(AF_INET, 0, RT_TABLE_MAIN, RTN_BLACKHOLE));
  CHECK_FALSE(parsed<RouteMessage>(blackhole).hops.unicast);

  rtmsg header = route(AF_INET6, 0);
  header.rtm_tos = 16;
  header.rtm_src_len = 48;
  const Built conditional(RTM_NEWROUTE, header);
  CHECK(parsed<RouteMessage>(conditional).tos == 16);
  CHECK(parsed<RouteMessage>(conditional).source_specific);

  header.rtm_flags = RTM_F_CLONED;
  CHECK_FALSE(parse(Built(RTM_NEWROUTE, header).message()));
}

TEST_CASE("a route's place among its equals comes from the message's flags", "[routes]") {
  using Place = RouteMessage::Place;
  const auto place = [](int flags) {
    Built built(RTM_NEWROUTE, route(AF_INET, 0));
    return parsed<RouteMessage>(built.flags(flags)).place;
  };
  CHECK(place(NLM_F_MULTI) == Place::last);
  CHECK(place(NLM_F_CREATE) == Place::first);
  CHECK(place(NLM_F_CREATE | NLM_F_APPEND) == Place::last);
  CHECK(place(NLM_F_REPLACE) == Place::instead);
}

TEST_CASE("nexthop objects are groups, single gateways, or blackholes", "[routes]") {
  nhmsg header{};
  header.nh_family = AF_INET6;
  header.nh_flags = RTNH_F_DEAD;
  Built single(RTM_NEWNEXTHOP, header);
  single.u32(NHA_ID, 1).u32(NHA_OIF, 3).address(NHA_GATEWAY, "fe80::1");
  CHECK(parsed<NexthopMessage>(single).leg == Leg{3, ip("fe80::1"), 1, true});

  // The second's weight has a higher half: 1 + 5 + 256.
  const unsigned char members[16] = {1, 0, 0, 0, 0, 0, 0, 0, 2, 0, 0, 0, 5, 1, 0, 0};
  Built group(RTM_NEWNEXTHOP, nhmsg{});
  group.u32(NHA_ID, 10).bytes(NHA_GROUP, {reinterpret_cast<const char*>(members), 16});
  const auto g = parsed<NexthopMessage>(group);
  REQUIRE(g.members.size() == 2);
  CHECK((g.members[0].id == 1 && g.members[0].weight == 1));
  CHECK((g.members[1].id == 2 && g.members[1].weight == 262));
  CHECK_FALSE(g.leg);

  Built blackhole(RTM_DELNEXTHOP, header);
  blackhole.u32(NHA_ID, 4).bytes(NHA_BLACKHOLE, "");
  CHECK_FALSE(parsed<NexthopMessage>(blackhole).leg);
  CHECK(parsed<NexthopMessage>(blackhole).gone);
}

TEST_CASE("a link is up when it is enabled and has carrier", "[routes]") {
  ifinfomsg header{};
  header.ifi_index = 3;
  header.ifi_type = ARPHRD_ETHER;
  const auto link = [&](unsigned flags) {
    header.ifi_flags = flags;
    Built built(RTM_NEWLINK, header);
    return parsed<LinkMessage>(built.bytes(IFLA_IFNAME, {"eth0", 5}).u32(IFLA_MTU, 1400));
  };
  CHECK(link(IFF_UP | IFF_RUNNING | IFF_LOWER_UP).interface ==
        Interface{3, "eth0", true, true, false, false, 1400});
  CHECK_FALSE(link(IFF_UP).interface.up);
  CHECK(link(IFF_UP).enabled);
  CHECK_FALSE(link(IFF_UP | IFF_LOWER_UP).interface.up);
  CHECK_FALSE(link(IFF_RUNNING | IFF_LOWER_UP).interface.up);
  CHECK(link(IFF_LOOPBACK).interface.loopback);
  CHECK_FALSE(link(IFF_UP).interface.address);
  Built addressed(RTM_NEWLINK, header);
  addressed.bytes(IFLA_IFNAME, {"eth0", 5}).bytes(IFLA_ADDRESS, "\x02\x01\x01\x01\x01\x09");
  CHECK(parsed<LinkMessage>(addressed).interface.address == EthernetAddress{2, 1, 1, 1, 1, 9});
  header.ifi_type = ARPHRD_INFINIBAND;  // 20 bytes, and 6 mean something else
  Built other(RTM_NEWLINK, header);
  other.bytes(IFLA_IFNAME, {"ib0", 4}).bytes(IFLA_ADDRESS, "\x02\x01\x01\x01\x01\x09");
  CHECK_FALSE(parsed<LinkMessage>(other).interface.address);

  header.ifi_family = AF_BRIDGE;  // a port has left a bridge: the link has not gone
  Built port(RTM_DELLINK, header);
  CHECK_FALSE(parse(port.bytes(IFLA_IFNAME, {"eth0", 5}).message()));
}

TEST_CASE("a neighbour's address is told while it is valid and has six bytes", "[routes]") {
  ndmsg header{};
  header.ndm_family = AF_INET;
  header.ndm_ifindex = 3;
  const auto address = [&](int state, const char* bytes) {
    header.ndm_state = static_cast<std::uint16_t>(state);
    Built built(RTM_NEWNEIGH, header);
    built.address(NDA_DST, "10.0.0.2").bytes(NDA_LLADDR, bytes);
    return parsed<NeighbourMessage>(built).address;
  };
  CHECK(address(NUD_STALE, "\x02\x01\x01\x01\x01\x09") == EthernetAddress{2, 1, 1, 1, 1, 9});
  CHECK_FALSE(address(NUD_FAILED, "\x02\x01\x01\x01\x01\x09"));
  CHECK_FALSE(address(NUD_REACHABLE, "\x0a\x01\x01\x01"));  // a tunnel's: an IPv4 address
}

TEST_CASE("a neighbour is valid in every state that has an address to use", "[routes]") {
  ndmsg header{};
  header.ndm_family = AF_INET;
  header.ndm_ifindex = 3;
  const auto valid = [&](std::uint16_t type, int state) {
    header.ndm_state = static_cast<std::uint16_t>(state);
    Built built(type, header);
    const auto n = parsed<NeighbourMessage>(built.address(NDA_DST, "10.0.0.2"));
    CHECK(n.key == NexthopKey{3, ip("10.0.0.2")});
    return n.valid;
  };
  for (const int state :
       {NUD_PERMANENT, NUD_NOARP, NUD_REACHABLE, NUD_PROBE, NUD_STALE, NUD_DELAY}) {
    CHECK(valid(RTM_NEWNEIGH, state));
    CHECK_FALSE(valid(RTM_DELNEIGH, state));
  }
  for (const int state : {NUD_NONE, NUD_INCOMPLETE, NUD_FAILED})
    CHECK_FALSE(valid(RTM_NEWNEIGH, state));
  header.ndm_flags = NTF_PROXY;
  Built proxy(RTM_NEWNEIGH, header);
  CHECK_FALSE(parse(proxy.address(NDA_DST, "10.0.0.2").message()));
}

TEST_CASE("attributes of a wrong size or beyond the message yield nothing", "[routes]") {
  const auto refused = [](const std::function<void(Built&)>& spoil) {
    Built built(RTM_NEWROUTE, route(AF_INET, 24));
    spoil(built);
    return !parse(built.message());
  };
  CHECK_FALSE(refused([](Built& b) { b.address(RTA_DST, "192.0.2.0"); }));
  CHECK(refused([](Built& b) { b.address(RTA_DST, "2001:db8::"); }));
  CHECK(refused([](Built& b) { b.bytes(RTA_PRIORITY, "abc"); }));
  CHECK(refused([](Built& b) { b.bytes(RTA_OIF, "12345"); }));
  CHECK(refused([](Built& b) { b.bytes(RTA_VIA, "\x0a"); }));
  CHECK(refused([](Built& b) { b.bytes(RTA_VIA, via(AF_UNIX, "10.0.0.2")); }));
  CHECK(refused([](Built& b) { b.bytes(RTA_MULTIPATH, leg(3, 1, 0, std::string(5, '\1'))); }));
  CHECK(refused([](Built& b) { b.bytes(RTA_MULTIPATH, std::string(8, '\0')); }));
  CHECK(refused([](Built& b) { b.bytes(RTA_MULTIPATH, std::string(8, '\xff')); }));
  const Built too_long(RTM_NEWROUTE, route(AF_INET, 33));
  CHECK_FALSE(parse(too_long.message()));
  const Built other_family(RTM_NEWROUTE, route(AF_UNIX, 0));
  CHECK_FALSE(parse(other_family.message()));
}

TEST_CASE("a message cut short anywhere is never read beyond its end", "[routes][property]") {
  for (const std::string& whole : specimens()) {
    REQUIRE(parse_image(whole));
    for (std::size_t length = sizeof(nlmsghdr); length < whole.size(); ++length) {
      std::string cut = whole;
      set_length(cut, length);
      (void)parse_image(cut);
    }
    std::string bare = whole;
    set_length(bare, sizeof(nlmsghdr));
    CHECK_FALSE(parse_image(bare));
  }
}

TEST_CASE("random damage never leads outside the message", "[routes][property]") {
  std::mt19937 random(1);
  const auto whole = specimens();
  std::size_t understood = 0;
  for (int round = 0; round < 60000; ++round) {
    std::string image = whole[random() % whole.size()];
    if (random() % 3 == 0) set_length(image, 16 + random() % (image.size() - 15));
    // Lengths are what hurts: small numbers in even places, else anything anywhere.
    for (auto hits = random() % 5; hits > 0 && image.size() > 16; --hits) {
      const std::size_t at = 16 + random() % (image.size() - 16);
      image[at] = static_cast<char>(random() % 2 == 0 ? random() % 40 : random());
    }
    const auto message = parse_image(image);
    if (!message) continue;
    ++understood;
    if (const auto* r = std::get_if<RouteMessage>(&*message)) {
      REQUIRE(r->prefix.length <= r->prefix.address.bits());
      REQUIRE(Prefix::covering(r->prefix.address, r->prefix.length) == r->prefix);
      for (const Leg& l : r->hops.legs) REQUIRE((l.weight >= 1 && l.weight <= 256));
    }
  }
  CHECK(understood > 1000);
  CHECK(understood < 60000);
}

TEST_CASE("a VRF device has a table, its ports are no bridge's", "[routes]") {
  ifinfomsg header{};
  header.ifi_index = 4;
  header.ifi_type = ARPHRD_ETHER;
  const std::uint32_t number = 1001;
  const std::string table(reinterpret_cast<const char*>(&number), sizeof(number));
  Built device(RTM_NEWLINK, header);
  device.bytes(IFLA_IFNAME, {"red", 4})
      .bytes(IFLA_LINKINFO, attribute(IFLA_INFO_KIND, {"vrf", 4}) +
                                attribute(IFLA_INFO_DATA, attribute(IFLA_VRF_TABLE, table)));
  const Interface vrf = parsed<LinkMessage>(device).interface;
  CHECK(vrf.vrf_table == 1001);
  CHECK_FALSE(vrf.can_be_lan());
  for (const std::string kind : {"vrf", "bridge"}) {
    Built port(RTM_NEWLINK, header);
    port.bytes(IFLA_IFNAME, {"eth1", 5})
        .u32(IFLA_MASTER, 9)
        .bytes(IFLA_LINKINFO, attribute(IFLA_INFO_SLAVE_KIND, kind + '\0'));
    const Interface interface = parsed<LinkMessage>(port).interface;
    CHECK(interface.can_be_lan() == (kind == "vrf"));
    CHECK_FALSE(interface.vrf_table);
  }
}
