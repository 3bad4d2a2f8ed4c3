// The loop's half that hears: what left, what came in, and whose it is.
#include <cerrno>

#include "probes/loop/loop.hpp"
#include "probes/wire/quote.hpp"

namespace hopwise::probes {
namespace {

using std::chrono::steady_clock;

Egress::Proof proof(const DatagramSocket::Left& left, const Aim& aim) {
  if (left.hops.empty()) return Egress::Proof::none;
  if (!left.by(aim.ifindex, {})) return Egress::Proof::strayed;
  if (aim.gateway)
    return left.by(aim.ifindex, aim.gateway) ? Egress::Proof::proved : Egress::Proof::strayed;
  // Where there is no link-layer address, the interface alone is the way.
  return left.hops.back().to ? Egress::Proof::none : Egress::Proof::proved;
}

// Not so where the last device is another: a VLAN's parent, a bond's slave.
bool driver_tells(const DatagramSocket::Left& left, const Aim& aim) {
  if (left.hops.empty() || left.hops.size() == Departures::kHops) return false;
  const Hop& last = left.hops.back();
  return last.ifindex == aim.ifindex && (!aim.gateway || last.to == aim.gateway);
}

}  // namespace

void Loop::left(const DatagramSocket::Left& left) {
  const auto probe = reading_->kind.left(left.message, reading_->flow);
  if (!probe) return;
  Stream& stream = probe->aim->stream;
  const bool waited = stream.has_outstanding();
  stream.left(probe->sequence,
              {left.at, left.queued, proof(left, *probe->aim), driver_tells(left, *probe->aim)});
  if (waited && !stream.has_outstanding()) settle(*probe->aim);
}

void Loop::arrived(const DatagramSocket::Arrived& arrived) {
  if (reading_->duty == Line::Duty::errors) {
    const auto quote = parse_quote(arrived.from.family, arrived.bytes);
    const auto probe = quote ? reading_->kind.quoted(*quote) : std::nullopt;
    if (probe) refused(*probe, {arrived.from, quote->type, quote->code});
    return;
  }
  const Heard heard = reading_->kind.heard(arrived, reading_->flow);
  switch (heard.says) {
    case Heard::Says::unknown:
      unknown_++;
      return;
    case Heard::Says::forged:
      heard.aim->forged++;
      return;
    case Heard::Says::refusal:
      return refused({heard.aim, heard.sequence}, {arrived.from, heard.type, heard.code});
    case Heard::Says::reply:
      return replied(heard, arrived);
  }
}

void Loop::refused(const Named& probe, const RefusedBy& by) {
  probe.aim->refused++;
  probe.aim->trouble = by;
}

void Loop::replied(const Heard& heard, const DatagramSocket::Arrived& arrived) {
  Aim& aim = *heard.aim;
  // Whoever repeats an answer does not make us send more than a few for each probe.
  if (heard.half_open && aim.ends_left > 0) {
    aim.ends_left--;
    end_half_open(aim, heard.sequence);
  }
  const auto verdict =
      aim.stream.reply(heard.sequence, {arrived.at, arrived.source, heard.turnaround});
  if (!verdict) return;
  aim.forward.reset();
  aim.backward.reset();
  if (heard.reflected) tell_apart(aim, *heard.reflected, *verdict, arrived);
  conclude(aim, *verdict);
  settle(aim);
}

// What a reflector tells of the two directions. Its clock and ours are compared only where both
// are kept, and only with the kernel's stamps.
void Loop::tell_apart(Aim& aim, const Reflected& reflected, const Verdict& verdict,
                      const DatagramSocket::Arrived& arrived) {
  aim.sessions[verdict.flow].observe(reflected.request, reflected.reply);
  if (!reflected.synchronised || verdict.source != TimestampSource::kernel) return;
  const ClockPair clocks = ClockPair::now();
  const auto wall = [&](TimePoint at) { return clocks.wall - (clocks.monotonic - at); };
  aim.forward = reflected.received - wall(verdict.sent);
  aim.backward = wall(arrived.at) - reflected.sent;
}

void Loop::conclude(const Aim& aim, const Verdict& verdict) {
  Sample sample{.nexthop = aim.nexthop,
                .anchor = aim.anchor(),
                .outcome = verdict.outcome,
                .sent = verdict.sent,
                .known = steady_clock::now(),
                .rtt = verdict.rtt,
                .source = verdict.source,
                .flow = verdict.flow,
                .queued = verdict.queued};
  if (verdict.outcome != Outcome::lost) {
    sample.forward = aim.forward;
    sample.backward = aim.backward;
  }
  samples_.push_back(sample);
}

}  // namespace hopwise::probes
