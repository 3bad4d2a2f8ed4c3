#include "probes/loop/loop.hpp"

#include <algorithm>

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
constexpr double kWorthATurn = 128;
constexpr Duration kShortestTurn = std::chrono::milliseconds(1);
constexpr Duration kLongestTurn = std::chrono::milliseconds(5);
// Until the next look at the budget when it is spent.
constexpr Duration kBudgetPause = std::chrono::milliseconds(10);
constexpr Duration kClockCheck = std::chrono::seconds(10);
constexpr std::size_t kSamplesInTurn = 1024;
Duration turn_at(double rate) {
  const auto turn =
      std::chrono::duration_cast<Duration>(std::chrono::duration<double>(kWorthATurn / rate));
  return std::clamp(turn, kShortestTurn, kLongestTurn);
}

Demand demand_of(bool fast) {
  return fast ? Demand{0, 1} : Demand{1, 0};
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
  Aim* added = aims_.add(std::move(aim), now);
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
  const TimePoint now = steady_clock::now();
  aims_.each(id, [&](Aim& aim) {
    if (std::find(specs.begin(), specs.end(), aim.spec) != specs.end()) return;
    wheel_.remove(aim.slot);
    budget_.change(demand_of(aim.counted_fast), {});
    aims_.remove(aim, now);
  });
  pacing_.paces = budget_.paces();
  arm(now);
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
  const std::uint32_t flows = pacing_.options.flows;  // the sockets are as many
  pacing_.options = options;
  pacing_.options.flows = flows;
  budget_.reconfigure(options);
  pacing_.paces = budget_.paces();
  lines_.icmp.set_payload(options.payload_bytes);
  repace();
  arm(steady_clock::now());
}

// It may be told while a batch is being made, and an aim in a batch must not be in the wheel: so
// none is put there. Those that have less to wait for now are looked at once in vain.
void Loop::strayed(const std::string& why) {
  aims_.each([&](Aim& aim) {
    aim.stream.void_outstanding(Void::rules);
    aim.trouble = why;
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
  if (send()) {
    read();
    send();
  }
  if (budget_.loosened(now)) repace();
  report();
  arm(now);
}

// What is in the batches; true when that was anything. Stamps of empty queues, and replies of a
// peer that is near, are there at once: read now, while all that they are about is at hand, they
// wake nobody and cost less than in the next turn.
bool Loop::send() {
  bool any = false;
  for (const auto& line : lines_.all()) {
    if (line->queued == 0) continue;
    flush(*line);
    any = true;
  }
  return any;
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

void Loop::repace() {
  aims_.each([&](Aim& aim) {
    aim.stream.repace();
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
    const auto dropped = lines_.dropped(aim.anchor().kind, aim.family());
    while (const auto lost = aim.stream.overdue(now, dropped)) {
      conclude(aim, *lost);
      if (aim.anchor().kind == ProbeKind::tcp) end_half_open(aim, lost->sequence);
    }
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

// --- waking --------------------------------------------------------------------------------------

void Loop::arm(TimePoint now) {
  auto due = wheel_.next();
  if (!due) {
    armed_.reset();
    timer_.cancel();
    return;
  }
  if (budget_.granted() < kPollingRate) {
    bell_->arm();
  } else {
    bell_->hush();
    due = std::clamp(*due, now + turn_at(budget_.granted()), now + kLongestTurn);
  }
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
