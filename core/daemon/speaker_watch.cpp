#include "core/daemon/speaker_watch.hpp"

#include <algorithm>

namespace hopwise {
namespace {

using namespace std::chrono_literals;
using speaker::Fate;
using speaker::Protocol;

constexpr Duration kTick = 50ms;
constexpr Duration kFindEvery = 10s;   // while there is none
constexpr Duration kPulse = 5s;        // without any other question
constexpr Duration kAbsentAgain = 5s;  // a process that may never come
constexpr Duration kAgain = 1s;        // one that was there
constexpr Duration kAtOnce = 20ms;     // one whose connection has just ended

// A dying process closes its connections before or after its listener: then it is asked again.
TimePoint next_after(const speaker::Pulse& pulse, Fate fate, TimePoint now) {
  if (fate == Fate::answered || fate == Fate::rejected) return now;
  if (fate == Fate::closed) return now + kAtOnce;
  return now + (pulse.health() == SpeakerHealth::absent ? kAbsentAgain : kAgain);
}

std::string consequence_of(const std::string& process) {
  if (process == "zebra" || process == "bird")
    return "traffic goes on by the routes that the kernel has, and no change of routing reaches it";
  if (process == "bfdd") return "BFD says nothing: nexthops are judged by all else";
  return "its routes stay as zebra keeps them, or go";
}

}  // namespace

SpeakerWatch::SpeakerWatch(Parts parts, const config::Speaker& options, Clock clock)
    : parts_(std::move(parts)), options_(options), clock_(std::move(clock)), timer_(parts_.io) {
  begin();
}

void SpeakerWatch::reconfigure(const config::Speaker& options) {
  if (options == options_) return;
  options_ = options;
  processes_.clear();
  place_.reset();
  divergences_.clear();
  forget_bfd();
  begin();
}

void SpeakerWatch::begin() {
  next_find_ = {};
  timer_.cancel();
  if (options_.kind == SpeakerKind::none) return;
  tick();
  schedule();
}

void SpeakerWatch::schedule() {
  timer_.expires_after(kTick);
  timer_.async_wait([this](boost::system::error_code error) {
    if (error) return;
    tick();
    schedule();
  });
}

void SpeakerWatch::tick() {
  const TimePoint now = clock_();
  if (!place_) return find(now);
  if (compares_routes()) sample_.walk(parts_.steering, parts_.follower, options_.check, now);
  for (const auto& process : processes_)
    if (!process->control->busy() && now >= process->next) ask_next(*process, now);
}

void SpeakerWatch::find(TimePoint now) {
  if (now < next_find_) return;
  next_find_ = now + kFindEvery;
  if (!options_.socket.empty()) return watch_place({*options_.kind, options_.socket});
  speaker::Roots roots;
  if (options_.kind == SpeakerKind::frr) roots.bird.clear();
  if (options_.kind == SpeakerKind::bird) roots.frr.clear();
  if (const auto found = speaker::find_speaker(roots)) watch_place(*found);
}

void SpeakerWatch::watch_place(const speaker::Place& place) {
  place_ = place;
  const bool frr = place.kind == SpeakerKind::frr;
  const auto add = [&](const std::string& name, const std::string& path) {
    auto process = std::make_unique<Process>(speaker::Pulse(name));
    process->control = std::make_unique<speaker::Control>(
        parts_.io,
        speaker::Control::Options{.path = path,
                                  .protocol = frr ? Protocol::vty : Protocol::bird,
                                  .timeout = options_.timeout},
        [this, name] { lost(name); });
    processes_.push_back(std::move(process));
  };
  if (frr)
    for (const char* name : {"zebra", "bgpd", "bfdd", "staticd"})
      add(name, place.path + '/' + name + ".vty");
  else
    add("bird", place.path);
  parts_.log.info("speaker", {{"kind", std::string(text(place.kind))}, {"socket", place.path}});
}

// BFD first, then routes, then whether it is there at all.
void SpeakerWatch::ask_next(Process& process, TimePoint now) {
  if (speaks_bfd(process) && now >= process.next_bfd) return ask_bfd(process);
  if (looks_at(process) && process.pulse.alive() && ask_look(process, now)) return;
  if (process.pulse.alive() && now - process.heard < kPulse) return;
  ask(process, place_->kind == SpeakerKind::frr ? "show version" : "show status",
      [](const std::string&) {});
}

// `on_text` hears an answer; a refusal or none at all is this one's business.
void SpeakerWatch::ask(Process& process, const std::string& command,
                       std::function<void(const std::string&)> on_text) {
  process.asked = clock_();
  process.control->ask(
      command, [this, &process, on_text = std::move(on_text)](const speaker::Answer& answer) {
        heard(process, answer);
        if (answer.fate == Fate::answered) on_text(answer.text);
      });
}

void SpeakerWatch::heard(Process& process, const speaker::Answer& answer) {
  const TimePoint now = clock_();
  const auto change = process.pulse.heard(answer.fate, answer.text, answer.peer, now);
  process.next = next_after(process.pulse, answer.fate, now);
  if (answer.fate == Fate::answered || answer.fate == Fate::rejected) process.heard = now;
  if (change) {
    tell_change(process, *change);
    process.next_bfd = {};
  }
  if (process.pulse.alive() && !(change && change->restarted)) return;
  // Nothing is known any more of what it said.
  if (speaks_bfd(process)) forget_bfd();
  if (looks_at(process)) {
    divergences_.clear();
    kernels_asked_ = false;
  }
}

void SpeakerWatch::lost(const std::string& name) {
  for (const auto& process : processes_) {
    if (process->pulse.name() != name) continue;
    process->heard = {};
    process->next_bfd = {};
    process->next = clock_() + kAtOnce;
  }
}

void SpeakerWatch::tell_change(const Process& process, const speaker::Pulse::Change& change) {
  const auto& pulse = process.pulse;
  const std::string& name = pulse.name();
  const std::string health(text(pulse.health()));
  if (pulse.alive()) {
    const bool is_back = change.before != SpeakerHealth::absent;
    parts_.log.info("speaker_alive",
                    {{"process", name}, {"restarted", change.restarted ? "yes" : "no"}});
    if (is_back) parts_.tell({name + (change.restarted ? " was restarted" : " answers again")});
    return;
  }
  parts_.log.warn(
      "speaker_" + health,
      {{"process", name}, {"because", pulse.because()}, {"then", consequence_of(name)}});
  parts_.tell(
      {name + " is " + health + " (" + pulse.because() + "): " + consequence_of(name), true});
}

std::string SpeakerWatch::note() const {
  std::string note;
  const auto add = [&](const std::string& words) { note += (note.empty() ? "" : "; ") + words; };
  for (const auto& process : processes_) {
    const auto health = process->pulse.health();
    if (health == SpeakerHealth::dead || health == SpeakerHealth::silent)
      add(process->pulse.name() + " is " + std::string(text(health)) + ": " +
          consequence_of(process->pulse.name()));
  }
  const auto& cases = divergences_.cases();
  const auto told =
      std::count_if(cases.begin(), cases.end(), [](const auto& c) { return c.second.told; });
  if (told > 0)
    add(std::to_string(told) + " sets of nexthops are not in the kernel as routing believes");
  return note;
}

SpeakerStatus SpeakerWatch::status() const {
  const TimePoint now = clock_();
  SpeakerStatus status;
  if (!place_) return status;
  status.kind = place_->kind;
  status.socket = place_->path;
  status.note = note();
  for (const auto& process : processes_)
    if (process->pulse.health() != SpeakerHealth::absent)
      status.processes.push_back(process->pulse.status(now));
  status.not_checked = status.processes.empty() ? "nobody answers at " + place_->path
                       : !compares_routes()     ? "hopwise follows another table than main"
                                                : not_understood_;
  status.looks = looks_;
  for (const auto& [prefix, seen] : divergences_.cases()) {
    if (!seen.told) continue;
    Divergence told{prefix, seen.difference.kind, {}, {}, now - seen.since};
    for (const auto& leg : seen.difference.missing) told.missing.push_back(name_of(leg));
    for (const auto& leg : seen.difference.extra) told.extra.push_back(name_of(leg));
    status.divergences.push_back(std::move(told));
  }
  status.bfd = sessions_;
  return status;
}

}  // namespace hopwise
