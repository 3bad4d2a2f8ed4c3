#include "core/bgp/md5.hpp"

#include <arpa/inet.h>
#include <linux/tcp.h>
#include <sys/socket.h>

#include <cerrno>
#include <cstring>

namespace hopwise::bgp {

Result<> require_md5(int listening_fd, const IpAddress& peer, const std::string& password) {
  tcp_md5sig signature{};
  if (password.size() > sizeof signature.tcpm_key)
    return Error{"set the TCP MD5 password of " + peer.text() + ": it is longer than " +
                 std::to_string(sizeof signature.tcpm_key) + " bytes (make it shorter)"};
  if (peer.is_v4()) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    std::memcpy(&address.sin_addr, peer.bytes.data(), 4);
    std::memcpy(&signature.tcpm_addr, &address, sizeof address);
  } else {
    sockaddr_in6 address{};
    address.sin6_family = AF_INET6;
    std::memcpy(&address.sin6_addr, peer.bytes.data(), 16);
    std::memcpy(&signature.tcpm_addr, &address, sizeof address);
  }
  signature.tcpm_keylen = static_cast<__u16>(password.size());
  std::memcpy(signature.tcpm_key, password.data(), password.size());
  if (::setsockopt(listening_fd, IPPROTO_TCP, TCP_MD5SIG, &signature, sizeof signature) != 0)
    return system_error("set the TCP MD5 password of " + peer.text(), errno,
                        errno == ENOPROTOOPT || errno == EOPNOTSUPP || errno == EINVAL
                            ? "the kernel lacks CONFIG_TCP_MD5SIG, or runs in FIPS mode"
                            : "");
  return {};
}

}  // namespace hopwise::bgp
