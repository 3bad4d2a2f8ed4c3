// Real TCP traffic from a client namespace to a server namespace: paced long flows and a steady
// stream of short ones, all uploads, the direction that hopwise steers.
//
// A flow's client sends and closes its half; the server reads to the end and answers with one byte.
// So a short flow's duration is the latency that an application would see, and it is lost only when
// that answer never comes (reset, or nothing for kShortFlowTimeout). Each side is one thread inside
// its namespace. Destination ports tell long flows (kLongPort) and short ones (kShortPort) apart.
#pragma once

#include <chrono>
#include <memory>

#include "core/model/address.hpp"
#include "core/model/result.hpp"
#include "core/model/time.hpp"
#include "test/lab/namespace.hpp"
#include "test/lab/record.hpp"

namespace hopwise::lab {

inline constexpr std::chrono::seconds kShortFlowTimeout{10};

struct TrafficPlan {
  IpAddress server;
  int long_flows = 8;
  double new_flows_per_s = 40;
  int flow_kbytes = 50;
  double mbit = 60;  // of all flows together; what the short ones leave is shared by the long ones

  /// What one long flow may send.
  [[nodiscard]] double long_flow_bytes_per_s() const;
};

class Traffic {
 public:
  /// Begins at once. `origin` is the zero of every time recorded.
  static Result<std::unique_ptr<Traffic>> start(const Namespace& client, const Namespace& server,
                                                const TrafficPlan& plan, TimePoint origin);
  ~Traffic();

  /// What was recorded so far.
  [[nodiscard]] TrafficRecord record() const;

  /// Begins no more short flows, waits until those that run have ended, then ends the long ones.
  TrafficRecord stop();

 private:
  class Client;
  class Server;
  Traffic(std::unique_ptr<Server> server, std::unique_ptr<Client> client);
  std::unique_ptr<Server> server_;
  std::unique_ptr<Client> client_;
};

}  // namespace hopwise::lab
