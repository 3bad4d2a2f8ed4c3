// The HTTP API: one Beast server on a TCP address (loopback by default) and on a unix socket.
//
//   GET /metrics            Prometheus text
//   GET /healthz            200 while the control loop answers
//   GET /readyz             200 when traffic is being steered on fresh measurements, else 503 and
//                           why
//   GET /api/v1/status      the whole Status, JSON
//   GET /api/v1/explain     ?src=&dst=&proto=&sport=&dport=&dscp=
//   GET /api/v1/events      ?since=&within_s=&group=&nexthop=&reason=&kind=&limit=
//   GET /api/v1/groups      all, or ?id= (a number or a name): what the control law holds of them
//   GET /api/v1/routes      ?match= | ?prefix= |
//   ?within=&after=&family=&group=&nexthop=&shown=&limit= GET /api/v1/traces      all that are
//   kept, or ?id= POST /api/v1/traces     ?nexthop=&dst=&probes=&hops= begins one (unix socket
//   only) POST /api/v1/reload     as SIGHUP (unix socket only) POST /api/v1/record
//   ?file=&seconds=&bytes= begins a recording (unix socket only) DELETE /api/v1/record   ends it
//   (unix socket only) GET /api/v1/record      of the newest one
//
// It lives on the control loop's io_context: handlers run there and nowhere else. Nothing that a
// client does or fails to do, and nothing that a handler throws, gets out of it.
#pragma once

#include <boost/asio/io_context.hpp>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "core/model/event.hpp"
#include "core/model/flow.hpp"
#include "core/model/result.hpp"
#include "core/model/route_page.hpp"
#include "core/model/status.hpp"
#include "core/model/trace.hpp"

namespace hopwise::api {

struct Options {
  std::string listen = "127.0.0.1:9469";  // address:port, "[::1]:9469"; empty: no TCP listener
  std::string socket = "/run/hopwise/hopwise.sock";  // empty: no unix socket
  /// How long a connection may take for a request, take to read its answer, or idle.
  Duration patience = std::chrono::seconds(10);
};

/// What POST /api/v1/traces asks for.
struct TraceOrder {
  std::string nexthop;  // name, id or gateway
  IpAddress destination;
  std::uint32_t probes = 3;    // a hop, 1 to 20
  std::uint8_t max_hops = 30;  // 1 to 64
};

/// What POST /api/v1/record asks for.
struct RecordOrder {
  std::string file;                    // absolute; must not be there yet
  std::optional<Duration> duration{};  // empty: until it is ended
  std::uint64_t max_bytes = std::uint64_t{1} << 30;
};

/// The newest recording.
struct RecordStatus {
  bool recording = false;
  std::string file{};  // empty: there was none
  double seconds = 0;
  std::uint64_t bytes = 0;
  std::string ended{};  // why; empty while it is under way
};

struct Handlers {
  std::function<std::string()> metrics;
  std::function<Status()> status;
  std::function<Result<Explanation>(const FlowTuple&)> explain;
  std::function<Result<>()> reload;
  std::function<Result<std::uint64_t>(const TraceOrder&)> trace{};  // its id
  std::function<std::vector<Trace>()> traces{};                     // newest last
  std::function<EventPage(const EventQuery&)> events{};
  std::function<Result<>(const RecordOrder&)> record{};
  std::function<Result<>()> end_record{};
  std::function<RecordStatus()> record_status{};
  std::function<Result<RoutePage>(const RouteQuery&)> routes{};
};

class Server {
 public:
  static Result<std::unique_ptr<Server>> open(boost::asio::io_context& io, const Options& options,
                                              Handlers handlers);
  ~Server();  // closes connections and removes the socket; not while the io_context runs elsewhere

  /// The TCP port that is listened on: the chosen one where Options::listen has port 0; 0 for none.
  [[nodiscard]] std::uint16_t port() const;

 private:
  struct Impl;
  explicit Server(std::shared_ptr<Impl> impl);
  std::shared_ptr<Impl> impl_;
};

/// JSON texts of the API's answers (README.md lists the keys). `now` is what ages are counted to.
std::string to_json(const Status& status, TimePoint now = std::chrono::steady_clock::now());
std::string to_json(const Explanation& explanation,
                    TimePoint now = std::chrono::steady_clock::now());

std::string to_json(const RoutePage& page);

std::string to_json(const Trace& trace, TimePoint now = std::chrono::steady_clock::now());
std::string to_json(const std::vector<Trace>& traces,
                    TimePoint now = std::chrono::steady_clock::now());

}  // namespace hopwise::api
