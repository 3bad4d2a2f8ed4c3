// A netlink socket over libmnl's framing: requests with an acknowledgement, dumps, and events.
// The only place that knows how netlink conversations go; what is in the messages is for callers.
#pragma once

#include <libmnl/libmnl.h>

#include <array>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "core/model/result.hpp"

namespace hopwise::netlink {

/// What was read from an event socket at once, before anybody has looked at it.
class Batch {
 public:
  static constexpr std::size_t kReads = 64;  // the kernel tells one event a read

  Batch();
  /// Calls `each` with every message.
  void each(const std::function<void(const nlmsghdr&)>& each) const;
  /// The socket may hold more.
  [[nodiscard]] bool full() const { return reads_ == kReads || lost_; }
  [[nodiscard]] bool empty() const { return reads_ == 0; }
  /// The kernel dropped events: what is known must be dumped anew.
  [[nodiscard]] bool lost() const { return lost_; }

 private:
  friend class Socket;
  std::unique_ptr<char[]> space_;  // of kReads reads; what is not used is never touched
  std::array<std::size_t, kReads> lengths_{};
  std::size_t reads_ = 0;
  bool lost_ = false;
};

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

  /// The same for an addition (NLM_F_CREATE | NLM_F_EXCL are added too). What is there already, the
  /// same, is no failure.
  Result<> add(nlmsghdr* request, const std::string& what);

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

  /// Asks for a dump and returns; the answer is read by read_dump().
  Result<> begin_dump(nlmsghdr* request, const std::string& what);
  enum class Answer { nothing_yet, more, done };
  /// Reads once, without waiting, and calls `each` with every message. The kernel has made ready
  /// what this reads while it gave out what was read before.
  Result<Answer> read_dump(const std::string& what,
                           const std::function<void(const nlmsghdr&)>& each);

  /// Reads what has arrived, without waiting and as much as `batch` has room for.
  Result<> receive(Batch& batch);

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
                    const std::function<void(const nlmsghdr&)>* each, int forgiven = 0);

  std::unique_ptr<mnl_socket, Closer> socket_;
  std::uint32_t sequence_ = 0;
};

}  // namespace hopwise::netlink
