// The probes of one HTTP anchor through one nexthop: when the next is due, the one that is out, and
// what was counted. Starts are spread over the first interval, and then 75-100 % of it apart.
#pragma once

#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>
#include <functional>
#include <memory>
#include <random>
#include <span>
#include <string>

#include "core/model/result.hpp"
#include "core/model/sample.hpp"
#include "core/model/status.hpp"
#include "probes/http/exchange.hpp"
#include "probes/options.hpp"
#include "probes/target.hpp"

namespace hopwise::probes {

/// What the streams of a prober share.
struct HttpSurroundings {
  boost::asio::io_context& io;
  Options options;
  std::function<void(std::span<const Sample>)> samples;
  std::function<Result<Departure>(NexthopId, const IpAddress&)> depart;
  std::shared_ptr<Tls> tls{};  // once an anchor needs it
  std::minstd_rand chance{std::random_device{}()};
};

class HttpStream : public std::enable_shared_from_this<HttpStream> {
 public:
  HttpStream(std::shared_ptr<HttpSurroundings> surroundings, const Nexthop& nexthop,
             AnchorSpec spec);

  /// From the next probe on.
  void set_spec(AnchorSpec spec) { spec_ = std::move(spec); }
  void start();
  /// Nothing is sent until start(); what is out is void.
  void stop(Void why);
  /// What is out yields no sample; probing goes on.
  void void_outstanding(Void why);
  void set_trouble(std::string trouble) { status_.last_error = std::move(trouble); }

  [[nodiscard]] ProbeStatus status() const;
  /// Probes a second; 0 before start().
  [[nodiscard]] double rate() const;

 private:
  void arm(TimePoint from, double least);
  void probe();
  void lost(TimePoint sent);
  void over(const ExchangeReport& report);
  void answered(const ExchangeReport& report);
  void emit(Sample sample);
  [[nodiscard]] HttpRequest request() const;

  std::shared_ptr<HttpSurroundings> surroundings_;
  NexthopId nexthop_;
  std::uint32_t ifindex_;
  AnchorSpec spec_;
  boost::asio::steady_timer timer_;
  bool started_ = false;
  std::shared_ptr<Exchange> out_;
  TimePoint left_;             // when the one that is out, or was, did
  std::uint32_t lost_of_out_;  // SYNs of it
  ProbeStatus status_;
};

}  // namespace hopwise::probes
