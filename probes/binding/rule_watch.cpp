#include "probes/binding/rule_watch.hpp"

#include <linux/rtnetlink.h>
#include <poll.h>

#include <utility>

namespace hopwise::probes {
namespace {

using std::chrono::steady_clock;

// Two programs that undo each other's work must not eat the machine.
constexpr Duration kRepairPause = std::chrono::milliseconds(100);
constexpr Duration kVerifyEvery = std::chrono::seconds(10);

constexpr auto kRemoved =
    "keep probe rules (ip rule, protocol 104): another program removed them; they are put back and "
    "the probes that were out are void (systemd-networkd: ManageForeignRoutingPolicyRules=no)";

}  // namespace

Result<std::shared_ptr<RuleWatch>> RuleWatch::open(boost::asio::io_context& io, Binding& binding,
                                                   OnStray on_stray) {
  auto events = netlink::Socket::open(NETLINK_ROUTE);
  if (!events) return events.error();
  for (const int group : {RTNLGRP_IPV4_RULE, RTNLGRP_IPV6_RULE, RTNLGRP_IPV4_IFADDR,
                          RTNLGRP_IPV6_IFADDR, RTNLGRP_LINK})
    if (auto done = events->join(group); !done) return done.error();
  const std::shared_ptr<RuleWatch> watch(
      new RuleWatch(io, binding, std::move(on_stray), std::move(*events)));
  watch->wait();
  watch->repair_at(watch->repaired_ + kVerifyEvery);
  return watch;
}

RuleWatch::RuleWatch(boost::asio::io_context& io, Binding& binding, OnStray on_stray,
                     netlink::Socket events)
    : binding_(binding),
      on_stray_(std::move(on_stray)),
      events_(std::move(events)),
      readable_(io, events_.fd()),
      timer_(io),
      repaired_(steady_clock::now()) {}

void RuleWatch::wait() {
  readable_.async_wait(boost::asio::posix::descriptor_base::wait_read,
                       [weak = weak_from_this()](const boost::system::error_code& error) {
                         const auto self = weak.lock();
                         if (error || !self) return;
                         self->read();
                         self->wait();
                       });
}

bool RuleWatch::intact() {
  pollfd told{events_.fd(), POLLIN, 0};
  if (poll(&told, 1, 0) != 0) read();
  return !adrift_;
}

void RuleWatch::read() {
  bool removed = false;
  const auto complete = events_.receive([&](const nlmsghdr& event) {
    removed |= binding_.removed_by_other(event);
    binding_.heard(event);
  });
  const bool all = complete && *complete;
  if (!all) binding_.missed_events();
  if (!removed && all) return;
  adrift_ = true;
  on_stray_(kRemoved);
  if (steady_clock::now() - repaired_ >= kRepairPause) return repair();
  repair_at(repaired_ + kRepairPause);
}

void RuleWatch::repair() {
  repaired_ = steady_clock::now();
  const auto missing = binding_.restore();
  if (!missing)
    on_stray_(missing.error().message);
  else if (*missing && !adrift_)
    on_stray_(kRemoved);
  adrift_ = !missing;
  repair_at(repaired_ + (adrift_ ? kRepairPause : kVerifyEvery));
}

void RuleWatch::repair_at(TimePoint time) {
  timer_.expires_at(time);
  timer_.async_wait([weak = weak_from_this()](const boost::system::error_code& error) {
    const auto self = weak.lock();
    if (!error && self) self->repair();
  });
}

}  // namespace hopwise::probes
