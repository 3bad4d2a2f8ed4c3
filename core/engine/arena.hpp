// Memory for one call: rows that live no longer than it, on the stack while they are of usual size.
// Decisions are asked for ten times a second, of a thousand groups: in steady state none of them
// asks the heap for anything.
#pragma once

#include <array>
#include <cstddef>
#include <memory_resource>
#include <vector>

namespace hopwise::engine {

class Arena {
 public:
  Arena() = default;
  Arena(const Arena&) = delete;
  Arena& operator=(const Arena&) = delete;
  template <class T>
  operator std::pmr::polymorphic_allocator<T>() {  // NOLINT: that is what it is for
    return &memory_;
  }

 private:
  alignas(std::max_align_t) std::array<std::byte, 8192> bytes_;  // NOLINT: not to be cleared
  std::pmr::monotonic_buffer_resource memory_{bytes_.data(), bytes_.size()};
};

template <class T>
using Row = std::pmr::vector<T>;

/// Empty, with room for `n`.
template <class T>
Row<T> row(Arena& arena, std::size_t n) {
  Row<T> empty(arena);
  empty.reserve(n);
  return empty;
}

}  // namespace hopwise::engine
