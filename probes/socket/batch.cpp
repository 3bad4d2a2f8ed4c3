#include "probes/socket/batch.hpp"

#include <linux/net_tstamp.h>
#include <netinet/in.h>

#include <cerrno>
#include <cstring>

namespace hopwise::probes {
namespace {

constexpr int kPassedOver = 8;  // errors of a socket in a row, each told once

// Puts ancillary data behind each other.
class Notes {
 public:
  explicit Notes(Control& control) : control_(control) {}

  template <class T>
  void add(int level, int type, const T& value) {
    cmsghdr header{};
    header.cmsg_level = level;
    header.cmsg_type = type;
    header.cmsg_len = CMSG_LEN(sizeof(value));
    std::uint8_t* at = control_.bytes.data() + size_;
    std::memcpy(at, &header, sizeof(header));
    std::memcpy(at + CMSG_LEN(0), &value, sizeof(value));
    size_ += CMSG_SPACE(sizeof(value));
  }
  [[nodiscard]] std::size_t size() const { return size_; }

 private:
  Control& control_;
  std::size_t size_ = 0;
};

socklen_t fill(sockaddr_storage& storage, const Outgoing& datagram) {
  if (datagram.to.is_v4()) {
    sockaddr_in to{};
    to.sin_family = AF_INET;
    to.sin_port = htons(datagram.port);
    std::memcpy(&to.sin_addr, datagram.to.bytes.data(), sizeof(to.sin_addr));
    std::memcpy(&storage, &to, sizeof(to));
    return sizeof(to);
  }
  sockaddr_in6 to{};
  to.sin6_family = AF_INET6;
  to.sin6_port = htons(datagram.port);
  to.sin6_flowinfo = htonl(datagram.flow_label & 0xfffffU);
  std::memcpy(&to.sin6_addr, datagram.to.bytes.data(), sizeof(to.sin6_addr));
  if (datagram.to.is_link_local()) to.sin6_scope_id = datagram.ifindex;
  std::memcpy(&storage, &to, sizeof(to));
  return sizeof(to);
}

void add_source(Notes& notes, const Outgoing& datagram) {
  const IpAddress& from = *datagram.from;
  if (from.is_v4()) {
    in_pktinfo info{};
    std::memcpy(&info.ipi_spec_dst, from.bytes.data(), sizeof(info.ipi_spec_dst));
    return notes.add(SOL_IP, IP_PKTINFO, info);
  }
  in6_pktinfo info{};
  std::memcpy(&info.ipi6_addr, from.bytes.data(), sizeof(info.ipi6_addr));
  if (from.is_link_local()) info.ipi6_ifindex = datagram.ifindex;
  notes.add(SOL_IPV6, IPV6_PKTINFO, info);
}

}  // namespace

Inbox::Inbox(Source source, std::size_t room, std::size_t bytes)
    : source_(source),
      bytes_each_(bytes),
      used_(room),
      headers_(room),
      vectors_(room),
      from_(source == Source::datagrams ? room : 0),
      controls_(room),
      bytes_(room * bytes) {}

// Readies the first `count` headers for another batch: the kernel wrote sizes into them.
void Inbox::offer(std::size_t count) {
  for (std::size_t i = 0; i < count; i++) {
    const bool named = !from_.empty();
    vectors_[i] = {&bytes_[i * bytes_each_], bytes_each_};
    headers_[i].msg_hdr = {.msg_name = named ? &from_[i] : nullptr,
                           .msg_namelen = named ? socklen_t{sizeof(from_[i])} : 0,
                           .msg_iov = &vectors_[i],
                           .msg_iovlen = 1,
                           .msg_control = controls_[i].bytes.data(),
                           .msg_controllen = controls_[i].bytes.size(),
                           .msg_flags = 0};
  }
}

std::size_t Inbox::receive(int fd) {
  const int flags = source_ == Source::error_queue ? MSG_ERRQUEUE | MSG_DONTWAIT : MSG_DONTWAIT;
  offer(used_);
  used_ = 0;
  for (int errors = 0; errors < kPassedOver; errors++) {
    const int count = recvmmsg(fd, headers_.data(), static_cast<unsigned>(room()), flags, nullptr);
    if (count > 0) used_ = static_cast<std::size_t>(count);
    if (count >= 0 || errno == EAGAIN) break;
  }
  return used_;
}

std::span<const std::uint8_t> Inbox::bytes(std::size_t index) const {
  return {&bytes_[index * bytes_each_], headers_[index].msg_len};
}

Outbox::Outbox(std::size_t room) : headers_(room), vectors_(room), to_(room), controls_(room) {}

void Outbox::put(std::size_t index, const Outgoing& datagram) {
  Notes notes(controls_[index]);
  notes.add(SOL_SOCKET, SO_MARK, datagram.mark);
  if (datagram.from) add_source(notes, datagram);
  const bool v4 = datagram.to.is_v4();
  if (datagram.ttl)
    notes.add(v4 ? SOL_IP : SOL_IPV6, v4 ? IP_TTL : IPV6_HOPLIMIT, int{*datagram.ttl});
  if (datagram.traffic_class)
    notes.add(v4 ? SOL_IP : SOL_IPV6, v4 ? IP_TOS : IPV6_TCLASS, int{*datagram.traffic_class});
  if (datagram.stamps == Stamps::all)  // else what the socket asks for
    notes.add(SOL_SOCKET, SO_TIMESTAMPING,
              std::uint32_t{SOF_TIMESTAMPING_TX_SCHED | SOF_TIMESTAMPING_TX_SOFTWARE});
  vectors_[index] = {const_cast<std::uint8_t*>(datagram.bytes.data()), datagram.bytes.size()};
  headers_[index].msg_hdr = {.msg_name = &to_[index],
                             .msg_namelen = fill(to_[index], datagram),
                             .msg_iov = &vectors_[index],
                             .msg_iovlen = 1,
                             .msg_control = controls_[index].bytes.data(),
                             .msg_controllen = notes.size(),
                             .msg_flags = 0};
}

void Outbox::send(int fd, std::span<const Outgoing> batch, std::span<int> errors) {
  for (std::size_t i = 0; i < batch.size(); i++) put(i, batch[i]);
  for (std::size_t i = 0; i < batch.size();) {
    const int sent = sendmmsg(fd, &headers_[i], static_cast<unsigned>(batch.size() - i),
                              MSG_DONTWAIT | MSG_NOSIGNAL);
    if (sent <= 0) {
      errors[i++] = sent < 0 ? errno : EIO;
      continue;
    }
    for (int each = 0; each < sent; each++) errors[i++] = 0;
  }
}

}  // namespace hopwise::probes
