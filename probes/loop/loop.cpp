#include "probes/loop/loop.hpp"

#include <algorithm>
#include <cerrno>

#include "probes/socket/clock_error.hpp"

namespace hopwise::probes {
namespace {

using std::chrono::steady_clock;

// A timer that fires this late means that the host, not the path, made replies late.
constexpr Duration kStall = std::chrono::milliseconds(50);
// From so many probes a second on, replies are read at the ticks of the wheel.
constexpr double kPollingRate = 1000;
// Then turns come as far apart as some probes take to fall due, so that batches are worth their
// system calls; replies are found at the latest after the longest.
constexpr double kWorthATurn = 32;
constexpr Duration kShortestTurn = std::chrono::milliseconds(1);
constexpr Duration kLongestTurn = std::chrono::milliseconds(5);
// Until the next look at the budget when it is spent.
constexpr Duration kBudgetPause = std::chrono::milliseconds(10);
constexpr Duration kClockCheck = std::chrono::seconds(10);
constexpr std::size_t kSamplesInTurn = 1024;

bool is_unreachable(int error) {
  return error == ENETUNREACH || error == EHOSTUNREACH;
}

Duration turn_at(double rate) {
  const auto turn =
      std::chrono::duration_cast<Duration>(std::chrono::duration<double>(kWorthATurn / rate));
  return std::clamp(turn, kShortestTurn, kLongestTurn);
}

Demand demand_of(bool fast) {
  return fast ? Demand{0, 1} : Demand{1, 0};
}

// ICMP messages of IPv6 and SYNs may be told apart by label alone: one for each pinned flow.
std::uint32_t flow_label(const Aim& aim, std::uint8_t flow) {
  constexpr std::uint32_t kLabels = 0xfffff;
  return (aim.slot * Options::kMaxFlows + flow) % kLabels + 1;
}

}  // namespace

Loop::Loop(boost::asio::io_context& io, const Options& options, Ways& ways, OnSamples on_samples)
    : ways_(ways),
      on_samples_(std::move(on_samples)),
      pacing_{options},
      budget_(options, steady_clock::now()),
      wheel_(steady_clock::now()),
      lines_(aims_, options),
      events_{[this](const auto& told) { left(told); },
              [this](const auto& told) { arrived(told); }},
      timer_(io) {
  samples_.reserve(kSamplesInTurn);
}

Result<std::shared_ptr<Loop>> Loop::open(boost::asio::io_context& io, const Options& options,
                                         Ways& ways, OnSamples on_samples) {
  std::shared_ptr<Loop> loop(new Loop(io, options, ways, std::move(on_samples)));
  auto bell = Doorbell::open(io, [weak = loop->weak_from_this()] {
    if (const auto self = weak.lock()) self->turn();
  });
  if (!bell) return bell.error();
  loop->bell_ = std::move(*bell);
  return loop;
}

// --- aims ----------------------------------------------------------------------------------------

Result<> Loop::prepare(ProbeKind kind, Family family) {
  const auto opened = lines_.open(kind, family);
  if (!opened) return opened.error();
  for (const Line* line : *opened)
    if (auto done = bell_->watch(line->socket.fd()); !done) return done;
  return {};
}

Result<> Loop::add(const Nexthop& nexthop, const AnchorSpec& spec, const Readiness& readiness) {
  const TimePoint now = steady_clock::now();
  Aim aim{.nexthop = nexthop.id,
          .ifindex = nexthop.key.ifindex,
          .gateway = readiness.gateway,
          .spec = spec,
          .mark = ways_.mark(nexthop.id),
          .nonce = std::uint64_t{entropy_()} << 32U | entropy_(),
          .stream = Stream(pacing_, now)};
  if (spec.anchor.kind == ProbeKind::stamp) {
    aim.sessions.resize(aim.stream.flows().size());
    if (!spec.stamp_key.empty()) {
      auto key = HmacKey::of(spec.stamp_key);
      if (!key) return key.error();
      aim.key = std::move(*key);
    }
  }
  aim.stream.set_ready(readiness.ready, now);
  Aim* added = aims_.add(std::move(aim));
  if (added == nullptr)
    return Error{"probe " + spec.anchor.text() + " by " + nexthop.name + ": there are " +
                 std::to_string(Aims::kMost) + " anchors already (name fewer)"};
  budget_.change({}, demand_of(false));
  pacing_.paces = budget_.paces();
  settle(*added);
  arm(now);
  return {};
}

void Loop::remove_others(NexthopId id, std::span<const AnchorSpec> specs) {
  aims_.each(id, [&](Aim& aim) {
    if (std::find(specs.begin(), specs.end(), aim.spec) != specs.end()) return;
    wheel_.remove(aim.slot);
    budget_.change(demand_of(aim.counted_fast), {});
    aims_.remove(aim);
  });
  pacing_.paces = budget_.paces();
  arm(steady_clock::now());
}

void Loop::set_ready(NexthopId id, const Readiness& readiness) {
  const TimePoint now = steady_clock::now();
  aims_.each(id, [&](Aim& aim) {
    if (aim.gateway && readiness.gateway && aim.gateway != readiness.gateway)
      aim.stream.void_outstanding(Void::neighbour);
    if (readiness.gateway) aim.gateway = readiness.gateway;
    aim.stream.set_ready(readiness.ready, now);
    settle(aim);
  });
  arm(now);
}

void Loop::set_suspicious(NexthopId id, bool suspicious) {
  const TimePoint now = steady_clock::now();
  aims_.each(id, [&](Aim& aim) {
    aim.stream.set_suspicious(suspicious, now);
    settle(aim);
  });
  arm(now);
}

void Loop::reconfigure(const Options& options) {
  pacing_.options = options;
  budget_.reconfigure(options);
  pacing_.paces = budget_.paces();
  lines_.icmp.set_payload(options.payload_bytes);
  aims_.each([&](Aim& aim) { settle(aim); });
  arm(steady_clock::now());
}

void Loop::strayed(const std::string& why) {
  aims_.each([&](Aim& aim) {
    aim.stream.void_outstanding(Void::rules);
    aim.trouble = why;
    settle(aim);
  });
}

// --- a turn --------------------------------------------------------------------------------------

void Loop::turn() {
  const TimePoint now = steady_clock::now();
  ways_.tell();
  check_clock(now);
  read();
  follow_sources();
  if (armed_ && now - *armed_ > kStall) forgive(now - *armed_);
  while (const auto slot = wheel_.take(now)) attend(*aims_.at(*slot), now);
  for (const auto& line : lines_.all())
    if (line->queued != 0) flush(*line);
  report();
  arm(now);
}

// A reply to a probe that was sent without its rule came after the kernel told of the removal.
void Loop::read() {
  (void)ways_.intact();
  for (const auto& line : lines_.all()) {
    reading_ = line.get();
    if (line->socket.drain(events_)) continue;
    line->dropped = steady_clock::now();
    overflows_++;
  }
}

void Loop::forgive(Duration stall) {
  stalls_++;
  aims_.each([&](Aim& aim) {
    aim.stream.forgive(stall);
    settle(aim);
  });
}

// Replies to an address that this host has no more do not come in: whatever is out is void then.
void Loop::follow_sources() {
  if (sources_as_of_ == ways_.source_changes()) return;
  sources_as_of_ = ways_.source_changes();
  aims_.each([&](Aim& aim) {
    if (!aim.from || !ways_.holds(aim.nexthop, aim.family())) return;
    if (ways_.source(aim.nexthop, aim.anchor().address) == aim.from) {
      aim.from_as_of = sources_as_of_;
      return;
    }
    aim.from.reset();
    aim.stream.void_outstanding(Void::neighbour);
    settle(aim);
  });
}

// All that came before `now` has been read.
void Loop::attend(Aim& aim, TimePoint now) {
  if (aim.stream.is_overdue(now)) {
    const auto& dropped = lines_.of(aim.anchor().kind, aim.family(), 0).dropped;
    while (const auto lost = aim.stream.overdue(now, dropped)) conclude(aim, *lost);
  }
  if (aim.stream.next_send() > now) return settle(aim);
  if (budget_.spend(now)) return compose(aim);
  aim.stream.postpone(now + kBudgetPause);
  settle(aim);
}

void Loop::check_clock(TimePoint now) {
  if (now < clock_checked_ + kClockCheck) return;
  clock_checked_ = now;
  lines_.stamp.set_clock_error(wall_clock_error());
}

void Loop::report() {
  if (samples_.empty()) return;
  on_samples_(samples_);
  samples_.clear();
}

// An aim is in the wheel when it is not in a batch.
void Loop::settle(Aim& aim) {
  if (aim.stream.fast() != aim.counted_fast) {
    budget_.change(demand_of(aim.counted_fast), demand_of(aim.stream.fast()));
    aim.counted_fast = aim.stream.fast();
    pacing_.paces = budget_.paces();
  }
  wheel_.set(aim.slot, aim.stream.due());
}

// --- sending -------------------------------------------------------------------------------------

void Loop::unsent(Aim& aim, Trouble trouble) {
  aim.trouble = std::move(trouble);
  aim.stuck = true;
  aim.stream.unsent(steady_clock::now(), unit());
  settle(aim);
}

// What the kernel said of the way is believed until something changes.
bool Loop::can_leave(Aim& aim) {
  const std::uint64_t as_of = ways_.source_changes();
  if (aim.from && aim.from_as_of == as_of && ways_.holds(aim.nexthop, aim.family())) return true;
  const auto from = ways_.leave(aim.nexthop, aim.anchor().address);
  if (!from) {
    unsent(aim, from.error().message);
    return false;
  }
  aim.from = *from;
  aim.from_as_of = as_of;
  return true;
}

void Loop::compose(Aim& aim) {
  if (!can_leave(aim)) return;
  const Question question{aim, aim.stream.sequence(), aim.stream.flow(), ClockPair::now().wall};
  Line& line = lines_.of(aim.anchor().kind, aim.family(), question.flow);
  const std::size_t bytes = line.kind.ask(question, line.room());
  line.next().flow_label = aim.family() == Family::v6 ? flow_label(aim, question.flow) : 0;
  address(line.next(), aim);
  line.added(&aim, bytes);
  if (line.full()) flush(line);
}

void Loop::address(Outgoing& out, const Aim& aim) {
  const bool udp = aim.anchor().kind == ProbeKind::stamp;
  out.to = aim.anchor().address;
  out.port = udp ? aim.anchor().port : std::uint16_t{0};  // raw sockets of IPv6 refuse any
  out.mark = aim.mark;
  out.ifindex = aim.ifindex;
  out.from = aim.from;
}

void Loop::flush(Line& line) {
  const std::size_t count = std::exchange(line.queued, 0);
  const bool intact = ways_.intact();
  const TimePoint at = steady_clock::now();
  if (intact)
    line.socket.send(std::span(line.outgoing).first(count), std::span(line.errors).first(count));
  for (std::size_t i = 0; i < count; i++) {
    Aim* aim = line.aims[i];
    if (aim == nullptr) continue;
    if (intact) {
      depart(line, i, at);
    } else {  // strayed() has said why
      aim->stream.unsent(at, unit());
      aim->stuck = true;
    }
    settle(*aim);
  }
}

void Loop::depart(Line& line, std::size_t index, TimePoint at) {
  Aim& aim = *line.aims[index];
  int error = line.errors[index];
  // The kernel drops routes when an interface goes down, and does not put them back.
  if (is_unreachable(error) && ways_.bind_anew(aim.nexthop, aim.family())) {
    at = steady_clock::now();
    line.socket.send(std::span(line.outgoing).subspan(index, 1), {&error, 1});
  }
  if (error != 0) {
    if (error == EINVAL) aim.from.reset();  // no address of this host any more
    return unsent(aim, SendFailure{error});
  }
  aim.stuck = false;
  aim.stream.sent(at, unit());
}

// --- waking --------------------------------------------------------------------------------------

void Loop::arm(TimePoint now) {
  auto due = wheel_.next();
  if (!due) {
    armed_.reset();
    timer_.cancel();
    return;
  }
  if (budget_.granted() < kPollingRate)
    bell_->arm();
  else
    due = std::clamp(*due, now + turn_at(budget_.granted()), now + kLongestTurn);
  if (due != armed_) arm_timer(*due);
}

void Loop::arm_timer(TimePoint due) {
  // What fell due only now, by a timeout that became shorter, is not a stall.
  armed_ = std::max(due, steady_clock::now());
  timer_.expires_at(*armed_);
  timer_.async_wait([weak = weak_from_this()](const boost::system::error_code& error) {
    const auto self = weak.lock();
    if (!error && self) self->turn();
  });
}

// --- what is told --------------------------------------------------------------------------------

std::vector<ProbeStatus> Loop::status() const {
  std::vector<ProbeStatus> all;
  all.reserve(aims_.size());
  const TimePoint now = steady_clock::now();
  aims_.each([&](const Aim& aim) {
    all.push_back(aim.status(now));
    all.back().rate = rate_of(aim.counted_fast ? pacing_.paces.suspicious : pacing_.paces.usual);
  });
  return all;
}

ProberTotals Loop::totals() const {
  ProberTotals totals;
  totals.stalls = stalls_;
  totals.overflows = overflows_;
  totals.unknown_replies = unknown_;
  totals.wanted_rate = budget_.wanted();
  totals.rate = budget_.granted();
  totals.staged = ways_.staged();
  totals.budget = budget_.whole();
  totals.staged_packets = ways_.staged_packets();
  aims_.each([&](const Aim& aim) { totals.unknown_replies += aim.stream.counters().stale; });
  return totals;
}

}  // namespace hopwise::probes
