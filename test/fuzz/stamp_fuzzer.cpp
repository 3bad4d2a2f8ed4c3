// STAMP's packets and TLVs, both directions and both modes, by libFuzzer under AddressSanitizer.
//
// The input's first byte says whether there is a key, and whether the packet and its TLVs are
// signed with it (no mutation would ever guess that); the rest is the packet, in memory that ends
// where it ends. What is parsed must survive building; what a reflector makes of a request must be
// read by a sender as the reflector judged it, and be no longer.
#include <cstdio>
#include <cstdlib>
#include <vector>

#include "probes/wire/bytes.hpp"
#include "probes/wire/stamp.hpp"
#include "probes/wire/stamp_tlv.hpp"

using namespace hopwise::probes;
using namespace hopwise::probes::stamp;

namespace {

using Bytes = std::vector<std::uint8_t>;

constexpr std::uint8_t kWithKey = 1, kSignPacket = 2, kSignTlvs = 4, kStateful = 8;

void require(bool truth, const char* what) {
  if (truth) return;
  std::fprintf(stderr, "%s\n", what);
  std::abort();
}

const HmacKey& key() {
  static const HmacKey made = HmacKey::of("0123456789abcdef").value();
  return made;
}

// As a sender that knows the key would have it.
void sign(Bytes& packet, bool tlvs) {
  if (packet.size() < kAuthenticatedBytes) return;
  const std::span<std::uint8_t> all(packet);
  const Digest digest = key().sign(all.first(96));
  std::copy(digest.begin(), digest.end(), packet.begin() + 96);
  if (!tlvs) return;
  const std::size_t end = packet.size();
  const Digest second = key().sign(all.first(4), all.subspan(kAuthenticatedBytes));
  packet.resize(end + kTlvHeaderBytes + kDigestBytes);
  packet[end] = kUnrecognised, packet[end + 1] = 8, packet[end + 3] = kDigestBytes;
  std::copy(second.begin(), second.end(), packet.begin() + static_cast<std::ptrdiff_t>(end) + 4);
}

void check_reply(const Bytes& packet, const HmacKey* with) {
  const auto reply = parse_reply(packet, with);
  if (!reply) return;
  const Told told = read_tlvs(std::span(packet).subspan(std::min(packet.size(), base_bytes(with))),
                              reply->sequence, with);
  require(told.verdict != TlvVerdict::tampered || !(told.service || told.counts || told.follow_up),
          "TLVs count that must not");
}

void check_request(const Bytes& packet, const HmacKey* with, bool stateful) {
  if (packet.size() >= telling_bytes(with)) (void)is_reflected(packet, with);
  const auto request = parse_request(packet, with);
  if (!request) return;
  Bytes built(base_bytes(with));
  build_request(*request, with, built);
  const auto again = parse_request(built, with);
  require(again.has_value() && *again == *request, "a request is not what was built");

  Bytes answer = packet;
  TlvAnswers answers;
  answers.request_sequence = request->sequence;
  answers.reply_sequence = request->sequence + 1;
  if (stateful) answers.session = TlvAnswers::Session{3, 2, FollowUp{1, 2, StampMethod::software}};
  const auto area = std::span(answer).subspan(std::min(answer.size(), base_bytes(with)));
  const auto reflected = reflect_tlvs(area, answers, with);
  build_reply(*request, {answers.reply_sequence, {}, {}, request->error, 9}, with, answer);
  require(answer.size() == packet.size(), "a reply is not as long as its request");
  const auto reply = parse_reply(answer, with);
  require(reply.has_value() == (answer.size() >= kMinReplyBytes), "a reply cannot be read");
  if (!reply) return;
  require(reply->request == *request, "a reply does not repeat its request");
  require(read_tlvs(area, reply->sequence, with).verdict == reflected.verdict,
          "a reply's TLVs are judged otherwise than the reflector did");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size < 1) return 0;
  const HmacKey* with = (data[0] & kWithKey) != 0 ? &key() : nullptr;
  Bytes packet(data + 1, data + size);
  if (with != nullptr && (data[0] & kSignPacket) != 0) sign(packet, (data[0] & kSignTlvs) != 0);
  packet.shrink_to_fit();
  check_request(packet, with, (data[0] & kStateful) != 0);
  check_reply(packet, with);
  return 0;
}
