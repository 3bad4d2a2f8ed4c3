// Packet sockets that see what arrives at a device of a namespace: for those who watch what the
// router really sends.
#pragma once

#include <string>

#include "core/model/result.hpp"
#include "test/lab/namespace.hpp"

namespace hopwise::lab {

struct PacketSocket {
  std::string device;
  int receive_buffer_bytes = 0;
  enum class Stamps : unsigned char { none, kernel } stamps = Stamps::none;  // SO_TIMESTAMPNS
};

/// A descriptor, non-blocking, that reads what arrives from its IP header on. It lives in the
/// namespace where it was made, whichever thread reads it. The caller closes it.
Result<int> open_packet_socket(const Namespace& where, const PacketSocket& wanted);

}  // namespace hopwise::lab
