// Links, demands and the engine's options of a scenario: values with units, and their ranges.
#include "core/simulation/scenario_reader.hpp"

namespace hopwise::simulation {
namespace {

using namespace std::chrono_literals;
using config::Object;

constexpr std::uint64_t kTera = 1'000'000'000'000;

void read_rate(Object& o, std::string_view key, std::optional<double>& out,
               std::uint64_t least = 1000) {
  std::uint64_t rate = 0;
  if (o.bit_rate(key, rate, {least, kTera})) out = static_cast<double>(rate);
}

void read_ms(Object& o, std::string_view key, std::optional<double>& out,
             config::Range<Duration> range = {0ns, 10s}) {
  Duration duration{};
  if (o.duration(key, duration, range)) out = milliseconds(duration);
}

void read_s(Object& o, std::string_view key, double& out,
            config::Range<Duration> range = {1ms, 24h}) {
  Duration duration{};
  if (o.duration(key, duration, range)) out = seconds(duration);
}

void read_part(Object& o, std::string_view key, std::optional<double>& out) {
  double part = 0;
  if (o.ratio(key, part)) out = part;
}

void read_number(Object& o, std::string_view key, std::optional<double>& out,
                 config::Range<double> range) {
  double number = 0;
  if (o.number(key, number, range)) out = number;
}

Bursts read_bursts(Object& o) {
  Bursts bursts;
  o.require({"loss"});
  o.ratio("loss", bursts.loss);
  read_s(o, "bad", bursts.bad_s);
  read_s(o, "good", bursts.good_s);
  return bursts;
}

Cross read_cross(Object& o) {
  Cross cross;
  std::string kind = "constant";
  o.one_of("kind", kind, {"constant", "sine", "on_off", "walk"});
  if (kind == "sine") cross.kind = CrossKind::sine;
  if (kind == "on_off") cross.kind = CrossKind::on_off;
  if (kind == "walk") cross.kind = CrossKind::walk;
  std::optional<double> mean;
  std::optional<double> amplitude;
  o.require({"mean"});
  read_rate(o, "mean", mean, 0);
  read_rate(o, "amplitude", amplitude, 0);
  cross.mean_bit_s = mean.value_or(0);
  cross.amplitude_bit_s = amplitude.value_or(0);
  read_s(o, "period", cross.period_s, {100ms, 24h});
  o.boolean("ours", cross.ours);
  return cross;
}

}  // namespace

LinkChange read_link_change(Object& o) {
  LinkChange change;
  read_rate(o, "capacity", change.capacity_bit_s);
  read_ms(o, "base", change.base_ms);
  read_number(o, "drift_ms_s", change.drift_ms_s, {-100, 100});
  read_ms(o, "buffer", change.buffer_ms);
  read_ms(o, "jitter", change.jitter_ms, {0ns, 1s});
  read_part(o, "spike", change.spike);
  read_part(o, "loss", change.loss);
  read_ms(o, "user_extra", change.user_extra_ms);
  read_part(o, "probe_loss", change.probe_loss);
  o.object("bursts", [&](Object& bursts) { change.bursts = read_bursts(bursts); });
  o.object("cross", [&](Object& cross) { change.cross = read_cross(cross); });
  std::string outage;
  if (o.one_of("outage", outage, {"none", "black_hole", "link_down"}))
    change.outage = outage == "none"         ? Outage::none
                    : outage == "black_hole" ? Outage::black_hole
                                             : Outage::link_down;
  return change;
}

DemandChange read_demand_change(Object& o) {
  DemandChange change;
  read_rate(o, "mean", change.mean_bit_s);
  read_rate(o, "flow", change.flow_bit_s);
  double lifetime = 0;
  read_s(o, "lifetime", lifetime, {100ms, 24h});
  if (lifetime > 0) change.lifetime_s = lifetime;
  read_part(o, "swing", change.swing);
  double period = 0;
  read_s(o, "swing_period", period, {1s, 24h});
  if (period > 0) change.swing_period_s = period;
  return change;
}

void read_demand(Object& o, DemandSpec& spec) {
  o.require({"mean"});
  spec = read_demand_change(o).onto(spec);
  std::string kind = "flows";
  o.one_of("kind", kind, {"flows", "fluid"});
  spec.granularity = kind == "fluid" ? Granularity::fluid : Granularity::flows;
  std::string law = "exponential";
  o.one_of("lifetimes", law, {"exponential", "pareto"});
  spec.lifetimes = law == "pareto" ? Lifetimes::pareto : Lifetimes::exponential;
  o.number("shape", spec.shape, {1.05, 10});
  o.number("control_share", spec.control_share, {0, 0.5});
}

void read_engine(Object& o, engine::Options& options) {
  o.duration("epoch", options.epoch, {100ms, 1min});
  o.number("gain", options.gain, {0.001, 10});
  o.number("max_step", options.max_step, {0.0001, 1});
  o.number("ramp_step", options.ramp_step, {0.0001, 1});
  o.number("floor", options.floor, {0, 0.2});
  o.number("dead_band", options.dead_band, {0, 1});
  o.duration("dead_band_delay", options.dead_band_delay, {0ns, 1s});
  o.duration("degraded_delay", options.degraded_delay, {1ms, 10s});
  o.ratio("degraded_loss", options.degraded_loss);
  o.duration("fast_tau", options.fast_tau, {100ms, 1min});
  o.duration("slow_tau", options.slow_tau, {1s, 10min});
  o.duration("base_window", options.base_window, {10s, 2h});
}

}  // namespace hopwise::simulation
