#include "core/routes/dump.hpp"

#include <linux/if_link.h>
#include <linux/neighbour.h>
#include <linux/nexthop.h>
#include <linux/rtnetlink.h>
#include <sys/socket.h>

#include <array>

#include "core/netlink/request.hpp"

namespace hopwise::routes {
namespace {

enum class Table { none, local, followed };

struct Part {
  Fib::Kind kind;
  std::uint16_t type;
  unsigned char family;
  Table table;
  const char* what;
};

constexpr std::array<Part, 7> kParts{{
    {Fib::Kind::links, RTM_GETLINK, AF_UNSPEC, Table::none, "dump links"},
    {Fib::Kind::neighbours, RTM_GETNEIGH, AF_UNSPEC, Table::none, "dump neighbours"},
    {Fib::Kind::objects, RTM_GETNEXTHOP, AF_UNSPEC, Table::none, "dump nexthop objects"},
    {Fib::Kind::routes, RTM_GETROUTE, AF_INET, Table::local, "dump local IPv4 routes"},
    {Fib::Kind::routes, RTM_GETROUTE, AF_INET, Table::followed, "dump IPv4 routes"},
    {Fib::Kind::routes, RTM_GETROUTE, AF_INET6, Table::local, "dump local IPv6 routes"},
    {Fib::Kind::routes, RTM_GETROUTE, AF_INET6, Table::followed, "dump IPv6 routes"},
}};

}  // namespace

Result<> Dump::begin(Fib& fib) {
  fib.begin_dump();
  part_ = 0;
  torn_ = false;
  if (auto asked = ask(); !asked) {
    fib.abandon_dump();
    return asked;
  }
  running_ = true;
  return {};
}

Result<> Dump::ask() {
  const Part& part = kParts.at(part_);
  netlink::Request request(part.type, 0);
  switch (part.type) {
    case RTM_GETLINK:
      request.fixed<ifinfomsg>();
      break;
    case RTM_GETNEIGH:
      request.fixed<ndmsg>();
      break;
    case RTM_GETNEXTHOP:
      request.fixed<nhmsg>();
      break;
    default: {
      const std::uint32_t table = part.table == Table::local ? RT_TABLE_LOCAL : table_;
      auto& about = request.fixed<rtmsg>();
      about.rtm_family = part.family;
      about.rtm_table = static_cast<unsigned char>(table < 256 ? table : RT_TABLE_COMPAT);
      if (table >= 256) mnl_attr_put_u32(request.header, RTA_TABLE, table);
    }
  }
  return socket_.begin_dump(request.header, part.what);
}

Result<Dump::Step> Dump::step(Fib& fib) {
  const Part& part = kParts.at(part_);
  const auto fail = [&](const Error& error) {
    running_ = false;
    fib.abandon_dump();
    return error;
  };
  const auto answer = socket_.read_dump(part.what, [&](const nlmsghdr& message) {
    if ((message.nlmsg_flags & NLM_F_DUMP_INTR) != 0) torn_ = true;
    if (const auto parsed = parse(message)) fib.dumped(*parsed);
  });
  if (!answer) return fail(answer.error());
  if (*answer == netlink::Socket::Answer::nothing_yet) return Step::waits;
  const bool done = *answer == netlink::Socket::Answer::done;
  if (done) fib.end_of(part.kind);
  fib.end_of_read();
  if (!done) return Step::went_on;
  if (++part_ < kParts.size()) {
    if (auto asked = ask(); !asked) return fail(asked.error());
    return Step::kind_complete;
  }
  running_ = false;
  fib.end_dump();
  return Step::complete;
}

}  // namespace hopwise::routes
