#include "probes/reflect/responder.hpp"

#include <algorithm>
#include <utility>

namespace hopwise::probes {
namespace {

constexpr std::uint16_t kFirstUserPort = 1024;
constexpr std::uint8_t kEcnBits = 3;

// Groups, broadcast and no address at all: what no host sends from, and no reply leaves from.
bool names_one_host(const IpAddress& address) {
  if (address.is_unspecified()) return false;
  return address.is_v4() ? address.bytes[0] != 0 && address.bytes[0] < 224
                         : address.bytes[0] != 0xff;
}

}  // namespace

std::string_view text(Fate fate) {
  constexpr std::array<std::string_view, kFates> kNames{
      "answered",    "too_short",   "too_long", "wrong_hmac", "source_rate", "total_rate",
      "not_allowed", "bad_address", "bad_port", "reflected",  "unsent"};
  return kNames[static_cast<std::size_t>(fate)];
}

Result<Responder> Responder::make(const ReflectorOptions& options, std::uint64_t seed) {
  std::optional<HmacKey> key;
  if (!options.key.empty()) {
    auto made = HmacKey::of(options.key);
    if (!made) return made.error();
    key = std::move(*made);
  }
  return Responder(options, std::move(key), seed);
}

Responder::Responder(const ReflectorOptions& options, std::optional<HmacKey> key,
                     std::uint64_t seed)
    : options_(options),
      key_(std::move(key)),
      limiter_({options.source_rate, options.total_rate, options.sources}, seed) {
  if (options.mode == ReflectorOptions::Mode::stateful)
    sessions_.emplace(Sessions::Bounds{options.sessions, options.session_age}, seed);
}

Fate Responder::screen(const Asked& asked) const {
  if (!names_one_host(asked.from) || !names_one_host(asked.to)) return Fate::bad_address;
  if (asked.from_port < kFirstUserPort || asked.from_port == options_.port) return Fate::bad_port;
  const auto covers = [&](const Prefix& prefix) { return prefix.contains(asked.from); };
  if (!options_.allow.empty() && std::none_of(options_.allow.begin(), options_.allow.end(), covers))
    return Fate::not_allowed;
  return Fate::answered;
}

// A reflector on a port below 1024 is answered by none of ours.
bool Responder::may_loop(std::span<const std::uint8_t> packet) const {
  if (packet.size() >= stamp::telling_bytes(key())) return stamp::is_reflected(packet, key());
  return options_.port >= kFirstUserPort;
}

Fate Responder::limit(const Asked& asked) {
  switch (limiter_.ask(asked.from, asked.now)) {
    case Limiter::Verdict::source_over:
      return Fate::source_rate;
    case Limiter::Verdict::all_over:
      return Fate::total_rate;
    case Limiter::Verdict::allowed:
      break;
  }
  return Fate::answered;
}

Fate Responder::judge(const Asked& asked, Answer& answer) {
  session_ = nullptr;
  Fate fate = screen(asked);
  if (fate == Fate::answered) {
    const auto request = stamp::parse_request(asked.packet, key());
    if (request)
      answer.request = *request;
    else
      fate = request.error() == stamp::Refused::wrong_hmac ? Fate::wrong_hmac : Fate::too_short;
  }
  if (fate == Fate::answered && may_loop(asked.packet)) fate = Fate::reflected;
  if (fate == Fate::answered) fate = limit(asked);
  if (fate != Fate::answered) {
    drop(fate);
    return fate;
  }
  if (sessions_)
    session_ = &sessions_->receive({asked.from, asked.from_port, answer.request.ssid}, asked.now);
  answer.reflection = {session_ != nullptr ? session_->reflected : answer.request.sequence,
                       {},
                       asked.received,
                       clock_,
                       asked.ttl};
  answer.packet = asked.packet;
  answer.traffic_class = static_cast<std::uint8_t>(asked.traffic_class & ~kEcnBits);
  answer_tlvs(asked, answer);
  return Fate::answered;
}

void Responder::answer_tlvs(const Asked& asked, Answer& answer) {
  const std::size_t base = stamp::base_bytes(key());
  if (asked.packet.size() <= base) return;
  stamp::TlvAnswers answers;
  answers.request_sequence = answer.request.sequence;
  answers.reply_sequence = answer.reflection.sequence;
  answers.traffic_class = asked.traffic_class;
  answers.highest_dscp = options_.highest_dscp;
  // Which source it is by that the kernel does not tell: NTP is what nearly all use.
  answers.source = clock_.synchronised ? stamp::SyncSource::ntp : stamp::SyncSource::free_running;
  if (session_ != nullptr)
    answers.session =
        stamp::TlvAnswers::Session{session_->received, session_->reflected, session_->before};
  const auto reflected = stamp::reflect_tlvs(asked.packet.subspan(base), answers, key());
  if (reflected.dscp) answer.traffic_class = static_cast<std::uint8_t>(*reflected.dscp << 2U);
  if (reflected.verdict == stamp::TlvVerdict::malformed) counters_.tlvs_malformed++;
  if (reflected.verdict == stamp::TlvVerdict::tampered) counters_.tlvs_tampered++;
}

void Responder::seal(Answer& answer, WallTime sent) const {
  answer.reflection.sent = sent;
  stamp::build_reply(answer.request, answer.reflection, key(), answer.packet);
}

void Responder::left(const Answer& answer, Fate fate) {
  drop(fate);
  if (fate != Fate::answered || session_ == nullptr) return;
  session_->before = stamp::FollowUp{session_->reflected, to_ntp(answer.reflection.sent),
                                     stamp::StampMethod::software};
  session_->reflected++;
}

ReflectorCounters Responder::counters() const {
  ReflectorCounters now = counters_;
  if (sessions_) {
    now.sessions = sessions_->size();
    now.sessions_forgotten = sessions_->forgotten();
  }
  return now;
}

}  // namespace hopwise::probes
