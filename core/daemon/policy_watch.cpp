#include "core/daemon/policy_watch.hpp"

#include <linux/netfilter/nfnetlink.h>
#include <linux/rtnetlink.h>
#include <linux/xfrm.h>

#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/steady_timer.hpp>
#include <vector>

#include "core/netlink/socket.hpp"

namespace hopwise {

struct PolicyWatch::Impl : std::enable_shared_from_this<Impl> {
  Impl(boost::asio::io_context& io_context, std::function<void()> on_change)
      : io(io_context), changed(std::move(on_change)), settle(io_context) {}

  void listen(int bus, std::initializer_list<int> groups) {
    auto socket = netlink::Socket::open(bus);
    if (!socket) return;  // a kernel without it has no such policy
    for (const int group : groups)
      if (!socket->join(group)) return;
    sources.push_back(
        {std::move(*socket), std::make_unique<boost::asio::posix::stream_descriptor>(io)});
    sources.back().readable->assign(sources.back().socket.fd());
  }

  void wait(std::size_t i) {
    sources[i].readable->async_wait(
        boost::asio::posix::stream_descriptor::wait_read,
        [self = shared_from_this(), i](boost::system::error_code error) {
          if (error) return;
          static_cast<void>(self->sources[i].socket.receive([](const nlmsghdr&) {}));
          self->tell_soon();
          self->wait(i);
        });
  }

  // A rule set is loaded in many messages: one answer to all of them.
  void tell_soon() {
    settle.expires_after(std::chrono::milliseconds(20));
    settle.async_wait([self = shared_from_this()](boost::system::error_code error) {
      if (!error) self->changed();
    });
  }

  void stop() {
    settle.cancel();
    for (Source& source : sources) source.readable->release();
  }

  struct Source {
    netlink::Socket socket;
    std::unique_ptr<boost::asio::posix::stream_descriptor> readable;
  };
  boost::asio::io_context& io;
  std::function<void()> changed;
  boost::asio::steady_timer settle;
  std::vector<Source> sources;
};

PolicyWatch::PolicyWatch(boost::asio::io_context& io, std::function<void()> changed)
    : impl_(std::make_shared<Impl>(io, std::move(changed))) {
  impl_->listen(NETLINK_NETFILTER, {NFNLGRP_NFTABLES});
  impl_->listen(NETLINK_ROUTE, {RTNLGRP_IPV4_RULE, RTNLGRP_IPV6_RULE, RTNLGRP_IPV4_NETCONF});
  impl_->listen(NETLINK_XFRM, {XFRMNLGRP_POLICY});
  for (std::size_t i = 0; i < impl_->sources.size(); ++i) impl_->wait(i);
}

PolicyWatch::~PolicyWatch() {
  impl_->stop();
}

}  // namespace hopwise
