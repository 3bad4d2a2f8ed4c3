#include "probes/wire/hmac_key.hpp"

#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/params.h>

#include <algorithm>
#include <stdexcept>
#include <string>

namespace hopwise::probes {

void HmacKey::Free::operator()(evp_mac_ctx_st* state) const {
  EVP_MAC_CTX_free(state);
}

Result<HmacKey> HmacKey::of(std::string_view secret) {
  if (secret.empty()) return Error{"HMAC key: it is empty (16 bytes or more are advised)"};
  const std::unique_ptr<EVP_MAC, decltype(&EVP_MAC_free)> hmac(
      EVP_MAC_fetch(nullptr, OSSL_MAC_NAME_HMAC, nullptr), EVP_MAC_free);
  State state(hmac ? EVP_MAC_CTX_new(hmac.get()) : nullptr);
  std::string digest = "SHA256";
  const std::array parameters{
      OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, digest.data(), 0),
      OSSL_PARAM_construct_end()};
  if (!state || EVP_MAC_init(state.get(), reinterpret_cast<const unsigned char*>(secret.data()),
                             secret.size(), parameters.data()) != 1)
    return Error{"HMAC key: OpenSSL offers no HMAC-SHA-256 (its configuration forbids it?)"};
  return HmacKey(std::move(state));
}

Digest HmacKey::sign(std::span<const std::uint8_t> first,
                     std::span<const std::uint8_t> second) const {
  std::array<std::uint8_t, 32> whole{};
  std::size_t size = 0;
  // Without a key the state begins anew with the one that it has.
  if (EVP_MAC_init(state_.get(), nullptr, 0, nullptr) != 1 ||
      EVP_MAC_update(state_.get(), first.data(), first.size()) != 1 ||
      EVP_MAC_update(state_.get(), second.data(), second.size()) != 1 ||
      EVP_MAC_final(state_.get(), whole.data(), &size, whole.size()) != 1 || size != whole.size())
    throw std::runtime_error("OpenSSL cannot make an HMAC-SHA-256");
  Digest digest{};
  std::copy_n(whole.begin(), digest.size(), digest.begin());
  return digest;
}

bool HmacKey::signed_by(std::span<const std::uint8_t> digest, std::span<const std::uint8_t> first,
                        std::span<const std::uint8_t> second) const {
  const Digest right = sign(first, second);
  return digest.size() == right.size() &&
         CRYPTO_memcmp(digest.data(), right.data(), right.size()) == 0;
}

}  // namespace hopwise::probes
