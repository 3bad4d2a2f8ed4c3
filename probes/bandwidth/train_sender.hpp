// Sends one packet train to a STAMP reflector through exactly one nexthop, and gathers where the
// reflector's receive stamps put its packets (train.hpp says what of it follows).
//
// The packets are STAMP requests, padded by zeros (RFC 8762, 4.6), in one sendmmsg. The socket is
// the train's own. A reply counts once, and only with the session, the time and the sequence
// numbers of this train. Stamps are as good as the reflector's: hopwise reflect has the kernel's.
#pragma once

#include <boost/asio/io_context.hpp>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "core/model/result.hpp"
#include "probes/bandwidth/train.hpp"
#include "probes/http/marked_connect.hpp"

namespace hopwise::probes {

struct TrainPlan {
  Destination to;  // a STAMP reflector
  Departure by;
  std::string key;  // HMAC key, raw; empty: unauthenticated
  std::uint32_t packets = 32;
  std::uint32_t packet_bytes = 1400;            // of layer 3; nothing fragments
  Duration patience = std::chrono::seconds(1);  // for the replies

  static constexpr std::uint32_t kMaxPackets = 256;

  /// What it costs each way.
  [[nodiscard]] std::uint64_t bytes() const { return std::uint64_t{packets} * packet_bytes; }
};

class TrainSender {
 public:
  /// Called once: when all replies are there, or with the patience at its end.
  using OnTrain = std::function<void(const Train&)>;

  /// An error: nothing has left, and nobody is called. Lives as long as the train is under way;
  /// destroyed before, nobody is called.
  static Result<std::unique_ptr<TrainSender>> send(boost::asio::io_context& io,
                                                   const TrainPlan& plan, OnTrain on_train);
  TrainSender(const TrainSender&) = delete;
  TrainSender& operator=(const TrainSender&) = delete;
  ~TrainSender();

 private:
  struct Impl;
  explicit TrainSender(std::shared_ptr<Impl> impl) : impl_(std::move(impl)) {}
  std::shared_ptr<Impl> impl_;  // what waits in the io_context holds it weakly
};

}  // namespace hopwise::probes
