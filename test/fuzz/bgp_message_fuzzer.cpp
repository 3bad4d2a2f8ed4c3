// BGP's OPEN, UPDATE and NOTIFICATION, by libFuzzer under AddressSanitizer.
//
// The input's first byte says which message it is and what the session agreed on; the rest is what
// follows the header, in memory that ends where it ends. Whatever is accepted must be such as the
// table and the log may take it: prefixes without bits beyond their length, of one family an
// announcement, nothing announced beside an error, text that a terminal takes.
#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <memory>

#include "core/bgp/notification.hpp"
#include "core/bgp/open.hpp"
#include "core/bgp/update.hpp"

using namespace hopwise;
using namespace hopwise::bgp;

namespace {

void require(bool truth, const char* what) {
  if (truth) return;
  std::fprintf(stderr, "%s\n", what);
  std::abort();
}

void check(const Notification& notification) {
  const auto code = static_cast<unsigned>(notification.code);
  require(code >= 1 && code <= 3, "a parser's notification of another code");
  require(build(notification).size() <= kMaxMessageBytes, "a notification that is too long");
}

void check(const Nlri& nlri, const Dialect& dialect) {
  const Prefix& p = nlri.prefix;
  require(p.length <= p.address.bits(), "a prefix that is too long");
  require(Prefix::covering(p.address, p.length) == p, "bits beyond a prefix's length");
  require(dialect.family[p.address.family], "a prefix of a family that was not agreed on");
  require(dialect.add_path[p.address.family] || nlri.path_id == 0, "an identifier of nothing");
}

void take_update(Bytes body, const Dialect& dialect) {
  const auto parsed = parse_update(body, dialect);
  if (const auto* bad = std::get_if<Notification>(&parsed)) return check(*bad);
  const auto& update = std::get<Update>(parsed);
  require(!update.error || update.announced.empty(), "announced beside an error");
  require(update.announced.size() <= 2, "more announcements than places for them");
  std::size_t prefixes = update.withdrawn.size();
  for (const Nlri& nlri : update.withdrawn) check(nlri, dialect);
  for (const Announcement& said : update.announced) {
    require(!said.nlri.empty(), "an announcement of nothing");
    prefixes += said.nlri.size();
    const Family family = said.nlri.front().prefix.address.family;
    for (const Nlri& nlri : said.nlri) {
      check(nlri, dialect);
      require(nlri.prefix.address.family == family, "two families in one announcement");
    }
    require(family == Family::v4 || !said.path.nexthop.is_v4(), "an IPv4 next hop of IPv6");
    require(said.path.as_path_length <= said.path.as_path.size(), "a path longer than itself");
    require(std::find(said.path.as_path.begin(), said.path.as_path.end(), 0U) ==
                said.path.as_path.end(),
            "AS 0");
  }
  require(prefixes <= body.size(), "more prefixes than bytes");
}

void take_open(Bytes body) {
  const auto parsed = parse_open(body);
  if (const auto* bad = std::get_if<Notification>(&parsed)) return check(*bad);
  const auto& open = std::get<Open>(parsed);
  require(open.as != 0 && open.router_id != 0, "nobody");
  require(open.hold_time_s == 0 || open.hold_time_s >= 3, "a hold time that is none");
  const auto again = build_open(open);
  require(again.size() <= kMaxMessageBytes, "an OPEN that is too long");
  const auto reread = parse_open(Bytes(again).subspan(kHeaderBytes));
  require(std::holds_alternative<Open>(reread), "an OPEN of ours that is refused");
  require(std::get<Open>(reread).capabilities.add_path == open.capabilities.add_path,
          "another add-path than was told");
}

void take_notification(Bytes body) {
  const std::string words = text(parse_notification(body));
  require(std::all_of(words.begin(), words.end(), [](char c) { return c >= 0x20 && c < 0x7f; }),
          "what a terminal does not take");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size < 1 || size > kMaxMessageBytes) return 0;
  const auto exact = std::make_unique<std::uint8_t[]>(size - 1);
  std::copy_n(data + 1, size - 1, exact.get());
  const Bytes body(exact.get(), size - 1);
  const std::uint8_t how = data[0];
  if ((how & 0xc0U) == 0x80) {
    take_open(body);
  } else if ((how & 0xc0U) == 0xc0) {
    take_notification(body);
  } else {
    const auto bit = [&](unsigned n) { return (how >> n & 1U) != 0; };
    take_update(body, {.asn = bit(0) ? AsnWidth::two : AsnWidth::four,
                       .add_path = {bit(1), bit(2)},
                       .family = {!bit(3), !bit(4)},
                       .peer = bit(5) ? PeerKind::external : PeerKind::internal});
  }
  return 0;
}
