#include "test/bench/kernel_routes.hpp"

#include <linux/rtnetlink.h>
#include <sys/socket.h>

#include <cerrno>

#include "test/bench/internet.hpp"
#include "test/bench/visit.hpp"

namespace hopwise::bench {
namespace {

constexpr std::size_t kBatchBytes = 60'000;
constexpr std::size_t kMessageBytes = 1024;  // more than any of ours
constexpr std::uint32_t kMetric = 20;

[[noreturn]] void refuse(const std::string& what, int cause) {
  throw std::runtime_error(system_error(what, cause).message);
}

mnl_socket* open_socket() {
  mnl_socket* socket = mnl_socket_open2(NETLINK_ROUTE, SOCK_CLOEXEC);
  if (socket == nullptr) refuse("open a netlink socket", errno);
  const int yes = 1, bytes = 4 << 20;
  mnl_socket_setsockopt(socket, NETLINK_CAP_ACK, const_cast<int*>(&yes), sizeof(yes));
  setsockopt(mnl_socket_get_fd(socket), SOL_SOCKET, SO_SNDBUFFORCE, &bytes, sizeof(bytes));
  if (mnl_socket_bind(socket, 0, MNL_SOCKET_AUTOPID) < 0) refuse("bind a netlink socket", errno);
  return socket;
}

void put_legs(nlmsghdr* message, const std::vector<Leg>& legs) {
  nlattr* nest = mnl_attr_nest_start(message, RTA_MULTIPATH);
  for (const Leg& leg : legs) {
    auto* hop = static_cast<rtnexthop*>(mnl_nlmsg_get_payload_tail(message));
    const std::uint32_t begin = message->nlmsg_len;
    message->nlmsg_len += static_cast<std::uint32_t>(sizeof(rtnexthop));
    *hop = {};
    hop->rtnh_ifindex = static_cast<int>(leg.ifindex);
    hop->rtnh_hops = static_cast<unsigned char>(leg.weight - 1);
    mnl_attr_put(message, RTA_GATEWAY, leg.gateway.size(), leg.gateway.bytes.data());
    hop->rtnh_len = static_cast<unsigned short>(message->nlmsg_len - begin);
  }
  mnl_attr_nest_end(message, nest);
}

}  // namespace

RouteWriter::RouteWriter(const lab::Namespace& where)
    : socket_(nullptr, mnl_socket_close), queue_(kBatchBytes + kMessageBytes) {
  const Visit visit(where);
  socket_.reset(open_socket());
}

nlmsghdr* RouteWriter::begin(const Prefix& prefix, std::uint16_t type, unsigned flags) {
  if (used_ >= kBatchBytes) flush();
  nlmsghdr* message = mnl_nlmsg_put_header(queue_.data() + used_);
  message->nlmsg_type = type;
  message->nlmsg_flags = static_cast<std::uint16_t>(NLM_F_REQUEST | flags);
  auto* route = static_cast<rtmsg*>(mnl_nlmsg_put_extra_header(message, sizeof(rtmsg)));
  route->rtm_family = prefix.address.is_v4() ? AF_INET : AF_INET6;
  route->rtm_dst_len = prefix.length;
  route->rtm_table = RT_TABLE_MAIN;
  route->rtm_protocol = RTPROT_BGP;
  route->rtm_scope = RT_SCOPE_UNIVERSE;
  route->rtm_type = RTN_UNICAST;
  mnl_attr_put(message, RTA_DST, prefix.address.size(), prefix.address.bytes.data());
  mnl_attr_put_u32(message, RTA_PRIORITY, kMetric);
  return message;
}

void RouteWriter::end(nlmsghdr* message) {
  used_ += MNL_ALIGN(message->nlmsg_len);
  last_ = message;
  ++written_;
}

void RouteWriter::set(const Prefix& prefix, const Ways& ways) {
  nlmsghdr* message = begin(prefix, RTM_NEWROUTE, NLM_F_CREATE | NLM_F_REPLACE);
  if (ways.object != 0)
    mnl_attr_put_u32(message, RTA_NH_ID, ways.object);
  else
    put_legs(message, ways.legs);
  end(message);
}

void RouteWriter::remove(const Prefix& prefix) {
  end(begin(prefix, RTM_DELROUTE, 0));
}

void RouteWriter::flush() {
  if (last_ == nullptr) return;
  last_->nlmsg_flags |= NLM_F_ACK;
  last_ = nullptr;
  if (mnl_socket_sendto(socket_.get(), queue_.data(), std::exchange(used_, 0)) < 0)
    refuse("write routes", errno);
  std::vector<char> answer(32768);
  for (;;) {
    ssize_t length = mnl_socket_recvfrom(socket_.get(), answer.data(), answer.size());
    if (length < 0) refuse("write routes", errno);
    auto left = static_cast<int>(length);
    for (const auto* message = reinterpret_cast<const nlmsghdr*>(answer.data());
         mnl_nlmsg_ok(message, left); message = mnl_nlmsg_next(message, &left)) {
      if (message->nlmsg_type != NLMSG_ERROR) continue;
      const int verdict = static_cast<const nlmsgerr*>(mnl_nlmsg_get_payload(message))->error;
      if (verdict != 0) refuse("write a route", -verdict);
      return;
    }
  }
}

void add_kernel_routes(const lab::Namespace& where, std::span<const Prefix> routes,
                       std::uint32_t first) {
  RouteWriter writer(where);
  for (std::size_t i = 0; i < routes.size(); ++i)
    writer.set(routes[i], {static_cast<std::uint32_t>(first + i % kGroups), {}});
  writer.flush();
}

void add_kernel_nexthops(const lab::Namespace& where, std::uint32_t first, const std::string& one,
                         const std::string& two) {
  const std::string a = std::to_string(first + kGroups), b = std::to_string(first + kGroups + 1);
  std::string lines = "nexthop add id " + a + ' ' + one + "\nnexthop add id " + b + ' ' + two;
  for (std::uint32_t i = 0; i < kGroups; ++i)
    lines += "\nnexthop add id " + std::to_string(first + i) + " group " + a + '/' + b;
  where.ip(lines).value();
}

}  // namespace hopwise::bench
