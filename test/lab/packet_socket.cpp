#include "test/lab/packet_socket.hpp"

#include <arpa/inet.h>
#include <linux/if_packet.h>
#include <net/ethernet.h>
#include <net/if.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <optional>

namespace hopwise::lab {
namespace {

Result<int> open_here(const PacketSocket& wanted) {
  const int fd = socket(AF_PACKET, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, htons(ETH_P_ALL));
  if (fd < 0) return system_error("open a packet socket", errno, "needs CAP_NET_RAW");
  const int on = 1;
  setsockopt(fd, SOL_PACKET, PACKET_IGNORE_OUTGOING, &on, sizeof on);
  if (wanted.stamps == PacketSocket::Stamps::kernel)
    setsockopt(fd, SOL_SOCKET, SO_TIMESTAMPNS, &on, sizeof on);
  setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &wanted.receive_buffer_bytes,
             sizeof wanted.receive_buffer_bytes);
  sockaddr_ll address{};
  address.sll_family = AF_PACKET;
  address.sll_protocol = htons(ETH_P_ALL);
  address.sll_ifindex = static_cast<int>(if_nametoindex(wanted.device.c_str()));
  if (bind(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0) return fd;
  const int error = errno;
  close(fd);
  return system_error("bind a packet socket to " + wanted.device, error);
}

}  // namespace

Result<int> open_packet_socket(const Namespace& where, const PacketSocket& wanted) {
  std::optional<Result<int>> opened;
  where.thread([&] { opened = open_here(wanted); }).join();
  return *opened;
}

}  // namespace hopwise::lab
