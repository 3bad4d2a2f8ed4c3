// Flows that left a nexthop by themselves, as the programs tell of them by ring buffer.
#pragma once

#include <functional>
#include <memory>

#include "core/dataplane/dataplane.hpp"
#include "core/model/result.hpp"

struct ring_buffer;

namespace hopwise::dataplane {

class Escapes {
 public:
  static Result<Escapes> open(int events_fd);

  /// Readable when escapes wait.
  [[nodiscard]] int fd() const;
  /// Takes all that wait, the oldest first; waits for none.
  void take(const std::function<void(const Escape&)>& each);

 private:
  // libbpf keeps a pointer to it: it must not move.
  struct Sink {
    const std::function<void(const Escape&)>* each = nullptr;
  };
  struct Free {
    void operator()(ring_buffer* ring) const;
  };
  static int receive(void* sink, void* event, std::size_t size);
  Escapes(std::unique_ptr<Sink> sink, ring_buffer* ring) : sink_(std::move(sink)), ring_(ring) {}

  std::unique_ptr<Sink> sink_;
  std::unique_ptr<ring_buffer, Free> ring_;
};

}  // namespace hopwise::dataplane
