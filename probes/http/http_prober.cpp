#include "probes/http/http_prober.hpp"

#include <map>

#include "probes/http/http_stream.hpp"

namespace hopwise::probes {
namespace {

struct Way {
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
  std::map<NexthopId, Way> ways;

  void keep(Way& way, const std::vector<AnchorSpec>& specs);
};

void HttpProber::Impl::keep(Way& way, const std::vector<AnchorSpec>& specs) {
  auto former = std::exchange(way.streams, {});
  for (const AnchorSpec& spec : specs) {
    const ProbeKind kind = spec.anchor.kind;
    if (kind != ProbeKind::http && kind != ProbeKind::https) continue;
    if (kind == ProbeKind::https && !surroundings->tls) surroundings->tls = std::make_shared<Tls>();
    auto& stream = way.streams[spec.anchor];
    if (const auto known = former.extract(spec.anchor); !known.empty()) {
      stream = known.mapped();
      stream->set_spec(spec);
    } else {
      stream = std::make_shared<HttpStream>(surroundings, way.nexthop, spec);
      if (way.readiness.ready) stream->start();
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
  for (auto& [id, way] : impl_->ways) way.stop(Void::neighbour);
}

void HttpProber::set_target(const Target& target) {
  const NexthopId id = target.nexthop.id;
  const auto known = impl_->ways.find(id);
  if (known != impl_->ways.end() && known->second.nexthop.key != target.nexthop.key)
    remove_target(id);
  Way& way = impl_->ways[id];
  way.nexthop = target.nexthop;
  impl_->keep(way, target.anchors);
}

void HttpProber::remove_target(NexthopId id) {
  const auto known = impl_->ways.find(id);
  if (known == impl_->ways.end()) return;
  known->second.stop(Void::neighbour);
  impl_->ways.erase(known);
}

void HttpProber::set_ready(NexthopId id, const Readiness& readiness) {
  const auto known = impl_->ways.find(id);
  if (known == impl_->ways.end()) return;
  Way& way = known->second;
  const bool moved = way.readiness.gateway != readiness.gateway;
  way.readiness = readiness;
  for (auto& [anchor, stream] : way.streams) {
    if (!readiness.ready) {
      stream->stop(Void::neighbour);
    } else {
      if (moved) stream->void_outstanding(Void::neighbour);
      stream->start();
    }
  }
}

void HttpProber::void_outstanding(Void why, const std::string& trouble) {
  for (auto& [id, way] : impl_->ways) {
    for (auto& [anchor, stream] : way.streams) {
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
  for (const auto& [id, way] : impl_->ways)
    for (const auto& [anchor, stream] : way.streams) rate += stream->rate();
  return rate;
}

std::vector<ProbeStatus> HttpProber::status() const {
  std::vector<ProbeStatus> all;
  for (const auto& [id, way] : impl_->ways)
    for (const auto& [anchor, stream] : way.streams) all.push_back(stream->status());
  return all;
}

}  // namespace hopwise::probes
