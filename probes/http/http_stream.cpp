#include "probes/http/http_stream.hpp"

#include <algorithm>

namespace hopwise::probes {
namespace {

using std::chrono::steady_clock;

// The smoothing of RFC 6298.
constexpr int kGain = 8;

}  // namespace

HttpStream::HttpStream(std::shared_ptr<HttpSurroundings> surroundings, const Nexthop& nexthop,
                       AnchorSpec spec)
    : surroundings_(std::move(surroundings)),
      nexthop_(nexthop.id),
      ifindex_(nexthop.key.ifindex),
      spec_(std::move(spec)),
      timer_(surroundings_->io),
      lost_of_out_(0) {
  status_.nexthop = nexthop_;
  status_.anchor = spec_.anchor;
}

void HttpStream::start() {
  if (std::exchange(started_, true)) return;
  status_.state = ProbeState::probing;
  arm(steady_clock::now(), 0);
}

void HttpStream::stop(Void why) {
  started_ = false;
  status_.state = ProbeState::waiting;
  timer_.cancel();
  void_outstanding(why);
}

void HttpStream::void_outstanding(Void why) {
  if (!out_) return;
  out_->cancel();
  out_.reset();
  ++status_.voids[static_cast<std::size_t>(why)];
  if (started_) arm(left_, 0.75);
}

ProbeStatus HttpStream::status() const {
  ProbeStatus status = status_;
  status.rate = rate();
  return status;
}

// 75 to 100 % of the interval, evenly.
double HttpStream::rate() const {
  return started_ ? 1 / (0.875 * seconds(surroundings_->options.http_interval)) : 0;
}

// The next is due between `least` and all of an interval after `from`.
void HttpStream::arm(TimePoint from, double least) {
  const double share = std::uniform_real_distribution<>(least, 1)(surroundings_->chance);
  const auto wait = std::chrono::duration_cast<Duration>(
      std::chrono::duration<double>(seconds(surroundings_->options.http_interval) * share));
  timer_.expires_at(from + wait);
  timer_.async_wait([weak = weak_from_this()](const boost::system::error_code& error) {
    const auto self = weak.lock();
    if (!error && self && self->started_ && !self->out_) self->probe();
  });
}

HttpRequest HttpStream::request() const {
  const auto certificate =
      spec_.verify_certificate ? Tls::Certificate::valid : Tls::Certificate::any;
  return {.to = {spec_.anchor.address, spec_.anchor.port, ifindex_},
          .host = spec_.http_host,
          .path = spec_.http_path.empty() ? "/" : spec_.http_path,
          .certificate = certificate,
          .timeout = surroundings_->options.http_timeout};
}

void HttpStream::probe() {
  left_ = steady_clock::now();
  lost_of_out_ = 0;
  const auto weak = weak_from_this();
  const bool secure = spec_.anchor.kind == ProbeKind::https;
  auto exchange = std::make_shared<Exchange>(
      surroundings_->io, request(), secure ? surroundings_->tls : nullptr,
      Exchange::Events{.lost =
                           [weak](TimePoint sent) {
                             if (const auto self = weak.lock()) self->lost(sent);
                           },
                       .over =
                           [weak](const ExchangeReport& report) {
                             if (const auto self = weak.lock()) self->over(report);
                           }});
  const auto departure = surroundings_->depart(nexthop_, spec_.anchor.address);
  const Result<> begun = departure ? exchange->begin(*departure) : departure.error();
  status_.state = begun ? ProbeState::probing : ProbeState::unbound;
  if (begun) {
    out_ = std::move(exchange);
    ++status_.sent;
    return;
  }
  ++status_.unsent;
  status_.last_error = begun.error().message;
  arm(left_, 0.75);
}

// The first SYN was counted when it left; the kernel's own are when it is known what became of
// them.
void HttpStream::lost(TimePoint sent) {
  if (lost_of_out_++ > 0) ++status_.sent;
  ++status_.lost;
  Sample sample;
  sample.outcome = Outcome::lost;
  sample.sent = sent;
  emit(sample);
}

void HttpStream::over(const ExchangeReport& report) {
  out_.reset();
  if (report.trouble) status_.last_error = report.trouble;
  if (report.unreachable) ++status_.refused;
  if (report.first_byte) status_.first_byte = report.first_byte;
  arm(left_, 0.75);
  if (report.answered) answered(report);
}

void HttpStream::answered(const ExchangeReport& report) {
  const bool late = report.connect && report.connect->outcome == Outcome::late;
  ++(late ? status_.late : status_.received);
  if (!late && lost_of_out_ > 0) ++status_.sent;
  if (!report.connect) return;
  const ConnectVerdict& connect = *report.connect;
  if (connect.source == TimestampSource::kernel) ++status_.kernel_stamped;
  status_.rtt = status_.rtt ? *status_.rtt + (connect.rtt - *status_.rtt) / kGain : connect.rtt;
  Sample sample;
  sample.outcome = connect.outcome;
  sample.sent = connect.sent;
  sample.rtt = connect.rtt;
  sample.source = connect.source;
  sample.first_byte = report.first_byte;
  emit(sample);
}

void HttpStream::emit(Sample sample) {
  sample.nexthop = nexthop_;
  sample.anchor = spec_.anchor;
  sample.known = steady_clock::now();
  surroundings_->samples({&sample, 1});
}

}  // namespace hopwise::probes
