// A keyed hash of one number that nobody can foretell without the key; pure.
#pragma once

#include <array>
#include <cstdint>

namespace hopwise::probes {

/// SipHash-2-4 (Aumasson and Bernstein, 2012) of the eight bytes of `word`, least first.
std::uint64_t siphash(const std::array<std::uint64_t, 2>& key, std::uint64_t word);

}  // namespace hopwise::probes
