#include "core/dataplane/escapes.hpp"

#include <bpf/libbpf.h>

#include <cerrno>
#include <cstring>

#include "bpf/abi.h"

namespace hopwise::dataplane {

void Escapes::Free::operator()(ring_buffer* ring) const {
  ring_buffer__free(ring);
}

int Escapes::receive(void* sink, void* event, std::size_t size) {
  const auto* each = static_cast<Sink*>(sink)->each;
  hw_escape escape{};
  if (each == nullptr || size < sizeof(escape)) return 0;
  std::memcpy(&escape, event, sizeof(escape));
  (*each)({TimePoint(Duration(escape.at_ns)), GroupId{escape.group}, NexthopId{escape.from},
           NexthopId{escape.to}});
  return 0;
}

Result<Escapes> Escapes::open(int events_fd) {
  auto sink = std::make_unique<Sink>();
  ring_buffer* ring = ring_buffer__new(events_fd, receive, sink.get(), nullptr);
  if (ring == nullptr) return system_error("read hw_events", errno);
  return Escapes(std::move(sink), ring);
}

int Escapes::fd() const {
  return ring_buffer__epoll_fd(ring_.get());
}

void Escapes::take(const std::function<void(const Escape&)>& each) {
  sink_->each = &each;
  ring_buffer__consume(ring_.get());
  sink_->each = nullptr;
}

}  // namespace hopwise::dataplane
