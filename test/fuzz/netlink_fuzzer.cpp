// libFuzzer: netlink messages, truncated and hostile, through the parser and into a Fib; as events,
// as a dump, and in turn. Watched by AddressSanitizer. Beyond memory safety: what was told last is
// what is best, and a dump of nothing leaves nothing.
#include <linux/netlink.h>
#include <linux/rtnetlink.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <map>
#include <memory>
#include <span>

#include "core/routes/fib.hpp"
#include "core/routes/parse.hpp"

using namespace hopwise;
using namespace hopwise::routes;

namespace {

void require(bool truth) {
  if (!truth) std::abort();
}

constexpr std::array<std::uint16_t, 10> kTypes{
    RTM_NEWROUTE, RTM_DELROUTE, RTM_NEWNEXTHOP, RTM_DELNEXTHOP, RTM_NEWLINK,
    RTM_DELLINK,  RTM_NEWNEIGH, RTM_DELNEIGH,   RTM_DELADDR,    0};

// One message of the input: what is to happen with it, its type, two bytes of length, then itself.
struct Piece {
  std::uint8_t what = 0;
  std::optional<Message> message;
};

// The header's own length is what the bytes are; a byte beyond is the sanitizer's.
std::optional<Piece> next(std::span<const std::uint8_t>& bytes) {
  constexpr std::size_t kAhead = 4;
  if (bytes.size() < kAhead) return std::nullopt;
  const Piece piece{bytes[0], std::nullopt};
  const std::uint16_t type = kTypes.at(bytes[1] % kTypes.size());
  const std::size_t length =
      std::min<std::size_t>(bytes[2] | (bytes[3] & 3U) << 8, bytes.size() - kAhead);
  const auto body = bytes.subspan(kAhead, length);
  bytes = bytes.subspan(kAhead + length);
  if (length < sizeof(nlmsghdr)) return piece;
  const std::unique_ptr<char[]> space(new char[length]);
  std::memcpy(space.get(), body.data(), length);
  auto* header = reinterpret_cast<nlmsghdr*>(space.get());
  if (type != 0) header->nlmsg_type = type;
  header->nlmsg_len = static_cast<std::uint32_t>(length);
  return Piece{piece.what, parse(*header)};
}

class Router {
 public:
  void take(const Piece& piece) {
    if (piece.what == 0xff) fib_.begin_dump();
    if (piece.what == 0xfe) end_dump();
    if (piece.what == 0xfd) fib_.end_of_read();
    if (piece.what == 0xfc && fib_.walking()) fib_.walk(tell_);
    if (!piece.message) return;
    if (piece.what % 2 == 0)
      fib_.apply(*piece.message);
    else
      fib_.dumped(*piece.message);
    if (piece.what % 3 == 0) fib_.tell_touched(tell_);
  }
  void settle() {
    fib_.tell_touched(tell_);
    while (fib_.walking()) fib_.walk(tell_);
    fib_.each_told([](const Prefix&, const NexthopSet& set) { require(set != nullptr); });
    for (const auto& [prefix, set] : told_) {
      const NexthopSet best = fib_.best(prefix);
      require(fib_.told(prefix) == set && best == set);
      static_cast<void>(fib_.on_link(prefix.address, std::nullopt));
    }
  }
  void lose_all() {
    fib_.begin_dump();
    end_dump();
    settle();
    require(told_.empty() && fib_.size() == 0);
  }

 private:
  void end_dump() {
    for (const auto kind : {Fib::Kind::links, Fib::Kind::neighbours, Fib::Kind::objects})
      fib_.end_of(kind);
    fib_.end_of(Fib::Kind::routes);
    fib_.end_of_read();
    fib_.end_dump();
  }

  Fib fib_{RT_TABLE_MAIN};
  std::map<Prefix, NexthopSet> told_;
  Fib::Tell tell_ = [this](const Prefix& prefix, const NexthopSet& set) {
    if (set)
      told_[prefix] = set;
    else
      require(told_.erase(prefix) == 1);
  };
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  std::span<const std::uint8_t> bytes(data, size);
  Router router;
  while (const auto piece = next(bytes)) router.take(*piece);
  router.settle();
  router.lose_all();
  return 0;
}
