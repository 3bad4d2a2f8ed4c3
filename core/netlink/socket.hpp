// A netlink socket over libmnl's framing: requests with an acknowledgement, dumps, and events.
// The only place that knows how netlink conversations go; what is in the messages is for callers.
#pragma once

#include <libmnl/libmnl.h>

#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "core/model/result.hpp"

namespace hopwise::netlink {

class Socket {
 public:
  /// `bus`: NETLINK_ROUTE, NETLINK_NETFILTER, ...; `groups`: a mask of RTMGRP_* or 0.
  /// `receive_buffer_bytes` is forced (SO_RCVBUFFORCE) where allowed; 0 keeps the default.
  static Result<Socket> open(int bus, std::uint32_t groups = 0, int receive_buffer_bytes = 0);

  /// Joins one more multicast group (RTNLGRP_*), for those beyond the 32 of the mask.
  Result<> join(int group);

  /// Sends `request` (NLM_F_ACK is added) and waits for the acknowledgement. `what` names the
  /// operation in the error: "add rule fwmark 0x1".
  Result<> request(nlmsghdr* request, const std::string& what);

  /// The same for a question: calls `each` with the messages of the answer.
  Result<> ask(nlmsghdr* question, const std::string& what,
               const std::function<void(const nlmsghdr&)>& each);

  /// Sends `request` (NLM_F_REQUEST | NLM_F_DUMP is added) and calls `each` with every message of
  /// the answer. The dump is filtered by the kernel where the request says so (strict checking).
  /// A table that does not exist has no messages; that is no failure.
  Result<> dump(nlmsghdr* request, const std::string& what,
                const std::function<void(const nlmsghdr&)>& each);

  /// Reads what has arrived without waiting; calls `each` with every message. Returns false when
  /// the kernel dropped events (ENOBUFS): what is known must be dumped anew.
  Result<bool> receive(const std::function<void(const nlmsghdr&)>& each);

  /// What the kernel knows this socket by: nlmsg_pid in the events of what it asked for.
  [[nodiscard]] std::uint32_t port() const;
  /// For readiness waits; non-blocking reads happen in receive() alone.
  [[nodiscard]] int fd() const;

 private:
  struct Closer {
    void operator()(mnl_socket* s) const { mnl_socket_close(s); }
  };
  explicit Socket(mnl_socket* s) : socket_(s) {}
  Result<> converse(nlmsghdr* request, const std::string& what,
                    const std::function<void(const nlmsghdr&)>* each);

  std::unique_ptr<mnl_socket, Closer> socket_;
  std::uint32_t sequence_ = 0;
};

}  // namespace hopwise::netlink
