#include "core/daemon/policy.hpp"

#include <arpa/inet.h>
#include <linux/fib_rules.h>
#include <linux/if_link.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/rtnetlink.h>
#include <linux/xfrm.h>

#include <algorithm>
#include <array>
#include <filesystem>
#include <fstream>
#include <functional>
#include <optional>
#include <set>
#include <tuple>

#include "core/netlink/socket.hpp"
#include "probes/binding/binding.hpp"

namespace hopwise {
namespace {

using Kind = KernelPolicy::Kind;
using ChainName = std::tuple<std::uint8_t, std::string, std::string>;  // family, table, chain
constexpr std::size_t kAttributes = 64;  // every attribute that is read lies below

using Attributes = std::array<const nlattr*, kAttributes>;

int collect(const nlattr* attribute, void* into) {
  auto& found = *static_cast<Attributes*>(into);
  const auto type = mnl_attr_get_type(attribute);
  if (type < found.size()) found[type] = attribute;
  return MNL_CB_OK;
}

template <class Header>
Attributes attributes_of(const nlmsghdr& message) {
  Attributes found{};
  mnl_attr_parse(&message, sizeof(Header), collect, &found);
  return found;
}

std::string text_of(const nlattr* attribute) {
  if (attribute == nullptr || mnl_attr_validate(attribute, MNL_TYPE_NUL_STRING) < 0) return {};
  return mnl_attr_get_str(attribute);
}

std::optional<std::uint32_t> number_of(const nlattr* attribute) {
  if (attribute == nullptr || mnl_attr_validate(attribute, MNL_TYPE_U32) < 0) return std::nullopt;
  return ntohl(mnl_attr_get_u32(attribute));
}

std::uint8_t family_of(const nlmsghdr& message) {
  return static_cast<const nfgenmsg*>(mnl_nlmsg_get_payload(&message))->nfgen_family;
}

std::optional<std::uint32_t> hook_of(const nlattr* nested) {
  if (nested == nullptr) return std::nullopt;  // no base chain
  Attributes found{};
  mnl_attr_parse_nested(nested, collect, &found);
  return number_of(found[NFTA_HOOK_HOOKNUM]);
}

// Hooks that a packet meets from LAN ingress on: netdev has but ingress, inet has one too.
bool on_the_way(std::uint8_t family, std::uint32_t hook) {
  if (family == NFPROTO_NETDEV) return hook == NF_NETDEV_INGRESS;
  if (family == NFPROTO_INET && hook == NF_INET_INGRESS) return true;
  return hook == NF_INET_PRE_ROUTING || hook == NF_INET_FORWARD || hook == NF_INET_POST_ROUTING;
}

std::string_view family_name(std::uint8_t family) {
  switch (family) {
    case NFPROTO_IPV4:
      return "ip";
    case NFPROTO_IPV6:
      return "ip6";
    case NFPROTO_INET:
      return "inet";
    case NFPROTO_NETDEV:
      return "netdev";
    default:
      return {};
  }
}

Result<> dump(netlink::Socket& socket, int command, const std::string& what,
              const std::function<void(const nlmsghdr&)>& each) {
  std::array<char, 256> buffer{};
  nlmsghdr* request = mnl_nlmsg_put_header(buffer.data());
  request->nlmsg_type = static_cast<std::uint16_t>((NFNL_SUBSYS_NFTABLES << 8) | command);
  auto* header = static_cast<nfgenmsg*>(mnl_nlmsg_put_extra_header(request, sizeof(nfgenmsg)));
  header->nfgen_family = NFPROTO_UNSPEC;
  header->version = NFNETLINK_V0;
  return socket.dump(request, what, each);
}

void find_legacy_tables(std::vector<KernelPolicy>& found) {
  for (const char* program : {"ip", "ip6"}) {
    std::ifstream names(std::string("/proc/net/") + program + "_tables_names");
    for (std::string table; std::getline(names, table);)
      found.push_back({Kind::netfilter, std::string(program) + "tables " + table});
  }
}

Result<> find_chains(std::vector<KernelPolicy>& found) {
  auto socket = netlink::Socket::open(NETLINK_NETFILTER);
  if (!socket) return {};  // a kernel without nfnetlink has no nf_tables either

  std::set<ChainName> with_rules;
  const auto rules = dump(*socket, NFT_MSG_GETRULE, "list nftables rules", [&](const nlmsghdr& m) {
    const auto a = attributes_of<nfgenmsg>(m);
    with_rules.emplace(family_of(m), text_of(a[NFTA_RULE_TABLE]), text_of(a[NFTA_RULE_CHAIN]));
  });
  if (!rules) return rules.error();
  return dump(*socket, NFT_MSG_GETCHAIN, "list nftables chains", [&](const nlmsghdr& m) {
    const auto a = attributes_of<nfgenmsg>(m);
    const auto hook = hook_of(a[NFTA_CHAIN_HOOK]);
    const auto family = family_name(family_of(m));
    if (!hook || family.empty() || !on_the_way(family_of(m), *hook)) return;
    const std::string table = text_of(a[NFTA_CHAIN_TABLE]);
    const std::string chain = text_of(a[NFTA_CHAIN_NAME]);
    const bool drops = number_of(a[NFTA_CHAIN_POLICY]) == NF_DROP;
    if (drops || with_rules.contains({family_of(m), table, chain}))
      found.push_back(
          {Kind::netfilter, "nftables " + std::string(family) + ' ' + table + ' ' + chain});
  });
}

// Rules stand in routing's own order; the first three of every Linux, and ours, change nothing for
// a forwarded packet.
Result<> find_rules(netlink::Socket& socket, std::uint8_t family,
                    std::vector<KernelPolicy>& found) {
  std::array<char, 256> buffer{};
  nlmsghdr* request = mnl_nlmsg_put_header(buffer.data());
  request->nlmsg_type = RTM_GETRULE;
  auto* about =
      static_cast<fib_rule_hdr*>(mnl_nlmsg_put_extra_header(request, sizeof(fib_rule_hdr)));
  about->family = family;
  return socket.dump(request, "list policy rules", [&](const nlmsghdr& m) {
    const auto& rule = *static_cast<const fib_rule_hdr*>(mnl_nlmsg_get_payload(&m));
    const auto a = attributes_of<fib_rule_hdr>(m);
    const auto host_number = [](const nlattr* n) { return n ? mnl_attr_get_u32(n) : 0; };
    const std::uint32_t priority = host_number(a[FRA_PRIORITY]);
    const std::uint32_t table = host_number(a[FRA_TABLE]);
    const bool ours = a[FRA_PROTOCOL] && mnl_attr_get_u8(a[FRA_PROTOCOL]) == probes::kRouteProtocol;
    const bool usual = (priority == 0 && table == RT_TABLE_LOCAL) ||
                       (priority == 32766 && table == RT_TABLE_MAIN) ||
                       (priority == 32767 && table == RT_TABLE_DEFAULT);
    if (ours || (usual && rule.action == FR_ACT_TO_TBL)) return;
    found.push_back(
        {Kind::rule,
         std::string(family == AF_INET ? "ip" : "ip -6") + " rule " + std::to_string(priority),
         priority});
  });
}

// A VRF is a device of that kind, which other interfaces are ports of.
Result<> find_vrfs(netlink::Socket& socket, std::vector<KernelPolicy>& found) {
  std::array<char, 256> buffer{};
  nlmsghdr* request = mnl_nlmsg_put_header(buffer.data());
  request->nlmsg_type = RTM_GETLINK;
  mnl_nlmsg_put_extra_header(request, sizeof(ifinfomsg));
  return socket.dump(request, "list VRFs", [&](const nlmsghdr& m) {
    const auto a = attributes_of<ifinfomsg>(m);
    if (a[IFLA_LINKINFO] == nullptr) return;
    Attributes about{};
    mnl_attr_parse_nested(a[IFLA_LINKINFO], collect, &about);
    if (text_of(about[IFLA_INFO_KIND]) == "vrf")
      found.push_back({Kind::vrf, "vrf " + text_of(a[IFLA_IFNAME])});
  });
}

Result<> find_xfrm(std::vector<KernelPolicy>& found) {
  auto socket = netlink::Socket::open(NETLINK_XFRM);
  if (!socket) return {};  // a kernel without IPsec
  std::array<char, 256> buffer{};
  nlmsghdr* request = mnl_nlmsg_put_header(buffer.data());
  request->nlmsg_type = XFRM_MSG_GETPOLICY;
  mnl_nlmsg_put_extra_header(request, sizeof(xfrm_userpolicy_id));
  bool any = false;
  auto done = socket->dump(request, "list IPsec policies", [&](const nlmsghdr& m) {
    const auto& policy = *static_cast<const xfrm_userpolicy_info*>(mnl_nlmsg_get_payload(&m));
    any = any || policy.dir == XFRM_POLICY_OUT || policy.dir == XFRM_POLICY_FWD;
  });
  if (any) found.push_back({Kind::xfrm, "ip xfrm policy"});
  return done;
}

// The kernel takes the greater of "all" and the interface's own; 1 is strict, 2 loose.
int rp_filter(const std::string& interface) {
  int value = 0;
  std::ifstream("/proc/sys/net/ipv4/conf/" + interface + "/rp_filter") >> value;
  return value;
}

}  // namespace

Result<std::vector<KernelPolicy>> find_policy(const std::vector<std::string>& interfaces) {
  std::vector<KernelPolicy> found;
  find_legacy_tables(found);
  if (auto done = find_chains(found); !done) return done.error();
  auto socket = netlink::Socket::open(NETLINK_ROUTE);
  if (!socket) return socket.error();
  for (const std::uint8_t family : {std::uint8_t{AF_INET}, std::uint8_t{AF_INET6}})
    if (auto done = find_rules(*socket, family, found); !done) return done.error();
  if (auto done = find_vrfs(*socket, found); !done) return done.error();
  if (auto done = find_xfrm(found); !done) return done.error();
  for (const std::string& interface : interfaces)
    if (std::max(rp_filter("all"), rp_filter(interface)) == 1)
      found.push_back({Kind::rp_filter, "rp_filter " + interface});
  return {boost::system::in_place_value, std::move(found)};
}

std::vector<std::string> every_interface() {
  std::vector<std::string> names;
  std::error_code ignored;  // a kernel without IPv4 has none
  for (const auto& entry : std::filesystem::directory_iterator("/proc/sys/net/ipv4/conf", ignored))
    if (const std::string name = entry.path().filename(); name != "all" && name != "default")
      names.push_back(name);
  std::sort(names.begin(), names.end());
  return names;
}

}  // namespace hopwise
