// A steady stream of numbered UDP datagrams over several 5-tuples: proof of "not a packet lost".
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>

#include "core/model/address.hpp"
#include "core/model/result.hpp"
#include "test/lab/namespace.hpp"

namespace hopwise::lab {

struct StreamPlan {
  IpAddress server;
  std::uint16_t port = 5003;
  int flows = 16;  // 5-tuples, in turn
  int packets_per_s = 1000;
  int payload_bytes = 200;
  int large_bytes = 0;  // of every second datagram of a 5-tuple, where not 0
  int dscp = 0;
};

/// Reordering is told within one 5-tuple: a datagram behind a later one.
struct StreamCounts {
  std::uint64_t sent = 0;
  std::uint64_t unsent = 0;  // the client's own kernel refused them
  std::uint64_t received = 0;
  std::uint64_t duplicated = 0;
  std::uint64_t reordered = 0;
  std::uint64_t moved = 0;  // came from another address or port than the flow's first: NAT's doing

  [[nodiscard]] std::uint64_t lost() const { return sent + duplicated - received; }
};

class PacketStream {
 public:
  /// Begins at once.
  static Result<std::unique_ptr<PacketStream>> start(const Namespace& client,
                                                     const Namespace& server,
                                                     const StreamPlan& plan);
  ~PacketStream();

  /// While it runs: what is under way looks lost.
  [[nodiscard]] StreamCounts counts() const;

  /// Sends no more, waits until everything has arrived or nothing has for `patience`, and counts.
  StreamCounts stop(std::chrono::milliseconds patience = std::chrono::seconds(1));

 private:
  class Sender;
  class Receiver;
  PacketStream(std::unique_ptr<Receiver> receiver, std::unique_ptr<Sender> sender);
  std::unique_ptr<Receiver> receiver_;
  std::unique_ptr<Sender> sender_;
};

}  // namespace hopwise::lab
