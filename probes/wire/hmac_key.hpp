// The key of authenticated STAMP: HMAC-SHA-256, cut to its first 16 bytes (RFC 8762, 4.4);
// OpenSSL's.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string_view>

#include "core/model/result.hpp"

struct evp_mac_ctx_st;

namespace hopwise::probes {

inline constexpr std::size_t kDigestBytes = 16;
using Digest = std::array<std::uint8_t, kDigestBytes>;

/// Of one thread at a time, const or not: signing goes through one prepared state.
class HmacKey {
 public:
  /// The error tells when `secret` is empty, or OpenSSL has no HMAC-SHA-256.
  static Result<HmacKey> of(std::string_view secret);

  /// Of `first` and `second`, one behind the other.
  [[nodiscard]] Digest sign(std::span<const std::uint8_t> first,
                            std::span<const std::uint8_t> second = {}) const;
  /// Whether `digest` is that, in a time that does not tell where it is not. False for any other
  /// size.
  [[nodiscard]] bool signed_by(std::span<const std::uint8_t> digest,
                               std::span<const std::uint8_t> first,
                               std::span<const std::uint8_t> second = {}) const;

 private:
  struct Free {
    void operator()(evp_mac_ctx_st* state) const;
  };
  using State = std::unique_ptr<evp_mac_ctx_st, Free>;
  explicit HmacKey(State state) : state_(std::move(state)) {}

  State state_;
};

}  // namespace hopwise::probes
