#include "core/daemon/netfilter.hpp"

#include <arpa/inet.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>

#include <array>
#include <fstream>
#include <optional>
#include <set>
#include <tuple>

#include "core/netlink/socket.hpp"

namespace hopwise {
namespace {

using ChainName = std::tuple<std::uint8_t, std::string, std::string>;  // family, table, chain
constexpr std::size_t kAttributes = 16;  // NFTA_CHAIN_* and NFTA_RULE_* that are read lie below

using Attributes = std::array<const nlattr*, kAttributes>;

int collect(const nlattr* attribute, void* into) {
  auto& found = *static_cast<Attributes*>(into);
  const auto type = mnl_attr_get_type(attribute);
  if (type < found.size()) found[type] = attribute;
  return MNL_CB_OK;
}

Attributes attributes_of(const nlmsghdr& message) {
  Attributes found{};
  mnl_attr_parse(&message, sizeof(nfgenmsg), collect, &found);
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

bool on_forwarding_path(std::uint32_t hook) {
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

std::vector<std::string> legacy_tables() {
  std::vector<std::string> found;
  for (const char* program : {"ip", "ip6"}) {
    std::ifstream names(std::string("/proc/net/") + program + "_tables_names");
    for (std::string table; std::getline(names, table);)
      found.push_back(std::string(program) + "tables " + table + " (legacy)");
  }
  return found;
}

}  // namespace

Result<std::vector<std::string>> bypassed_chains() {
  std::vector<std::string> found = legacy_tables();
  auto socket = netlink::Socket::open(NETLINK_NETFILTER);
  if (!socket) return found;  // a kernel without nfnetlink has no nf_tables either

  std::set<ChainName> with_rules;
  const auto rules = dump(*socket, NFT_MSG_GETRULE, "list nftables rules", [&](const nlmsghdr& m) {
    const auto a = attributes_of(m);
    with_rules.emplace(family_of(m), text_of(a[NFTA_RULE_TABLE]), text_of(a[NFTA_RULE_CHAIN]));
  });
  const auto chains =
      dump(*socket, NFT_MSG_GETCHAIN, "list nftables chains", [&](const nlmsghdr& m) {
        const auto a = attributes_of(m);
        const auto hook = hook_of(a[NFTA_CHAIN_HOOK]);
        const auto family = family_name(family_of(m));
        if (!hook || !on_forwarding_path(*hook) || family.empty()) return;
        const std::string table = text_of(a[NFTA_CHAIN_TABLE]);
        const std::string chain = text_of(a[NFTA_CHAIN_NAME]);
        const bool drops = number_of(a[NFTA_CHAIN_POLICY]) == NF_DROP;
        if (drops || with_rules.contains({family_of(m), table, chain}))
          found.push_back(std::string(family) + ' ' + table + ' ' + chain);
      });
  if (!rules) return rules.error();
  if (!chains) return chains.error();
  return found;
}

}  // namespace hopwise
