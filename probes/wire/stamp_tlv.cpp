#include "probes/wire/stamp_tlv.hpp"

#include <algorithm>
#include <array>

#include "probes/wire/bytes.hpp"

namespace hopwise::probes::stamp {
namespace {

constexpr std::size_t kType = 1;
constexpr std::size_t kLength = 2;
constexpr std::size_t kFollowUpFields = 12;  // sequence and timestamp

// The length that a type's value must have; nothing for types that we do not know.
struct Size {
  std::size_t bytes;
  bool fixed;
};
constexpr std::optional<Size> size_of(std::uint8_t type) {
  switch (TlvType{type}) {
    case TlvType::extra_padding:
      return Size{0, false};
    case TlvType::timestamp_information:
    case TlvType::class_of_service:
      return Size{4, true};
    case TlvType::direct_measurement:
      return Size{12, true};
    case TlvType::follow_up_telemetry:
      return Size{16, true};
    case TlvType::hmac:
      return Size{kDigestBytes, true};
  }
  return {};
}

// One TLV of an area, by offsets, so that readers and writers walk alike.
struct Tlv {
  std::size_t begin = 0;
  std::uint8_t flags = 0;
  std::uint8_t type = 0;
  std::size_t value_bytes = 0;
  bool overruns = false;  // says that it is longer than what is there

  [[nodiscard]] bool is(TlvType other) const { return TlvType{type} == other; }
  [[nodiscard]] bool known() const { return size_of(type).has_value(); }
  [[nodiscard]] bool malformed() const {
    const auto size = size_of(type);
    return overruns || (size && size->fixed && value_bytes != size->bytes);
  }
  [[nodiscard]] std::size_t value() const { return begin + kTlvHeaderBytes; }
  [[nodiscard]] std::size_t end() const { return value() + value_bytes; }
};

bool all_zero(std::span<const std::uint8_t> bytes) {
  return std::all_of(bytes.begin(), bytes.end(), [](auto byte) { return byte == 0; });
}

std::optional<Tlv> tlv_at(std::span<const std::uint8_t> area, std::size_t begin) {
  if (begin > area.size() || area.size() - begin < kTlvHeaderBytes) return {};
  const auto header = area.subspan(begin, kTlvHeaderBytes);
  // Padding of TWAMP-Light. No other byte may follow: who zeroes a header hides no TLV behind it.
  if (all_zero(header) && all_zero(area.subspan(begin))) return {};
  Tlv tlv{begin, header[0], header[kType], get<std::uint16_t>(header.subspan(kLength)), false};
  const std::size_t left = area.size() - tlv.value();
  tlv.overruns = tlv.value_bytes > left;
  tlv.value_bytes = std::min(tlv.value_bytes, left);
  return tlv;
}

std::optional<Tlv> after(std::span<const std::uint8_t> area, const Tlv& tlv) {
  if (tlv.overruns) return {};
  return tlv_at(area, tlv.end());
}

// Whether the TLVs may be looked at, and where the HMAC TLV is that says so (RFC 8972, 4.8).
struct Integrity {
  bool holds = false;
  std::optional<Tlv> hmac;
};

std::array<std::uint8_t, 4> big_endian(std::uint32_t sequence) {
  std::array<std::uint8_t, 4> bytes{};
  put(std::span<std::uint8_t>(bytes), sequence);
  return bytes;
}

Integrity integrity(std::span<const std::uint8_t> area, std::uint32_t sequence,
                    const HmacKey* key) {
  Integrity found;
  bool misplaced = false, only_padding = true;
  std::size_t others = 0;
  for (auto tlv = tlv_at(area, 0); tlv; tlv = after(area, *tlv)) {
    const bool padding = tlv->is(TlvType::extra_padding);
    if (found.hmac && !padding) misplaced = true;
    if (!found.hmac && tlv->is(TlvType::hmac)) {
      found.hmac = tlv;
      continue;
    }
    others++;
    only_padding = only_padding && padding && !tlv->overruns;
  }
  if (!found.hmac) {
    // The one exception: a single TLV that pads. Without a key nothing needs to be signed.
    found.holds = key == nullptr || others == 0 || (others == 1 && only_padding);
    return found;
  }
  // Whoever has no key cannot tell, and must not use what he cannot verify.
  found.holds = key != nullptr && !misplaced && !found.hmac->malformed() &&
                key->signed_by(area.subspan(found.hmac->value(), kDigestBytes),
                               big_endian(sequence), area.first(found.hmac->begin));
  return found;
}

void answer_service(std::span<std::uint8_t> value, const TlvAnswers& answers,
                    TlvReflection& reflection) {
  // DSCP1 (6 bits), DSCP2 (6), ECN (2), RP (2).
  const auto asked = static_cast<std::uint8_t>(value[0] >> 2U);
  const bool allowed = asked <= answers.highest_dscp;
  if (allowed) reflection.dscp = asked;
  const auto arrived = static_cast<std::uint32_t>(answers.traffic_class >> 2U);
  const auto ecn = static_cast<std::uint32_t>(answers.traffic_class & 3U);
  put(value, asked << 26U | arrived << 20U | ecn << 18U | (allowed ? 0U : 1U) << 16U);
}

void answer_follow_up(std::span<std::uint8_t> value, const TlvAnswers& answers) {
  std::fill(value.begin(), value.end(), std::uint8_t{0});
  if (!answers.session || !answers.session->before) return;
  const FollowUp& before = *answers.session->before;
  put(value, before.sequence);
  put(value.subspan(4), before.sent);
  value[12] = static_cast<std::uint8_t>(before.method);
}

// Fills in what is asked; returns the flags of the answer.
std::uint8_t answer(const Tlv& tlv, std::span<std::uint8_t> value, const TlvAnswers& answers,
                    TlvReflection& reflection) {
  switch (TlvType{tlv.type}) {
    case TlvType::timestamp_information:
      value[0] = value[2] = static_cast<std::uint8_t>(answers.source);
      value[1] = value[3] = static_cast<std::uint8_t>(StampMethod::software);
      return 0;
    case TlvType::class_of_service:
      answer_service(value, answers, reflection);
      return 0;
    case TlvType::direct_measurement:
      if (!answers.session) return kUnrecognised;
      put(value.subspan(4), answers.session->received);
      put(value.subspan(8), answers.session->reflected);
      return 0;
    case TlvType::follow_up_telemetry:
      answer_follow_up(value, answers);
      return 0;
    case TlvType::extra_padding:
    case TlvType::hmac:
      return 0;
  }
  return kUnrecognised;
}

void flag_all(std::span<std::uint8_t> area) {
  for (auto tlv = tlv_at(area, 0); tlv; tlv = after(area, *tlv))
    area[tlv->begin] = static_cast<std::uint8_t>(kTampered | (tlv->known() ? 0 : kUnrecognised) |
                                                 (tlv->overruns ? kMalformed : 0));
}

// Behind a TLV that its reflector or we found malformed nothing means anything.
bool ends_here(const Tlv& tlv) {
  return (tlv.flags & kMalformed) != 0 || tlv.malformed();
}

// Whether a TLV says I, signed or not: before any counts.
bool says_tampered(std::span<const std::uint8_t> area) {
  for (auto tlv = tlv_at(area, 0); tlv; tlv = after(area, *tlv)) {
    if ((tlv->flags & kTampered) != 0) return true;
    if (ends_here(*tlv)) return false;
  }
  return false;
}

void tell(const Tlv& tlv, std::span<const std::uint8_t> value, Told& told) {
  switch (TlvType{tlv.type}) {
    case TlvType::timestamp_information:
      told.timestamps = TimestampInformation{SyncSource{value[0]}, SyncSource{value[2]},
                                             StampMethod{value[1]}, StampMethod{value[3]}};
      return;
    case TlvType::class_of_service: {
      const auto word = get<std::uint16_t>(value);
      told.service = ClassOfService{static_cast<std::uint8_t>(word >> 10U),
                                    static_cast<std::uint8_t>(word >> 4U & 63U),
                                    static_cast<std::uint8_t>(word >> 2U & 3U), (word & 3U) != 0};
      return;
    }
    case TlvType::direct_measurement:
      told.counts =
          DirectMeasurement{get<std::uint32_t>(value), get<std::uint32_t>(value.subspan(4)),
                            get<std::uint32_t>(value.subspan(8))};
      return;
    case TlvType::follow_up_telemetry:
      told.follow_up = FollowUp{get<std::uint32_t>(value), get<std::uint64_t>(value.subspan(4)),
                                StampMethod{value[12]}};
      return;
    case TlvType::extra_padding:
    case TlvType::hmac:
      return;
  }
}

}  // namespace

std::span<std::uint8_t> TlvWriter::begin(TlvType type, std::size_t value_bytes) {
  if (value_bytes > 0xffff || area_.size() - used_ < kTlvHeaderBytes + value_bytes) return {};
  const auto tlv = area_.subspan(used_, kTlvHeaderBytes + value_bytes);
  std::fill(tlv.begin(), tlv.end(), std::uint8_t{0});
  tlv[0] = kUnrecognised;  // RFC 8972, 4: whoever understands it takes it away
  tlv[kType] = static_cast<std::uint8_t>(type);
  put(tlv.subspan(kLength), static_cast<std::uint16_t>(value_bytes));
  used_ += tlv.size();
  return tlv;
}

bool TlvWriter::pad(std::size_t value_bytes) {
  return !begin(TlvType::extra_padding, value_bytes).empty();
}

bool TlvWriter::ask_timestamp_information() {
  return !begin(TlvType::timestamp_information, 4).empty();
}

bool TlvWriter::ask_class_of_service(std::uint8_t dscp) {
  const auto tlv = begin(TlvType::class_of_service, 4);
  if (!tlv.empty()) tlv[kTlvHeaderBytes] = static_cast<std::uint8_t>(dscp << 2U);
  return !tlv.empty();
}

bool TlvWriter::ask_direct_measurement(std::uint32_t sent) {
  const auto tlv = begin(TlvType::direct_measurement, 12);
  if (!tlv.empty()) put(tlv.subspan(kTlvHeaderBytes), sent);
  return !tlv.empty();
}

bool TlvWriter::ask_follow_up() {
  return !begin(TlvType::follow_up_telemetry, 16).empty();
}

bool TlvWriter::sign(const HmacKey& key, std::uint32_t sequence) {
  const auto before = area_.first(used_);
  const auto tlv = begin(TlvType::hmac, kDigestBytes);
  if (tlv.empty()) return false;
  const Digest digest = key.sign(big_endian(sequence), before);
  std::copy(digest.begin(), digest.end(), tlv.begin() + kTlvHeaderBytes);
  return true;
}

Told read_tlvs(std::span<const std::uint8_t> area, std::uint32_t sequence, const HmacKey* key) {
  Told told;
  if (!integrity(area, sequence, key).holds || says_tampered(area)) {
    told.verdict = TlvVerdict::tampered;
    return told;
  }
  for (auto tlv = tlv_at(area, 0); tlv; tlv = after(area, *tlv)) {
    if (ends_here(*tlv)) {
      told.verdict = TlvVerdict::malformed;
      return told;
    }
    if ((tlv->flags & kUnrecognised) != 0 || !tlv->known())
      told.unrecognised++;
    else
      tell(*tlv, area.subspan(tlv->value(), tlv->value_bytes), told);
  }
  return told;
}

TlvReflection reflect_tlvs(std::span<std::uint8_t> area, const TlvAnswers& answers,
                           const HmacKey* key) {
  TlvReflection reflection;
  const Integrity asked = integrity(area, answers.request_sequence, key);
  if (!asked.holds) {
    flag_all(area);
    reflection.verdict = TlvVerdict::tampered;
    return reflection;
  }
  for (auto tlv = tlv_at(area, 0); tlv; tlv = after(area, *tlv)) {
    const auto value = area.subspan(tlv->value(), tlv->value_bytes);
    if (tlv->malformed()) {
      area[tlv->begin] = kMalformed;
      if (tlv->is(TlvType::follow_up_telemetry))
        std::fill_n(value.begin(), std::min(value.size(), kFollowUpFields), std::uint8_t{0});
      reflection.verdict = TlvVerdict::malformed;
      break;
    }
    area[tlv->begin] = answer(*tlv, value, answers, reflection);
  }
  if (key != nullptr && asked.hmac) {
    area[asked.hmac->begin] = 0;
    const Digest digest =
        key->sign(big_endian(answers.reply_sequence), area.first(asked.hmac->begin));
    std::copy(digest.begin(), digest.end(), area.begin() + asked.hmac->value());
  }
  return reflection;
}

}  // namespace hopwise::probes::stamp
