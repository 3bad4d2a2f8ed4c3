#include "core/netlink/socket.hpp"

#include <sys/socket.h>

#include <array>
#include <cerrno>
#include <string>
#include <vector>

namespace hopwise::netlink {
namespace {

// The kernel fills dumps up to 32 KiB a read when the reader offers that much.
constexpr std::size_t kReadBytes = 32768;

// A dump that fails says so in its last message. What a table that nobody has made yet holds, is
// nothing: not a failure.
int dump_verdict(const nlmsghdr& done) {
  if (mnl_nlmsg_get_payload_len(&done) < sizeof(int)) return 0;
  const int verdict = *static_cast<const int*>(mnl_nlmsg_get_payload(&done));
  return verdict == -ENOENT ? 0 : verdict;
}

// Walks the messages of one read. Returns 0 at the end of an answer, 1 when more is to come, or a
// negative errno: the kernel's own verdict on the request.
int walk(const char* data, int length, std::uint32_t sequence,
         const std::function<void(const nlmsghdr&)>* each) {
  for (const auto* message = reinterpret_cast<const nlmsghdr*>(data); mnl_nlmsg_ok(message, length);
       message = mnl_nlmsg_next(message, &length)) {
    if (sequence != 0 && message->nlmsg_seq != sequence) continue;
    if (message->nlmsg_type == NLMSG_ERROR) {
      const auto* verdict = static_cast<const nlmsgerr*>(mnl_nlmsg_get_payload(message));
      return verdict->error;
    }
    if (message->nlmsg_type == NLMSG_DONE) return dump_verdict(*message);
    if (message->nlmsg_type >= NLMSG_MIN_TYPE && each != nullptr) (*each)(*message);
  }
  return 1;
}

}  // namespace

Result<Socket> Socket::open(int bus, std::uint32_t groups, int receive_buffer_bytes) {
  mnl_socket* raw = mnl_socket_open2(bus, SOCK_CLOEXEC);
  if (raw == nullptr) return system_error("open netlink socket", errno);
  Socket socket(raw);
  const int yes = 1;
  // A stricter kernel refuses what it would else ignore, and filters dumps. Old ones lack these.
  mnl_socket_setsockopt(raw, NETLINK_GET_STRICT_CHK, const_cast<int*>(&yes), sizeof(yes));
  mnl_socket_setsockopt(raw, NETLINK_CAP_ACK, const_cast<int*>(&yes), sizeof(yes));
  if (receive_buffer_bytes > 0)
    setsockopt(socket.fd(), SOL_SOCKET, SO_RCVBUFFORCE, &receive_buffer_bytes,
               sizeof(receive_buffer_bytes));
  if (mnl_socket_bind(raw, groups, MNL_SOCKET_AUTOPID) < 0)
    return system_error("bind netlink socket", errno);
  return socket;
}

Result<> Socket::join(int group) {
  if (mnl_socket_setsockopt(socket_.get(), NETLINK_ADD_MEMBERSHIP, &group, sizeof(group)) < 0)
    return system_error("join netlink group " + std::to_string(group), errno);
  return {};
}

Result<> Socket::request(nlmsghdr* request, const std::string& what) {
  request->nlmsg_flags |= NLM_F_REQUEST | NLM_F_ACK;
  return converse(request, what, nullptr);
}

Result<> Socket::add(nlmsghdr* request, const std::string& what) {
  request->nlmsg_flags |= NLM_F_REQUEST | NLM_F_ACK | NLM_F_CREATE | NLM_F_EXCL;
  return converse(request, what, nullptr, EEXIST);
}

Result<> Socket::ask(nlmsghdr* question, const std::string& what,
                     const std::function<void(const nlmsghdr&)>& each) {
  question->nlmsg_flags |= NLM_F_REQUEST | NLM_F_ACK;
  return converse(question, what, &each);
}

Result<> Socket::dump(nlmsghdr* request, const std::string& what,
                      const std::function<void(const nlmsghdr&)>& each) {
  request->nlmsg_flags |= NLM_F_REQUEST | NLM_F_DUMP;
  return converse(request, what, &each);
}

Result<> Socket::converse(nlmsghdr* request, const std::string& what,
                          const std::function<void(const nlmsghdr&)>* each, int forgiven) {
  request->nlmsg_seq = ++sequence_;
  if (mnl_socket_sendto(socket_.get(), request, request->nlmsg_len) < 0)
    return system_error(what, errno);
  std::vector<char> buffer(kReadBytes);
  for (;;) {
    const ssize_t length = mnl_socket_recvfrom(socket_.get(), buffer.data(), buffer.size());
    if (length < 0) {
      if (errno == EINTR) continue;
      return system_error(what, errno);
    }
    const int verdict = walk(buffer.data(), static_cast<int>(length), sequence_, each);
    if (verdict == 0 || verdict == -forgiven) return {};
    if (verdict < 0) return system_error(what, verdict);
  }
}

Result<bool> Socket::receive(const std::function<void(const nlmsghdr&)>& each) {
  std::vector<char> buffer(kReadBytes);
  bool complete = true;
  for (;;) {
    const ssize_t length = recv(fd(), buffer.data(), buffer.size(), MSG_DONTWAIT);
    if (length < 0) {
      if (errno == EINTR) continue;
      if (errno == EAGAIN || errno == EWOULDBLOCK) return complete;
      if (errno != ENOBUFS) return system_error("read netlink events", errno);
      complete = false;
      continue;
    }
    walk(buffer.data(), static_cast<int>(length), 0, &each);
  }
}

Result<> Socket::begin_dump(nlmsghdr* request, const std::string& what) {
  request->nlmsg_flags |= NLM_F_REQUEST | NLM_F_DUMP;
  request->nlmsg_seq = ++sequence_;
  if (mnl_socket_sendto(socket_.get(), request, request->nlmsg_len) < 0)
    return system_error(what, errno);
  return {};
}

Result<Socket::Answer> Socket::read_dump(const std::string& what,
                                         const std::function<void(const nlmsghdr&)>& each) {
  alignas(nlmsghdr) std::array<char, kReadBytes> buffer;
  ssize_t length = 0;
  do {
    length = recv(fd(), buffer.data(), buffer.size(), MSG_DONTWAIT);
  } while (length < 0 && errno == EINTR);
  if (length < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) return Answer::nothing_yet;
  if (length < 0) return system_error(what, errno);
  const int verdict = walk(buffer.data(), static_cast<int>(length), sequence_, &each);
  if (verdict < 0) return system_error(what, verdict);
  return verdict == 0 ? Answer::done : Answer::more;
}

Result<> Socket::receive(Batch& batch) {
  std::array<mmsghdr, Batch::kReads> headers{};
  std::array<iovec, Batch::kReads> places{};
  for (std::size_t i = 0; i < headers.size(); ++i) {
    places[i] = {batch.space_.get() + i * kReadBytes, kReadBytes};
    headers[i].msg_hdr.msg_iov = &places[i];
    headers[i].msg_hdr.msg_iovlen = 1;
  }
  batch.reads_ = 0;
  batch.lost_ = false;
  const int got = recvmmsg(fd(), headers.data(), Batch::kReads, MSG_DONTWAIT, nullptr);
  if (got < 0) {
    batch.lost_ = errno == ENOBUFS;
    if (batch.lost_ || errno == EINTR || errno == EAGAIN || errno == EWOULDBLOCK) return {};
    return system_error("read netlink events", errno);
  }
  batch.reads_ = static_cast<std::size_t>(got);
  for (std::size_t i = 0; i < batch.reads_; ++i) {
    batch.lengths_[i] = headers[i].msg_len;
    if ((headers[i].msg_hdr.msg_flags & MSG_TRUNC) != 0) batch.lost_ = true;
  }
  return {};
}

Batch::Batch() : space_(new char[kReads * kReadBytes]) {}

void Batch::each(const std::function<void(const nlmsghdr&)>& each) const {
  for (std::size_t i = 0; i < reads_; ++i)
    walk(space_.get() + i * kReadBytes, static_cast<int>(lengths_[i]), 0, &each);
}

std::uint32_t Socket::port() const {
  return mnl_socket_get_portid(socket_.get());
}

int Socket::fd() const {
  return mnl_socket_get_fd(socket_.get());
}

}  // namespace hopwise::netlink
