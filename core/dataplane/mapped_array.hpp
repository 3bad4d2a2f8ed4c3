// The arrays of bpf/abi.h as memory: a store here is what the programs read next.
#pragma once

#include <sys/mman.h>

#include <atomic>
#include <cerrno>
#include <cstdint>
#include <memory>
#include <span>
#include <string>

#include "core/model/result.hpp"

namespace hopwise::dataplane {

/// A BPF_F_MMAPABLE array's entries. The kernel rounds an entry up to 8 bytes; ours are multiples.
template <class Entry>
class MappedArray {
  static_assert(sizeof(Entry) % 8 == 0);

 public:
  static Result<MappedArray> map(int fd, std::uint32_t entries, const char* name) {
    const std::size_t bytes = sizeof(Entry) * entries;
    void* memory = mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (memory == MAP_FAILED) return system_error(std::string("map ") + name, errno);
    return MappedArray(static_cast<Entry*>(memory), entries);
  }

  Entry& operator[](std::uint32_t i) const { return memory_.get()[i]; }
  [[nodiscard]] std::uint32_t size() const { return memory_.get_deleter().entries; }
  [[nodiscard]] std::span<Entry> span() const { return {memory_.get(), size()}; }

 private:
  struct Unmap {
    std::uint32_t entries = 0;
    void operator()(Entry* memory) const { munmap(memory, sizeof(Entry) * entries); }
  };
  MappedArray(Entry* memory, std::uint32_t entries) : memory_(memory, Unmap{entries}) {}
  std::unique_ptr<Entry, Unmap> memory_;
};

/// A store that the programs see after everything that was stored before it.
template <class Word, class Value>
void publish_word(Word& word, Value value) {
  std::atomic_ref<Word>(word).store(static_cast<Word>(value), std::memory_order_release);
}

/// A store that the programs see before everything that is stored after it.
template <class Word>
void withdraw_word(Word& word) {
  std::atomic_ref<Word>(word).store(0, std::memory_order_relaxed);
  std::atomic_thread_fence(std::memory_order_release);
}

/// What a program that runs now may find.
template <class Word>
Word read_word(Word& word) {
  return std::atomic_ref<Word>(word).load(std::memory_order_acquire);
}

}  // namespace hopwise::dataplane
