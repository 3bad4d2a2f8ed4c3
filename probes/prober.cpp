// The public face: what the daemon says is handed to the ways (where probes leave), the loop (ICMP,
// TCP and STAMP) and the prober of HTTP.
#include "probes/prober.hpp"

#include <algorithm>
#include <iterator>
#include <map>

#include "probes/http/http_prober.hpp"
#include "probes/loop/loop.hpp"
#include "probes/loop/ways.hpp"

namespace hopwise::probes {
namespace {

bool is_http(const AnchorSpec& spec) {
  return spec.anchor.kind == ProbeKind::http || spec.anchor.kind == ProbeKind::https;
}

}  // namespace

struct Prober::Impl {
  std::unique_ptr<Ways> ways;
  std::shared_ptr<Loop> loop;
  std::unique_ptr<HttpProber> http;
  std::map<NexthopId, Readiness> readiness;

  Result<> aim(const Target& target);
  void strayed(const std::string& why);
  Result<Departure> depart(NexthopId id, const IpAddress& destination);
};

void Prober::Impl::strayed(const std::string& why) {
  if (loop) loop->strayed(why);
  if (http) http->void_outstanding(Void::rules, why);
}

Result<Departure> Prober::Impl::depart(NexthopId id, const IpAddress& destination) {
  if (!ways->intact())
    return Error{
        "probe by a mark: another program removed the rules that bind probes; they are "
        "being put back"};
  auto from = ways->leave(id, destination);
  if (!from) return from.error();
  return Departure{ways->mark(id), *from};
}

Prober::Prober(std::shared_ptr<Impl> impl) : impl_(std::move(impl)) {}
Prober::~Prober() = default;

Result<std::unique_ptr<Prober>> Prober::open(boost::asio::io_context& io, const Options& options,
                                             Events events, Staging staging) {
  auto impl = std::make_shared<Impl>();
  const auto stray = [weak = std::weak_ptr(impl)](const std::string& why) {
    if (const auto self = weak.lock()) self->strayed(why);
  };
  auto ways = Ways::open(io, options, {stray, std::move(events.marks)}, std::move(staging));
  if (!ways) return ways.error();
  impl->ways = std::move(*ways);
  auto loop = Loop::open(io, options, *impl->ways, events.samples);
  if (!loop) return loop.error();
  impl->loop = std::move(*loop);
  impl->http = std::make_unique<HttpProber>(
      io, options,
      HttpProber::Hooks{.samples = std::move(events.samples),
                        .depart = [raw = impl.get()](NexthopId id, const IpAddress& destination) {
                          return raw->depart(id, destination);
                        }});
  if (auto done = impl->loop->prepare(ProbeKind::icmp, Family::v4); !done) return done.error();
  // A kernel without IPv6 is no fault until an IPv6 anchor is named: set_target() says it then.
  (void)impl->loop->prepare(ProbeKind::icmp, Family::v6);
  return std::unique_ptr<Prober>(new Prober(std::move(impl)));
}

// The first of what goes wrong is told; the other anchors are probed all the same.
Result<> Prober::Impl::aim(const Target& target) {
  Result<> all;
  loop->remove_others(target.nexthop.id, target.anchors);
  for (const AnchorSpec& spec : target.anchors) {
    if (is_http(spec) || loop->has(target.nexthop.id, spec)) continue;
    Result<> done = loop->prepare(spec.anchor.kind, spec.anchor.address.family);
    if (done) done = loop->add(target.nexthop, spec, readiness[target.nexthop.id]);
    if (!done && all) all = done;
  }
  return all;
}

Result<> Prober::set_target(const Target& target) {
  const NexthopId id = target.nexthop.id;
  const Nexthop* known = impl_->ways->find(id);
  if (known != nullptr && known->key != target.nexthop.key) remove_target(id);
  auto bound = impl_->ways->add(target);
  auto aimed = impl_->aim(target);
  impl_->http->set_target(target);
  impl_->http->set_ready(id, impl_->readiness[id]);
  return bound ? aimed : bound;
}

Result<> Prober::end_inheritance() {
  return impl_->ways->end_inheritance();
}

void Prober::remove_target(NexthopId id) {
  impl_->loop->remove_others(id, {});
  impl_->http->remove_target(id);
  impl_->ways->remove(id);
  impl_->readiness.erase(id);
}

void Prober::set_ready(NexthopId id, const Readiness& readiness) {
  if (impl_->ways->find(id) == nullptr) return;
  impl_->readiness[id] = readiness;
  if (readiness.ready)
    impl_->ways->up(id);
  else
    impl_->ways->down(id);
  impl_->loop->set_ready(id, readiness);
  impl_->http->set_ready(id, readiness);
}

void Prober::set_suspicious(NexthopId id, bool suspicious) {
  impl_->loop->set_suspicious(id, suspicious);
}

Result<Way> Prober::way(NexthopId id, const IpAddress& destination) {
  const Nexthop* nexthop = impl_->ways->find(id);
  if (nexthop == nullptr)
    return Error{"find the nexthop of id " + std::to_string(raw(id)) + ": it is gone"};
  const auto departure = impl_->depart(id, destination);
  if (!departure) return departure.error();
  return Way{departure->mark, nexthop->key.ifindex, departure->from, impl_->readiness[id].gateway};
}

void Prober::reconfigure(const Options& options) {
  impl_->loop->reconfigure(options);
  impl_->http->reconfigure(options);
}

std::vector<ProbeStatus> Prober::status() const {
  std::vector<ProbeStatus> all = impl_->loop->status();
  std::vector<ProbeStatus> http = impl_->http->status();
  std::move(http.begin(), http.end(), std::back_inserter(all));
  return all;
}

ProberTotals Prober::totals() const {
  ProberTotals totals = impl_->loop->totals();
  totals.wanted_rate += impl_->http->rate();
  totals.rate += impl_->http->rate();
  return totals;
}

}  // namespace hopwise::probes
