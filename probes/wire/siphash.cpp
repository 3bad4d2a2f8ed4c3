#include "probes/wire/siphash.hpp"

#include <bit>
#include <cstddef>

namespace hopwise::probes {
namespace {

class SipState {
 public:
  explicit SipState(const std::array<std::uint64_t, 2>& key)
      : v_{key[0] ^ 0x736f6d6570736575, key[1] ^ 0x646f72616e646f6d, key[0] ^ 0x6c7967656e657261,
           key[1] ^ 0x7465646279746573} {}

  void absorb(std::uint64_t word) {
    v_[3] ^= word;
    rounds(2);
    v_[0] ^= word;
  }
  std::uint64_t finish() {
    v_[2] ^= 0xffU;
    rounds(4);
    return v_[0] ^ v_[1] ^ v_[2] ^ v_[3];
  }

 private:
  void rounds(int count) {
    for (; count > 0; count--) {
      mix(0, 1, 13), v_[0] = std::rotl(v_[0], 32);
      mix(2, 3, 16);
      mix(0, 3, 21);
      mix(2, 1, 17), v_[2] = std::rotl(v_[2], 32);
    }
  }
  void mix(std::size_t a, std::size_t b, int turn) {
    v_[a] += v_[b];
    v_[b] = std::rotl(v_[b], turn) ^ v_[a];
  }

  std::array<std::uint64_t, 4> v_;
};

// Closes every message: its length.
constexpr std::uint64_t kLastWord = std::uint64_t{8} << 56U;

}  // namespace

std::uint64_t siphash(const std::array<std::uint64_t, 2>& key, std::uint64_t word) {
  SipState state(key);
  state.absorb(word);
  state.absorb(kLastWord);
  return state.finish();
}

}  // namespace hopwise::probes
