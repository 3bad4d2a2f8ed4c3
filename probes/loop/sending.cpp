// The loop's half that sends: a probe is made, waits in its line's batch, and leaves or does not.
#include <algorithm>
#include <cerrno>
#include <utility>

#include "probes/loop/loop.hpp"

namespace hopwise::probes {
namespace {

using std::chrono::steady_clock;

// RSTs that a SYN earns for answers to it, repeated ones among them; and what may be saved up,
// for answers that come in a row.
constexpr int kEndsOfProbe = 2, kMostEnds = 32;

bool is_unreachable(int error) {
  return error == ENETUNREACH || error == EHOSTUNREACH;
}

// ICMP messages of IPv6 and SYNs may be told apart by label alone: one for each pinned flow.
std::uint32_t flow_label(const Aim& aim, std::uint8_t flow) {
  constexpr std::uint32_t kLabels = 0xfffff;
  return (aim.slot * Options::kMaxFlows + flow) % kLabels + 1;
}

// STAMP alone tells it.
WallTime wall_for(const Aim& aim) {
  if (aim.anchor().kind != ProbeKind::stamp) return {};
  return std::chrono::time_point_cast<Duration>(std::chrono::system_clock::now());
}

}  // namespace

void Loop::unsent(Aim& aim, Trouble trouble) {
  aim.trouble = std::move(trouble);
  aim.stuck = true;
  aim.stream.unsent(steady_clock::now(), unit());
  settle(aim);
}

// What the kernel said of the way is believed until something changes, as when it is unbound.
bool Loop::can_leave(Aim& aim) {
  const std::uint64_t as_of = ways_.source_changes();
  if (aim.from && aim.from_as_of == as_of) return true;
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
  const Question question{aim, aim.stream.sequence(), aim.stream.flow(), wall_for(aim)};
  const auto same_flow = static_cast<std::uint32_t>(question.sequence - aim.stream.flows().size());
  if (aim.anchor().kind == ProbeKind::tcp && aim.stream.waits_for(same_flow))
    end_half_open(aim, same_flow);
  Line& line = lines_.of(aim.anchor().kind, aim.family(), question.flow);
  const std::size_t bytes = line.kind.ask(question, line.room());
  line.next().flow_label = aim.family() == Family::v6 ? flow_label(aim, question.flow) : 0;
  line.next().stamps = aim.stream.asks_wait() ? Stamps::all : Stamps::departure;
  address(line.next(), aim);
  line.added(&aim, bytes);
  if (line.full()) flush(line);
}

// Where a SYN has come but its answer was not heard, the anchor waits for the connection and would
// take no other SYN from that port, and would repeat its answer: one loss would look like many, or
// like none. So who was not heard of is told the end as well, in time and before its port is used
// again. By the way that the SYN took, with the probes of this turn.
void Loop::end_half_open(const Aim& aim, std::uint32_t sequence) {
  if (!aim.from) return;
  Line& line = lines_.of(ProbeKind::tcp, aim.family(), 0);
  const std::size_t bytes = lines_.tcp.end(aim, sequence, line.room());
  line.next().flow_label =
      aim.family() == Family::v6 ? flow_label(aim, aim.stream.flow(sequence)) : 0;
  line.next().stamps = Stamps::departure;
  address(line.next(), aim);
  line.added(nullptr, bytes);
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
  aim.ends_left = static_cast<std::uint8_t>(std::min(aim.ends_left + kEndsOfProbe, kMostEnds));
  aim.stream.sent(at, unit());
}

}  // namespace hopwise::probes
