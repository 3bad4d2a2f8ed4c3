#include "core/bgp/nlri.hpp"

#include <algorithm>

namespace hopwise::bgp {

bool parse_nlri(Bytes bytes, Family family, PathIds ids, std::vector<Nlri>& out) {
  Cursor cursor(bytes);
  while (!cursor.done()) {
    Nlri nlri;
    if (ids == PathIds::present) {
      const auto id = cursor.number<std::uint32_t>();
      if (!id) return false;
      nlri.path_id = *id;
    }
    const auto length = cursor.number<std::uint8_t>();
    IpAddress address{family, {}};
    if (!length || *length > address.bits()) return false;
    const auto significant = cursor.take((*length + 7U) / 8U);
    if (!significant) return false;
    std::copy(significant->begin(), significant->end(), address.bytes.begin());
    if (*length % 8 != 0)
      address.bytes[*length / 8U] &= static_cast<std::uint8_t>(0xff00U >> (*length % 8U));
    nlri.prefix = {address, *length};
    out.push_back(nlri);
  }
  return true;
}

void put_nlri(std::vector<std::uint8_t>& out, const Nlri& nlri, PathIds ids) {
  if (ids == PathIds::present) put(out, nlri.path_id);
  put(out, nlri.prefix.length);
  const auto& bytes = nlri.prefix.address.bytes;
  out.insert(out.end(), bytes.begin(), bytes.begin() + (nlri.prefix.length + 7) / 8);
}

}  // namespace hopwise::bgp
