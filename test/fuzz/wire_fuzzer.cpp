// What comes to the raw sockets of probes: echo replies, ICMP errors and what they quote, answers
// to SYNs; by libFuzzer under AddressSanitizer.
//
// The input's first byte says the family and what to make of the rest. Either it is a datagram as
// it came, in memory that ends where it ends: whatever is accepted must be what stands there. Or it
// is a tag, of which a probe is built: its answer, and an error that quotes as much of it as the
// input says, must give back that tag and no other.
#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <vector>

#include "probes/wire/bytes.hpp"
#include "probes/wire/icmp.hpp"
#include "probes/wire/quote.hpp"
#include "probes/wire/tcp.hpp"

using namespace hopwise;
using namespace hopwise::probes;

namespace {

using Bytes = std::vector<std::uint8_t>;
using View = std::span<const std::uint8_t>;

constexpr std::size_t kTagBytes = 2 + 4 + 4 + 8 + 2 + 1;  // tag, checksum, how much is quoted
const SynSecret kSecret({0x0123456789abcdef, 0xfedcba9876543210});

void require(bool truth, const char* what) {
  if (truth) return;
  std::fprintf(stderr, "%s\n", what);
  std::abort();
}

bool lies_within(View part, View whole) {
  return part.data() >= whole.data() && part.data() + part.size() <= whole.data() + whole.size();
}

void take(Family family, View datagram) {
  const auto quote = parse_quote(family, datagram);
  const auto refusal = parse_refusal(family, datagram);
  if (quote) {
    require(quote->message.size() >= 8, "a quote without eight bytes of the message");
    require(lies_within(quote->message, datagram), "a quote that is not there");
    require(quote->destination.family == family, "a quote of another family");
    require(!quote->echo() || !quote->ports(), "an echo that has ports");
    require(quote->note().empty() == quote->time_exceeded(), "an error that says nothing");
  }
  if (refusal) {
    require(quote && quote->echo(), "a refusal that quotes no echo");
    require(quote->echo()->identifier == refusal->tag.identifier, "another identifier");
    require(quote->echo()->sequence == (refusal->tag.sequence & 0xffffU), "another sequence");
  }
  require(!quote || !parse_reply(family, datagram), "both a reply and an error");
  if (const auto answer = parse_answer(family, datagram))
    require(kSecret.isn(kSecret.tag(answer->isn())) == answer->isn(), "a number of no probe");
}

Bytes ip_header(Family family) {
  Bytes header(family == Family::v4 ? 20 : 40);
  header[0] = family == Family::v4 ? 0x45 : 0x60;
  header[family == Family::v4 ? 9 : 6] = family == Family::v4 ? 1 : 58;
  return header;
}

void append(Bytes& to, View more) {
  to.insert(to.end(), more.begin(), more.end());
}

Bytes behind_header(Family family, View message) {
  Bytes datagram = family == Family::v4 ? ip_header(family) : Bytes();
  append(datagram, message);
  return datagram;
}

void build(Family family, View input) {
  const EchoTag tag{get<std::uint16_t>(input), get<std::uint32_t>(input.subspan(2)),
                    get<std::uint32_t>(input.subspan(6)), get<std::uint64_t>(input.subspan(10))};
  Bytes probe(kEchoHeaderBytes + kMinPayloadBytes + input.size() - kTagBytes);
  build_request(family, tag, probe, get<std::uint16_t>(input.subspan(18)));
  require(sum(probe) == 0xffff, "a request whose checksum is wrong");

  Bytes error(8);
  error[0] = family == Family::v4 ? 11 : 3;
  append(error, ip_header(family));
  const std::size_t quoted = std::min<std::size_t>(input[20], probe.size());
  append(error, View(probe).first(quoted));
  const Bytes whole = behind_header(family, error);
  const auto quote = parse_quote(family, whole);
  require(quote.has_value() == (quoted >= 8), "a quote of eight bytes that is none");
  require(!quote || (quote->echo() && quote->echo()->identifier == tag.identifier &&
                     quote->echo()->sequence == (tag.sequence & 0xffffU)),
          "a quote of another probe");
  const auto refusal = parse_refusal(family, whole);
  require(!refusal || refusal->tag == tag, "a refusal of another probe");

  probe[0] = family == Family::v4 ? 0 : 129;
  const auto reply = parse_reply(family, behind_header(family, probe));
  require(reply && *reply == tag, "a reply that gives back another tag");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size < 1) return 0;
  const Family family = (data[0] & 1U) == 0 ? Family::v4 : Family::v6;
  const auto exact = std::make_unique<std::uint8_t[]>(size - 1);
  std::copy_n(data + 1, size - 1, exact.get());
  const View input(exact.get(), size - 1);
  if ((data[0] & 2U) == 0)
    take(family, input);
  else if (input.size() >= kTagBytes && input.size() < kMaxPayloadBytes)
    build(family, input);
  return 0;
}
