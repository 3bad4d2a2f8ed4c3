// The map of the house. Modules are built bottom-up, then wired, each wire with a caption; values
// flow one way along it:
//
//   kernel -> routes -> Candidates -> Steering -> data plane | engine | probes
//   bgpd -> bgp -> Candidates
//   probes -> engine -> Decision -> data plane -> log, metrics, API
//   data plane -> escapes -> engine; traffic, passive readings -> engine, metrics, API
//
// One control loop owns everything here but the prober, which has a thread of its own.
#include "core/daemon/daemon.hpp"

#include <algorithm>
#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/signal_set.hpp>
#include <boost/asio/steady_timer.hpp>
#include <csignal>
#include <set>
#include <span>

#include "core/api/server.hpp"
#include "core/bgp/bmp_receiver.hpp"
#include "core/bgp/listener.hpp"
#include "core/bgp/sweeper.hpp"
#include "core/config/config.hpp"
#include "core/daemon/bandwidth_watch.hpp"
#include "core/daemon/candidates.hpp"
#include "core/daemon/configuration.hpp"
#include "core/daemon/destinations.hpp"
#include "core/daemon/engine_readings.hpp"
#include "core/daemon/escape_watch.hpp"
#include "core/daemon/history.hpp"
#include "core/daemon/host.hpp"
#include "core/daemon/log.hpp"
#include "core/daemon/memories.hpp"
#include "core/daemon/permission.hpp"
#include "core/daemon/policy_watch.hpp"
#include "core/daemon/probe_thread.hpp"
#include "core/daemon/readings.hpp"
#include "core/daemon/recording.hpp"
#include "core/daemon/route_list.hpp"
#include "core/daemon/snapshot.hpp"
#include "core/daemon/speaker_watch.hpp"
#include "core/daemon/staging.hpp"
#include "core/daemon/steering.hpp"
#include "core/daemon/traces.hpp"
#include "core/metrics/metrics.hpp"

namespace hopwise {
namespace {

namespace asio = boost::asio;

constexpr Duration kTick = std::chrono::milliseconds(100);
constexpr int kTicksPerSecond = 10;
constexpr int kTicksPerHookCheck = 50;
// After a start: how long BGP may take to tell again what candidates an earlier daemon's routes
// had.
constexpr Duration kBgpTells = std::chrono::seconds(15);

TimePoint now() {
  return std::chrono::steady_clock::now();
}

class Daemon {
 public:
  Daemon(DaemonOptions options, config::Config config, NamespaceClaim claim)
      : options_(std::move(options)),
        config_(std::move(config)),
        claim_(std::move(claim)),
        engine_(config_.engine),
        metrics_([this] { return snapshot(); }) {
    log_.set_level(config_.log_level);
  }

  Result<> start();
  void run();

 private:
  void wire_signals();
  routes::Events route_events();
  ProbeThread::Events probe_events();
  bgp::TableEvents table_events();
  bgp::ListenerEvents listener_events();
  bgp::BmpEvents bmp_events();
  Candidates::Parts candidates_parts();
  [[nodiscard]] routes::OfferRules offer_rules() const;
  Result<> listen_to_bgp();
  probes::Staging staging();
  api::Handlers api_handlers();
  History::Parts history_parts();
  SpeakerWatch::Parts speaker_parts();

  void observe(std::span<const Sample> samples);
  void observe(const std::vector<dataplane::Escape>& escapes);
  void decide_soon();
  void decide();
  void carry_out(const Decision& decision);
  void settle_lease();
  void schedule_tick();
  void tick();
  void every_second();
  void check_policy();
  [[nodiscard]] bool may_await_bgp() const;
  [[nodiscard]] bool has_bgp_told() const;
  void settle_wait();
  void forget_earlier_candidates();
  [[nodiscard]] bool listens_to_bgp() const { return bgp_listener_ || bmp_receiver_; }
  Result<> reload();

  [[nodiscard]] Status snapshot() const;
  [[nodiscard]] SnapshotParts parts() const;

  DaemonOptions options_;
  config::Config config_;
  NamespaceClaim claim_;
  Log log_;
  asio::io_context io_{1};
  asio::signal_set signals_{io_, SIGTERM, SIGINT, SIGHUP};
  asio::steady_timer ticker_{io_};

  engine::Engine engine_;
  Recording recording_{engine_, log_, now};  // engine -> a file, where one is asked for
  metrics::Metrics metrics_;
  std::unique_ptr<Permission> permission_;
  std::unique_ptr<dataplane::Dataplane> dataplane_;
  std::unique_ptr<routes::Follower> follower_;
  std::unique_ptr<ProbeThread> probes_;
  std::unique_ptr<Traces> traces_;
  std::unique_ptr<BandwidthWatch> bandwidths_;
  std::unique_ptr<Memories> memories_;
  std::unique_ptr<Steering> steering_;
  bgp::PathTable paths_{table_events()};
  std::unique_ptr<Candidates> candidates_;
  std::unique_ptr<Destinations> destinations_;
  std::unique_ptr<PolicyWatch> policy_;
  std::unique_ptr<EscapeWatch> escapes_;
  std::unique_ptr<SpeakerWatch> speaker_;
  std::unique_ptr<api::Server> server_;

  std::unique_ptr<History> history_;
  Readings readings_;
  EngineReadings engine_readings_;
  std::vector<ProbeStatus> probe_status_;  // by nexthop
  ProberTotals probe_totals_;
  TimePoint next_tick_;
  int ticks_ = 0;
  bool decide_pending_ = false;
  TimePoint bgp_tells_until_{};                    // what an earlier daemon had is kept until then
  std::unique_ptr<bgp::Listener> bgp_listener_{};  // ends before what it tells
  std::unique_ptr<bgp::BmpReceiver> bmp_receiver_{};
};

Result<> Daemon::start() {
  history_ = std::make_unique<History>(history_parts(), config_.history);
  history_->started("hopwise " HOPWISE_VERSION ", " + config_name(options_));
  permission_ = std::make_unique<Permission>(config_, log_);
  auto dataplane = dataplane::Dataplane::open(permission_->dataplane_options(config_));
  if (!dataplane) return dataplane.error();
  dataplane_ = std::move(*dataplane);
  if (const std::string& because = dataplane_->adopted().set_aside; !because.empty())
    log_.warn("earlier_tables_set_aside", {{"because", because}});

  auto probes =
      ProbeThread::start(io_, permission_->probe_options(config_), probe_events(), staging());
  if (!probes) return probes.error();
  probes_ = std::move(*probes);
  traces_ = std::make_unique<Traces>(*probes_, log_, now);
  bandwidths_ =
      std::make_unique<BandwidthWatch>(BandwidthWatch::Parts{*probes_, engine_, log_}, now);

  memories_ = std::make_unique<Memories>(io_, config_.state_file, engine_, log_, now);
  memories_->load();
  follower_ = std::make_unique<routes::Follower>(io_, config_.routes, route_events());
  steering_ = std::make_unique<Steering>(
      Steering::Parts{
          .dataplane = *dataplane_,
          .engine = engine_,
          .probes = *probes_,
          .follower = *follower_,
          .log = log_,
          .actuator = permission_->actuator().actuator,
          .forget =
              [this](NexthopId id) {
                metrics_.forget(id);
                history_->forget(id);
                traces_->forget(id);
                bandwidths_->forget(id);
              },
          // state file -> engine
          .nexthop_joined = [this](const Nexthop& nexthop) { memories_->recall(nexthop); },
          .group_joined = [this](const Group& group,
                                 Shares shares) { memories_->recall(group, *steering_, shares); },
          .offered = [this](const routes::Route& route) { return candidates_->offered(route); },
      },
      config_, now);
  candidates_ = std::make_unique<Candidates>(candidates_parts(), offer_rules());
  // flow table -> destinations -> steering
  destinations_ = std::make_unique<Destinations>(Destinations::Parts{*dataplane_, *steering_, log_},
                                                 config_.destinations, now);
  auto server = api::Server::open(io_, config_.api, api_handlers());
  if (!server) return server.error();
  server_ = std::move(*server);

  if (auto listening = listen_to_bgp(); !listening) return listening.error();
  if (may_await_bgp()) candidates_->await_bgp();
  if (auto followed = follower_->start(); !followed) return followed.error();
  steering_->drop_unknown_routes();
  candidates_->started();
  bgp_tells_until_ = now() + kBgpTells;
  decide();
  steering_->settle_interfaces();
  policy_ = std::make_unique<PolicyWatch>(io_, [this] { check_policy(); });
  check_policy();
  // data plane -> engine
  escapes_ = std::make_unique<EscapeWatch>(io_, *dataplane_,
                                           [this](const auto& escapes) { observe(escapes); });
  // routing daemon -> data plane, engine, history
  speaker_ = std::make_unique<SpeakerWatch>(speaker_parts(), config_.speaker, now);
  wire_signals();
  schedule_tick();
  log_.info("started", {{"version", HOPWISE_VERSION},
                        {"config", config_name(options_)},
                        {"routes_steered", std::to_string(steering_->steered_routes())},
                        {"mode", !config_.steer    ? "observe"
                                 : config_.dry_run ? "dry_run"
                                                   : "steer"}});
  notify_ready("steering " + std::to_string(steering_->steered_routes()) + " routes");
  return {};
}

// --- wires ----------------------------------------------------------------------------------

routes::Events Daemon::route_events() {
  return {
      // routes -> candidates -> groups -> data plane, engine, probes
      .route = [this](const routes::Route& route) { candidates_->on_route(route); },
      .withdrawn = [this](const Prefix& prefix) { candidates_->on_withdrawn(prefix); },
      // link and neighbour -> data plane, engine, probes
      .interface =
          [this](const routes::Interface& interface) {
            steering_->on_interface(interface);
            decide_soon();
          },
      .interface_gone =
          [this](std::uint32_t ifindex) {
            steering_->on_interface_gone(ifindex);
            decide_soon();
          },
      .neighbour =
          [this](const NexthopKey& key, const routes::Neighbour& neighbour) {
            steering_->on_neighbour(key, neighbour);
            if (speaker_) speaker_->on_neighbour(key, neighbour);
            decide_soon();
          },
      .trouble =
          [this](const Error& error) {
            log_.warn("routes", {{"error", error.message}});
          },
  };
}

ProbeThread::Events Daemon::probe_events() {
  return {
      // probes -> engine, metrics
      .samples = [this](std::span<const Sample> samples) { observe(samples); },
      // marks that lead -> data plane
      .marks =
          [this](const std::set<NexthopId>& leading) {
            const bool led = steering_->marks_lead();
            steering_->on_marks(leading);
            if (led != steering_->marks_lead()) settle_lease();
          },
      .trouble =
          [this](const Error& error) {
            log_.error("probes", {{"error", error.message}});
          },
  };
}

// --- BGP --------------------------------------------------------------------------------------

routes::OfferRules Daemon::offer_rules() const {
  return {config_.candidates, config_.bgp.as, dataplane::Dataplane::limits().group_paths};
}

bgp::TableEvents Daemon::table_events() {
  return {
      // paths -> candidates -> groups
      .changed = [this](const Prefix& prefix) { candidates_->on_changed(prefix); },
      .lost = [this](bgp::SourceId source,
                     const IpAddress& peer) { candidates_->on_lost(source, peer); },
  };
}

bgp::ListenerEvents Daemon::listener_events() {
  return {
      .state =
          [this](const bgp::Transition& step) {
            const bool ends = step.from == BgpState::established;
            (log_.*(ends ? &Log::warn : &Log::info))("bgp", {{"peer", step.peer.text()},
                                                             {"from", std::string(text(step.from))},
                                                             {"to", std::string(text(step.to))},
                                                             {"because", step.why}});
          },
      .trouble =
          [this](const Error& error) {
            log_.warn("bgp", {{"error", error.message}});
          },
  };
}

bgp::BmpEvents Daemon::bmp_events() {
  return {
      .connected =
          [this](const IpAddress& router) {
            log_.info("bmp_connected", {{"router", router.text()}});
          },
      .ended =
          [this](const IpAddress& router, const std::string& why) {
            log_.warn("bmp_ended", {{"router", router.text()}, {"because", why}});
          },
      .trouble =
          [this](const Error& error) {
            log_.warn("bmp", {{"error", error.message}});
          },
  };
}

Candidates::Parts Daemon::candidates_parts() {
  return {
      .table = paths_,
      .log = log_,
      .kernel_route = [this](const Prefix& prefix) { return follower_->find(prefix); },
      .on_link = [this](const IpAddress& nexthop,
                        const auto& link_local) { return follower_->on_link(nexthop, link_local); },
      .steered_by = [this](const Prefix& prefix) { return steering_->set_of(prefix); },
      .route = [this](const routes::Route& route) { steering_->on_route(route); },
      .withdrawn = [this](const Prefix& prefix) { steering_->on_withdrawn(prefix); },
      // a lost session -> engine -> data plane
      .withhold =
          [this](const std::set<NexthopKey>& candidates) {
            steering_->withhold(candidates);
            decide_soon();
          },
      .release = [this] { steering_->release_withheld(); },
  };
}

Result<> Daemon::listen_to_bgp() {
  if (!config_.bgp.listen.empty()) {
    auto listener = bgp::Listener::open(io_, config_.bgp, paths_, listener_events());
    if (!listener) return listener.error();
    bgp_listener_ = std::move(*listener);
  }
  if (!config_.bmp.listen.empty()) {
    auto receiver = bgp::BmpReceiver::open(io_, config_.bmp, paths_, bmp_events());
    if (!receiver) return receiver.error();
    bmp_receiver_ = std::move(*receiver);
  }
  return {};
}

// Whether an earlier daemon steered by candidates that BGP may tell of again.
bool Daemon::may_await_bgp() const {
  const auto by_candidates = [](const Group& group) {
    return std::ranges::any_of(group.paths, [](const Path& p) { return p.kernel_weight == 0; });
  };
  return listens_to_bgp() && std::ranges::any_of(dataplane_->adopted().groups, by_candidates);
}

bool Daemon::has_bgp_told() const {
  const auto told = [](const BgpPeerStatus& peer) {
    return peer.state == BgpState::established && now() - peer.since >= std::chrono::seconds(1);
  };
  const auto heard = [](const BmpRouterStatus& router) {
    return router.peers > 0 && now() - router.since >= std::chrono::seconds(1);
  };
  return candidates_->quiet() &&
         (!bgp_listener_ || std::ranges::all_of(bgp_listener_->status().peers, told)) &&
         (!bmp_receiver_ || std::ranges::all_of(bmp_receiver_->status().routers, heard));
}

void Daemon::settle_wait() {
  if (candidates_->awaits_bgp() && (has_bgp_told() || now() >= bgp_tells_until_))
    candidates_->end_wait();
  if (!candidates_->awaits_bgp()) forget_earlier_candidates();
}

// In slices: of a full table there may be a million.
void Daemon::forget_earlier_candidates() {
  if (bgp::work_a_slice([this] { return candidates_->work(); }))
    asio::post(io_, [this] { forget_earlier_candidates(); });
}

// probes -> data plane, on the prober's thread
probes::Staging Daemon::staging() {
  return stage_probes({config_.probes.mark_base, config_.dataplane.hook}, [this](const Error& e) {
    asio::post(io_, [this, e] {
      log_.warn("staging_unavailable", {{"error", e.message}, {"instead", "a rule each"}});
    });
  });
}

api::Handlers Daemon::api_handlers() {
  return {
      .metrics = [this] { return metrics_.scrape(); },
      .status = [this] { return snapshot(); },
      .explain = [this](const FlowTuple& flow) { return explain_flow(parts(), flow, now()); },
      .reload = [this] { return reload(); },
      .trace = [this](const api::TraceOrder& order) { return traces_->ask(order, *steering_); },
      .traces =
          [this] {
            const auto& kept = traces_->journal().traces();
            return std::vector<Trace>(kept.begin(), kept.end());
          },
      .events = [this](const EventQuery& query) { return history_->page(query); },
      .record =
          [this](const api::RecordOrder& order) {
            return recording_.begin(order, config_.engine, steering_->nexthops());
          },
      .end_record = [this] { return recording_.end(); },
      .record_status = [this] { return recording_.status(); },
      .routes =
          [this](const RouteQuery& query) {
            return list_routes({*dataplane_, *steering_, *follower_, config_}, query);
          },
  };
}

History::Parts Daemon::history_parts() {
  return {.log = log_,
          .name = [this](NexthopId id) { return name_of(id, steering_->nexthops()); },
          .now = now,
          .wall = [] { return WallTime(std::chrono::system_clock::now()); }};
}

SpeakerWatch::Parts Daemon::speaker_parts() {
  return {.io = io_,
          .follower = *follower_,
          .steering = *steering_,
          .log = log_,
          .routes = config_.routes,
          .tell = [this](const Notice& notice) { history_->speaker_told(notice); },
          .nexthops_changed = [this] { decide_soon(); }};
}

void Daemon::wire_signals() {
  signals_.async_wait([this](boost::system::error_code error, int signal) {
    if (error) return;
    if (signal == SIGHUP) {
      static_cast<void>(reload());
      return wire_signals();
    }
    notify_stopping();
    memories_->save_now(*steering_);
    history_->stopping(signal == SIGTERM ? "SIGTERM" : "SIGINT");
    log_.info("stopping", {{"signal", signal == SIGTERM ? "SIGTERM" : "SIGINT"},
                           {"traffic", "as it is for the lease, then by the kernel's routes"},
                           {"programs", "stay for the next run; `hopwise detach` removes them"}});
    io_.stop();
  });
}

// --- measurement and decision ---------------------------------------------------------------

void Daemon::observe(std::span<const Sample> samples) {
  for (const Sample& sample : samples) {
    engine_.observe(sample);
    metrics_.observe(sample);
    if (sample.outcome != Outcome::reply) decide_soon();
  }
}

// What a flow fled from is probed faster at once; the probes decide.
void Daemon::observe(const std::vector<dataplane::Escape>& escapes) {
  for (const dataplane::Escape& escape : escapes)
    engine_.observe(EscapeEvent{escape.from, escape.at});
  steering_->settle_pace();
}

// Events that may kill a path do not wait for the tick; many of them make one decision.
void Daemon::decide_soon() {
  if (decide_pending_) return;
  decide_pending_ = true;
  asio::post(io_, [this] { decide(); });
}

void Daemon::decide() {
  decide_pending_ = false;
  const auto decisions = engine_.decide(now());
  // engine -> history: effects, states of nexthops
  if (!decisions.empty()) follow(engine_, steering_->nexthops(), *history_);
  for (const Decision& decision : decisions) carry_out(decision);
  steering_->settle_pace();
}

void Daemon::carry_out(const Decision& decision) {
  dataplane_->publish(decision, now());
  // decision -> history
  history_->decided(decision);
  log_decision(log_, decision, steering_->nexthops());
  // decision -> traces
  if (config_.traces) traces_->decided(decision, *steering_);
}

void Daemon::schedule_tick() {
  next_tick_ = std::max(next_tick_ + kTick, now());
  ticker_.expires_at(next_tick_);
  ticker_.async_wait([this](boost::system::error_code error) {
    if (error) return;
    tick();
    schedule_tick();
  });
}

void Daemon::tick() {
  decide();
  recording_.settle(steering_->nexthops());
  steering_->settle_interfaces();
  if (!permission_->was_checked_for(steering_->lan_interfaces())) check_policy();
  dataplane_->sync(now());
  destinations_->tick();
  if (++ticks_ % kTicksPerSecond == 0) every_second();
  if (ticks_ % kTicksPerHookCheck == 0) steering_->recheck_interfaces();
}

// The kernel's routes rule from the next packet on where steering is off or held.
void Daemon::settle_lease() {
  if (!config_.steer || !permission_->held_because().empty()) return dataplane_->end_lease();
  if (steering_->marks_lead()) return dataplane_->renew_lease(now());
  if (!steering_->inherits_marks()) dataplane_->end_lease();
}

void Daemon::every_second() {
  settle_lease();
  settle_wait();
  candidates_->settle();
  follow(engine_, steering_->nexthops(), *history_);
  history_->flush();
  steering_->expire();
  steering_->follow_delays();
  const auto passive = dataplane_->take_passive();
  readings_.add(passive, now());
  readings_.keep(steering_->groups());
  // calm nexthops -> bandwidths, traces
  DataplaneCounters counters = dataplane_->counters();
  bandwidths_->measure(*steering_, counters.paths);
  // data plane, bandwidths -> engine
  tell_engine(engine_, engine_readings_, {*bandwidths_, *steering_}, std::move(counters), passive,
              now());
  if (config_.trains) bandwidths_->send_train(*steering_, *config_.trains);
  if (config_.traces) traces_->compare(*steering_, engine_);
  escapes_->tell(log_, steering_->nexthops());
  // engine -> state file
  memories_->every_second(*steering_);
  probes_->fetch_status([this](std::vector<ProbeStatus> status, const ProberTotals& totals) {
    probe_status_ = std::move(status);
    std::ranges::stable_sort(probe_status_, {}, &ProbeStatus::nexthop);
    probe_totals_ = totals;
    metrics_.keep(probe_status_);
  });
  notify_watchdog();
}

void Daemon::check_policy() {
  permission_->check(config_, steering_->lan_interfaces());
  settle_lease();
}

// --- configuration --------------------------------------------------------------------------

Result<> Daemon::reload() {
  notify_reloading();
  auto wanted = reload_config(options_, config_);
  notify_ready("steering");
  if (!wanted) {
    history_->reload_failed(wanted.error().message);
    log_.error("reload_failed",
               {{"error", wanted.error().message}, {"kept", "running configuration"}});
    return wanted.error();
  }
  config_ = std::move(*wanted);
  log_.set_level(config_.log_level);
  engine_.reconfigure(config_.engine);
  probes_->reconfigure(permission_->probe_options(config_));
  candidates_->reconfigure(offer_rules());
  steering_->reconfigure(config_);
  destinations_->reconfigure(config_.destinations);
  check_policy();
  permission_->check_wishes(config_);
  history_->reconfigure(config_.history);
  speaker_->reconfigure(config_.speaker);
  history_->reloaded(config_name(options_));
  log_.info("reloaded", {{"config", config_name(options_)}});
  return {};
}

// --- what it tells of itself ----------------------------------------------------------------

SnapshotParts Daemon::parts() const {
  return {*dataplane_, engine_,      *steering_,          *destinations_,     *permission_,
          *history_,   readings_,    *bandwidths_,        probe_status_,      probe_totals_,
          config_,     *candidates_, bgp_listener_.get(), bmp_receiver_.get()};
}

Status Daemon::snapshot() const {
  Status status = take_snapshot(parts(), now());
  if (speaker_) status.speaker = speaker_->status();
  return status;
}

// An exception ends the process: a loop that goes on without the handler that threw would renew
// the lease of a daemon that no longer follows. The lease, and whoever supervises us, do the rest.
void Daemon::run() {
  io_.run();
}

}  // namespace

Result<> run_daemon(const DaemonOptions& options) {
  auto config = load_config(options);
  if (!config) return config.error();
  auto claim = NamespaceClaim::take();
  if (!claim) return claim.error();
  Daemon daemon(options, std::move(*config), std::move(*claim));
  if (auto started = daemon.start(); !started) return started.error();
  daemon.run();
  return {};
}

}  // namespace hopwise
