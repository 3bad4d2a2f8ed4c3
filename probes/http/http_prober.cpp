#include "probes/http/http_prober.hpp"

#include <map>

#include "probes/http/http_stream.hpp"

namespace hopwise::probes {
namespace {

struct ProbedNexthop {
  Nexthop nexthop;
  Readiness readiness;
  std::map<Anchor, std::shared_ptr<HttpStream>> streams;

  void stop(Void why) {
    for (auto& [anchor, stream] : streams) stream->stop(why);
  }
};

}  // namespace

struct HttpProber::Impl {
  std::shared_ptr<HttpSurroundings> surroundings;
  std::map<NexthopId, ProbedNexthop> nexthops;

  void keep(ProbedNexthop& probed, const std::vector<AnchorSpec>& specs);
};

void HttpProber::Impl::keep(ProbedNexthop& probed, const std::vector<AnchorSpec>& specs) {
  auto former = std::exchange(probed.streams, {});
  for (const AnchorSpec& spec : specs) {
    const ProbeKind kind = spec.anchor.kind;
    if (kind != ProbeKind::http && kind != ProbeKind::https) continue;
    if (kind == ProbeKind::https && !surroundings->tls) surroundings->tls = std::make_shared<Tls>();
    auto& stream = probed.streams[spec.anchor];
    if (const auto known = former.extract(spec.anchor); !known.empty()) {
      stream = known.mapped();
      stream->set_spec(spec);
    } else {
      stream = std::make_shared<HttpStream>(surroundings, probed.nexthop, spec);
      if (probed.readiness.ready) stream->start();
    }
  }
  for (auto& [anchor, stream] : former) stream->stop(Void::neighbour);
}

HttpProber::HttpProber(boost::asio::io_context& io, const Options& options, Hooks hooks)
    : impl_(std::make_unique<Impl>()) {
  impl_->surroundings = std::make_shared<HttpSurroundings>(
      HttpSurroundings{io, options, std::move(hooks.samples), std::move(hooks.depart)});
}

HttpProber::~HttpProber() {
  for (auto& [id, probed] : impl_->nexthops) probed.stop(Void::neighbour);
}

void HttpProber::set_target(const Target& target) {
  const NexthopId id = target.nexthop.id;
  const auto known = impl_->nexthops.find(id);
  if (known != impl_->nexthops.end() && known->second.nexthop.key != target.nexthop.key)
    remove_target(id);
  ProbedNexthop& probed = impl_->nexthops[id];
  probed.nexthop = target.nexthop;
  impl_->keep(probed, target.anchors);
}

void HttpProber::remove_target(NexthopId id) {
  const auto known = impl_->nexthops.find(id);
  if (known == impl_->nexthops.end()) return;
  known->second.stop(Void::neighbour);
  impl_->nexthops.erase(known);
}

void HttpProber::set_ready(NexthopId id, const Readiness& readiness) {
  const auto known = impl_->nexthops.find(id);
  if (known == impl_->nexthops.end()) return;
  ProbedNexthop& probed = known->second;
  const bool moved = probed.readiness.gateway != readiness.gateway;
  probed.readiness = readiness;
  for (auto& [anchor, stream] : probed.streams) {
    if (!readiness.ready) {
      stream->stop(Void::neighbour);
    } else {
      if (moved) stream->void_outstanding(Void::neighbour);
      stream->start();
    }
  }
}

void HttpProber::void_outstanding(Void why, const std::string& trouble) {
  for (auto& [id, probed] : impl_->nexthops) {
    for (auto& [anchor, stream] : probed.streams) {
      stream->void_outstanding(why);
      stream->set_trouble(trouble);
    }
  }
}

void HttpProber::reconfigure(const Options& options) {
  impl_->surroundings->options = options;
}

double HttpProber::rate() const {
  double rate = 0;
  for (const auto& [id, probed] : impl_->nexthops)
    for (const auto& [anchor, stream] : probed.streams) rate += stream->rate();
  return rate;
}

std::vector<ProbeStatus> HttpProber::status() const {
  std::vector<ProbeStatus> all;
  for (const auto& [id, probed] : impl_->nexthops)
    for (const auto& [anchor, stream] : probed.streams) all.push_back(stream->status());
  return all;
}

}  // namespace hopwise::probes
