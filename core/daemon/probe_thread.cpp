#include "core/daemon/probe_thread.hpp"

#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/post.hpp>
#include <exception>
#include <thread>
#include <utility>

#include "core/daemon/sample_relay.hpp"

namespace hopwise {

namespace asio = boost::asio;

struct ProbeThread::Impl {
  Impl(asio::io_context& control_io, Events the_events)
      : control(control_io), events(std::move(the_events)), samples(control, events.samples) {}

  asio::io_context& control;
  Events events;
  SampleRelay samples;    // probes -> control
  bool fetching = false;  // on control: one fetch of the status is under way
  asio::io_context io{1};
  asio::executor_work_guard<asio::io_context::executor_type> work{io.get_executor()};
  std::unique_ptr<probes::Prober> prober;
  std::unique_ptr<probes::Tracer> tracer{std::make_unique<probes::Tracer>(io)};
  std::unique_ptr<probes::TrainSender> train;  // the newest; it may have ended
  std::thread thread;

  // control -> probes
  template <class F>
  void to_prober(F action) {
    asio::post(io, [this, action = std::move(action)] { action(*prober); });
  }

  // probes -> control
  void report(const std::set<NexthopId>& leading) {
    asio::post(control, [this, leading] { events.marks(leading); });
  }
  void report(const Error& error) {
    asio::post(control, [this, error] { events.trouble(error); });
  }

  // What the prober throws ends the process, by way of the control loop.
  void run() {
    try {
      io.run();
    } catch (...) {
      asio::post(control, [fault = std::current_exception()] { std::rethrow_exception(fault); });
    }
  }
};

ProbeThread::ProbeThread(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}

Result<std::unique_ptr<ProbeThread>> ProbeThread::start(asio::io_context& control,
                                                        const probes::Options& options,
                                                        Events events, probes::Staging staging) {
  auto impl = std::make_unique<Impl>(control, std::move(events));
  auto prober = probes::Prober::open(
      impl->io, options,
      {.samples = [i = impl.get()](std::span<const Sample> known) { i->samples.add(known); },
       .marks = [i = impl.get()](const std::set<NexthopId>& leading) { i->report(leading); }},
      std::move(staging));
  if (!prober) return prober.error();
  impl->prober = std::move(*prober);
  impl->thread = std::thread([i = impl.get()] { i->run(); });
  return std::unique_ptr<ProbeThread>(new ProbeThread(std::move(impl)));
}

ProbeThread::~ProbeThread() {
  asio::post(impl_->io, [i = impl_.get()] {
    i->train.reset();
    i->tracer.reset();
    i->prober.reset();
  });
  impl_->work.reset();
  impl_->thread.join();
}

void ProbeThread::set_target(const probes::Target& target) {
  impl_->to_prober([this, target](probes::Prober& prober) {
    if (const auto done = prober.set_target(target); !done) impl_->report(done.error());
  });
}

void ProbeThread::end_inheritance() {
  impl_->to_prober([this](probes::Prober& prober) {
    if (const auto done = prober.end_inheritance(); !done) impl_->report(done.error());
  });
}

void ProbeThread::remove_target(NexthopId id) {
  impl_->to_prober([id](probes::Prober& prober) { prober.remove_target(id); });
}

void ProbeThread::set_ready(NexthopId id, const probes::Readiness& readiness) {
  impl_->to_prober([id, readiness](probes::Prober& prober) { prober.set_ready(id, readiness); });
}

void ProbeThread::set_suspicious(NexthopId id, bool suspicious) {
  impl_->to_prober(
      [id, suspicious](probes::Prober& prober) { prober.set_suspicious(id, suspicious); });
}

void ProbeThread::reconfigure(const probes::Options& options) {
  impl_->to_prober([options](probes::Prober& prober) { prober.reconfigure(options); });
}

void ProbeThread::trace(NexthopId id, const IpAddress& destination,
                        const probes::TraceOptions& options,
                        std::function<void(const probes::Findings&)> told) {
  impl_->to_prober(
      [this, id, destination, options, told = std::move(told)](probes::Prober& prober) {
        const auto tell = [&control = impl_->control, told](const probes::Findings& findings) {
          asio::post(control, [told, findings] { told(findings); });
        };
        const auto way = prober.way(id, destination);
        if (!way) return tell({.ended = true, .error = way.error().message});
        const auto started = impl_->tracer->start({*way, destination, options}, tell);
        if (!started) tell({.ended = true, .error = started.error().message});
      });
}

void ProbeThread::train(NexthopId id, const probes::TrainPlan& plan,
                        std::function<void(const Result<probes::Train>&)> told) {
  impl_->to_prober([this, id, plan, told = std::move(told)](probes::Prober& prober) {
    const auto tell = [&control = impl_->control, told](const Result<probes::Train>& came) {
      asio::post(control, [told, came] { told(came); });
    };
    const auto way = prober.way(id, plan.to.address);
    if (!way) return tell(way.error());
    probes::TrainPlan bound = plan;
    bound.by = {way->mark, way->source};
    auto sent = probes::TrainSender::send(impl_->io, bound, tell);
    if (!sent) return tell(sent.error());
    impl_->train = std::move(*sent);
  });
}

void ProbeThread::fetch_status(
    std::function<void(std::vector<ProbeStatus>, const ProberTotals&)> done) {
  if (std::exchange(impl_->fetching, true)) return;
  impl_->to_prober([this, done = std::move(done)](probes::Prober& prober) {
    asio::post(impl_->control, [i = impl_.get(), done, status = prober.status(),
                                totals = prober.totals()]() mutable {
      i->fetching = false;
      done(std::move(status), totals);
    });
  });
}

}  // namespace hopwise
