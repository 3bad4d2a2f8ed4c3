#include "test/bench/follow_parts.hpp"

#include <linux/rtnetlink.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <stdexcept>

#include "test/bench/visit.hpp"

namespace hopwise::bench {

double quantile(std::vector<double> runs, double share) {
  const auto at =
      std::min(runs.size() - 1, static_cast<std::size_t>(share * static_cast<double>(runs.size())));
  std::nth_element(runs.begin(), runs.begin() + static_cast<std::ptrdiff_t>(at), runs.end());
  return runs[at];
}

BareDump bare_dump(const lab::Namespace& where) {
  const Visit visit(where);
  const dataplane::Handle socket(::socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE));
  const int yes = 1;
  setsockopt(socket.fd(), SOL_NETLINK, NETLINK_GET_STRICT_CHK, &yes, sizeof(yes));
  BareDump dump;
  std::vector<char> buffer(32768);
  const auto begin = FollowClock::now();
  for (const unsigned char family : std::array<unsigned char, 2>{AF_INET, AF_INET6}) {
    struct {
      nlmsghdr header;
      rtmsg route;
    } request{};
    request.header = {sizeof(request), RTM_GETROUTE, NLM_F_REQUEST | NLM_F_DUMP, 0, 0};
    request.route.rtm_family = family;
    request.route.rtm_table = RT_TABLE_MAIN;
    if (send(socket.fd(), &request, sizeof(request), 0) < 0)
      throw std::runtime_error(system_error("dump routes", errno).message);
    for (bool more = true; more;) {
      const ssize_t length = recv(socket.fd(), buffer.data(), buffer.size(), 0);
      if (length <= 0) throw std::runtime_error(system_error("dump routes", errno).message);
      auto left = static_cast<int>(length);
      for (const auto* message = reinterpret_cast<const nlmsghdr*>(buffer.data());
           mnl_nlmsg_ok(message, left); message = mnl_nlmsg_next(message, &left)) {
        if (message->nlmsg_type == RTM_NEWROUTE) ++dump.messages;
        more = more && message->nlmsg_type != NLMSG_DONE && message->nlmsg_type != NLMSG_ERROR;
      }
    }
  }
  dump.seconds = seconds_since(begin);
  return dump;
}

// An address that goes says nothing of the routes that went with it.
void begin_resync(const FollowRouter& router, const FollowDaemon& daemon) {
  router.router().ip("addr add 10.10.1.1/24 dev lan0\naddr del 10.10.1.1/24 dev lan0").value();
  const auto end = FollowClock::now() + std::chrono::minutes(3);
  while (!daemon.sockets().dumping) {
    if (FollowClock::now() > end) throw std::runtime_error("no dump follows an address that goes");
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
}

}  // namespace hopwise::bench
