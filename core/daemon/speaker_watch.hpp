// Watches the routing daemon beside us: whether it lives, whether the kernel has what it believes
// to have put there, and what its BFD says.
//
// It asks FRR's zebra, bgpd, bfdd and staticd, or BIRD, by their control sockets, one question a
// socket at a time (core/speaker). GoBGP has none but gRPC and no kernel routes of its own: they
// come by zebra, which is asked. A full table is never asked for: zebra writes a million routes as
// JSON for seconds, and does nothing else meanwhile.
//
// What follows of an answer: a dead or silent daemon changes nothing in the kernel, whose routes
// forward, so hopwise goes on steering by them and says so. A divergence likewise. Only BFD acts: a
// failed session takes its nexthop out as a lost carrier does, and an up one takes back no more
// than that. Of a BFD daemon that does not answer nothing is known, and nothing is held against the
// nexthops.
#pragma once

#include <boost/asio/steady_timer.hpp>
#include <memory>

#include "core/config/config.hpp"
#include "core/daemon/log.hpp"
#include "core/daemon/route_sample.hpp"
#include "core/daemon/steering.hpp"
#include "core/model/event.hpp"
#include "core/speaker/bfd.hpp"
#include "core/speaker/control.hpp"
#include "core/speaker/divergence.hpp"
#include "core/speaker/sockets.hpp"

namespace hopwise {

class SpeakerWatch {
 public:
  struct Parts {
    boost::asio::io_context& io;
    routes::Follower& follower;
    Steering& steering;
    Log& log;
    routes::Options routes;                   // what the follower follows
    std::function<void(const Notice&)> tell;  // for the history
    std::function<void()> nexthops_changed;   // by BFD
  };
  using Clock = std::function<TimePoint()>;

  SpeakerWatch(Parts parts, const config::Speaker& options, Clock clock);
  SpeakerWatch(const SpeakerWatch&) = delete;

  void reconfigure(const config::Speaker& options);
  /// Of BFD's peers, whose link-layer addresses tell which router they are.
  void on_neighbour(const NexthopKey& key, const routes::Neighbour& neighbour);
  [[nodiscard]] SpeakerStatus status() const;

 private:
  struct Process {
    explicit Process(speaker::Pulse p) : pulse(std::move(p)) {}

    speaker::Pulse pulse;
    std::unique_ptr<speaker::Control> control;
    TimePoint next{};   // not asked before
    TimePoint heard{};  // its newest answer
    TimePoint next_bfd{};
    TimePoint asked{};
    Duration bfd_took{};  // see ask_bfd()
  };

  void begin();
  void schedule();
  void tick();
  void find(TimePoint now);
  void watch_place(const speaker::Place& place);
  void ask_next(Process& process, TimePoint now);
  void ask(Process& process, const std::string& command,
           std::function<void(const std::string&)> on_text);
  void heard(Process& process, const speaker::Answer& answer);
  void lost(const std::string& name);
  void tell_change(const Process& process, const speaker::Pulse::Change& change);

  // speaker_looks.cpp
  [[nodiscard]] bool compares_routes() const;
  [[nodiscard]] bool looks_at(const Process& process) const;
  bool ask_look(Process& process, TimePoint now);
  void ask_bird_kernels(Process& process);
  void look(const Prefix& prefix, const Result<speaker::BelievedRoute>& believed);
  void tell_divergence(const Prefix& prefix, const speaker::Difference& difference);
  void tell_agreement(const Prefix& prefix);
  [[nodiscard]] std::vector<speaker::Leg> kernel_legs(const Prefix& prefix) const;

  // speaker_bfd.cpp
  [[nodiscard]] bool speaks_bfd(const Process& process) const;
  [[nodiscard]] std::string our_vrf() const;
  void ask_bfd(Process& process);
  void take_bfd(Result<std::vector<BfdSession>> sessions);
  void watch_peers();
  void apply_bfd();
  void forget_bfd();

  [[nodiscard]] std::string note() const;

  Parts parts_;
  config::Speaker options_;
  Clock clock_;
  boost::asio::steady_timer timer_;
  std::optional<speaker::Place> place_;
  TimePoint next_find_{};
  std::vector<std::unique_ptr<Process>> processes_;

  RouteSample sample_;
  TimePoint next_look_{};
  speaker::Divergences divergences_;
  std::uint64_t looks_ = 0;
  std::string not_understood_;        // of the newest answer about a route
  std::vector<std::string> kernels_;  // BIRD's kernel protocols: of IPv4, of IPv6
  bool kernels_asked_ = false;

  std::vector<BfdSession> sessions_;
  speaker::BirdBfd bird_bfd_;
  speaker::Routers routers_;
  std::set<NexthopKey> watched_;
  bool bfd_unread_ = false;
  bool vetoes_ = false;  // a session has failed, as last applied
};

}  // namespace hopwise
