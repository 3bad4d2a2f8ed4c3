// Opens and sets up the descriptor of a DatagramSocket.
#pragma once

#include <unistd.h>

#include <cstdint>
#include <utility>
#include <vector>

#include "core/model/result.hpp"
#include "probes/socket/datagram_socket.hpp"

namespace hopwise::probes {

/// A file descriptor, closed at the end.
class Descriptor {
 public:
  explicit Descriptor(int fd = -1) : fd_(fd) {}
  Descriptor(Descriptor&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  Descriptor& operator=(Descriptor&& other) noexcept {
    std::swap(fd_, other.fd_);
    return *this;
  }
  ~Descriptor() {
    if (fd_ >= 0) close(fd_);
  }
  [[nodiscard]] int get() const { return fd_; }

 private:
  int fd_;
};

struct Opened {
  Descriptor socket;
  std::vector<Descriptor> holders;   // of ports, for raw TCP: bound, never listening
  std::vector<std::uint16_t> ports;  // see DatagramSocket::ports()
};

Result<Opened> open_descriptor(const DatagramSocket::Options& options);

}  // namespace hopwise::probes
