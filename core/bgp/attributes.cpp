#include "core/bgp/attributes.hpp"

#include <array>
#include <bitset>
#include <cmath>
#include <cstring>

#include "core/bgp/as_path.hpp"
#include "core/bgp/nlri.hpp"

namespace hopwise::bgp {
namespace {

constexpr std::uint8_t kOptional = 0x80, kTransitive = 0x40, kExtendedLength = 0x10;

/// One attribute as it stands in the list.
struct Raw {
  std::uint8_t flags = 0;
  std::uint8_t type = 0;
  Bytes value;
};

/// The flags that an attribute of ours must have: optional and transitive.
std::optional<std::uint8_t> flags_of(Attribute type) {
  switch (type) {
    case Attribute::origin:
    case Attribute::as_path:
    case Attribute::next_hop:
    case Attribute::local_pref:
    case Attribute::atomic_aggregate:
      return kTransitive;
    case Attribute::med:
    case Attribute::originator_id:
    case Attribute::cluster_list:
    case Attribute::mp_reach:
    case Attribute::mp_unreach:
      return kOptional;
    case Attribute::aggregator:
    case Attribute::communities:
    case Attribute::extended_communities:
    case Attribute::as4_path:
    case Attribute::as4_aggregator:
    case Attribute::large_communities:
      return kOptional | kTransitive;
  }
  return std::nullopt;
}

class Parser {
 public:
  explicit Parser(const Dialect& dialect) : dialect_(dialect) {}

  std::variant<Attributes, Notification> parse(Bytes list) {
    Cursor cursor(list);
    while (!cursor.done()) {
      const auto raw = next(cursor);
      if (!raw) {
        fail(AttributeError::list, 0);
        break;
      }
      if (auto fatal = read(*raw)) return std::move(*fatal);
    }
    finish_as_path();
    return std::move(out_);
  }

 private:
  std::optional<Raw> next(Cursor& cursor) {
    const auto flags = cursor.number<std::uint8_t>();
    const auto type = cursor.number<std::uint8_t>();
    if (!flags || !type) return std::nullopt;
    std::optional<std::size_t> length;
    if ((*flags & kExtendedLength) != 0)
      length = cursor.number<std::uint16_t>();
    else
      length = cursor.number<std::uint8_t>();
    const auto value = length ? cursor.take(*length) : std::nullopt;
    if (!value) return std::nullopt;
    return Raw{*flags, *type, *value};
  }

  /// Treat-as-withdraw; the first reason stays.
  void fail(AttributeError error, std::uint8_t type) {
    if (out_.error) return;
    out_.error = error;
    out_.error_attribute = type;
  }
  void discard() { out_.discarded++; }

  std::optional<Notification> read(const Raw& raw) {
    const auto type = static_cast<Attribute>(raw.type);
    const auto wanted = flags_of(type);
    if (!wanted && (raw.flags & kOptional) == 0)
      return refuse(update_error::kUnrecognizedWellKnown, raw);
    if (!wanted) return std::nullopt;  // optional and unknown: nothing to us
    if (seen_[raw.type]) {
      if (type == Attribute::mp_reach || type == Attribute::mp_unreach)
        return Notification{ErrorCode::update, update_error::kMalformedList, {}};
      discard();
      return std::nullopt;
    }
    seen_[raw.type] = true;
    const bool flags_right = (raw.flags & (kOptional | kTransitive)) == *wanted;
    if (!flags_right) fail(AttributeError::flags, raw.type);
    // The prefixes of MP attributes are wanted even then: they are what is withdrawn.
    if (type == Attribute::mp_reach) return read_reach(raw);
    if (type == Attribute::mp_unreach) return read_unreach(raw);
    if (flags_right) read_value(type, raw);
    return std::nullopt;
  }

  static Notification refuse(std::uint8_t subcode, const Raw& raw) {
    std::vector<std::uint8_t> data{raw.flags, raw.type};
    if ((raw.flags & kExtendedLength) != 0)
      put(data, static_cast<std::uint16_t>(raw.value.size()));
    else
      put(data, static_cast<std::uint8_t>(raw.value.size()));
    data.insert(data.end(), raw.value.begin(), raw.value.end());
    return {ErrorCode::update, subcode, std::move(data)};
  }

  void read_value(Attribute type, const Raw& raw) {
    const bool external = dialect_.peer == PeerKind::external;
    switch (type) {
      case Attribute::origin:
        return read_origin(raw);
      case Attribute::as_path:
        out_.has_as_path = true;
        as_path_ = parse_as_path(raw.value, dialect_.asn);
        if (!as_path_) fail(AttributeError::as_path, raw.type);
        return;
      case Attribute::next_hop:
        if (raw.value.size() != 4) return fail(AttributeError::length, raw.type);
        out_.nexthop = IpAddress::from_bytes(Family::v4, raw.value.data());
        return;
      case Attribute::med:
        return read_number(raw, out_.path.med);
      case Attribute::local_pref:
        return external ? discard() : read_number(raw, out_.path.local_pref);
      case Attribute::communities:
        return read_communities(raw);
      case Attribute::originator_id:
        if (external) return discard();
        out_.path.reflected = true;
        if (raw.value.size() != 4) fail(AttributeError::length, raw.type);
        return;
      case Attribute::cluster_list:
        if (external) return discard();
        out_.path.reflected = true;
        check_list(raw, 4);
        return;
      case Attribute::extended_communities:
        return read_extended_communities(raw);
      case Attribute::large_communities:
        return read_large_communities(raw);
      case Attribute::as4_path:
        return read_as4_path(raw);
      default:
        return read_aggregate(type, raw);
    }
  }

  void read_origin(const Raw& raw) {
    out_.has_origin = true;
    if (raw.value.size() != 1) return fail(AttributeError::length, raw.type);
    if (raw.value[0] > 2) return fail(AttributeError::value, raw.type);
    out_.path.origin = static_cast<BgpPath::Origin>(raw.value[0]);
  }

  void read_number(const Raw& raw, std::optional<std::uint32_t>& into) {
    if (raw.value.size() != 4) return fail(AttributeError::length, raw.type);
    into = Cursor(raw.value).number<std::uint32_t>();
  }

  bool check_list(const Raw& raw, std::size_t each) {
    const bool fits = !raw.value.empty() && raw.value.size() % each == 0;
    if (!fits) fail(AttributeError::length, raw.type);
    return fits;
  }

  void read_communities(const Raw& raw) {
    if (!check_list(raw, 4)) return;
    for (Cursor cursor(raw.value); !cursor.done();)
      out_.path.communities.push_back(*cursor.number<std::uint32_t>());
  }

  void read_large_communities(const Raw& raw) {
    if (!check_list(raw, 12)) return;
    for (Cursor cursor(raw.value); !cursor.done();) {
      auto& community = out_.path.large_communities.emplace_back();
      for (std::uint32_t& part : community) part = *cursor.number<std::uint32_t>();
    }
  }

  /// Of them the link bandwidth alone: type 0x00 or 0x40, subtype 0x04, an AS number, and bytes a
  /// second as an IEEE float (draft-ietf-idr-link-bandwidth, section 2). The first that makes
  /// sense.
  void read_extended_communities(const Raw& raw) {
    if (!check_list(raw, 8)) return;
    for (Cursor cursor(raw.value); !cursor.done();) {
      const auto kind = *cursor.number<std::uint16_t>();
      cursor.take(2);
      const auto bits = *cursor.number<std::uint32_t>();
      if ((kind != 0x0004 && kind != 0x4004) || out_.path.link_bandwidth_bit_s) continue;
      float bytes_s = 0;
      std::memcpy(&bytes_s, &bits, sizeof bytes_s);
      if (std::isfinite(bytes_s) && bytes_s >= 0 && bytes_s < 1e18F)
        out_.path.link_bandwidth_bit_s = static_cast<std::uint64_t>(double{bytes_s} * 8);
    }
  }

  /// Nothing to us but whether it is well made.
  void read_aggregate(Attribute type, const Raw& raw) {
    const std::size_t size = raw.value.size();
    const std::size_t aggregator = dialect_.asn == AsnWidth::four ? 8 : 6;
    if ((type == Attribute::atomic_aggregate && size != 0) ||
        (type == Attribute::aggregator && size != aggregator) ||
        (type == Attribute::as4_aggregator && size != 8))
      discard();
  }

  /// From a speaker of four octets it must not come, and is passed over (RFC 6793, section 6).
  void read_as4_path(const Raw& raw) {
    if (dialect_.asn == AsnWidth::two) as4_path_ = parse_as_path(raw.value, AsnWidth::four);
    if (!as4_path_) discard();
  }

  void finish_as_path() {
    if (!as_path_) return;
    fill(as4_path_ ? merge(std::move(*as_path_), std::move(*as4_path_)) : *as_path_, out_.path);
  }

  [[nodiscard]] PathIds ids(Family family) const {
    return dialect_.add_path[family] ? PathIds::present : PathIds::absent;
  }

  /// RFC 4760, section 3; RFC 2545, section 3; RFC 8950, section 3.
  std::optional<Notification> read_reach(const Raw& raw) {
    out_.has_reach = true;
    Cursor cursor(raw.value);
    const auto afi = cursor.number<std::uint16_t>();
    const auto safi = cursor.number<std::uint8_t>();
    const auto size = cursor.number<std::uint8_t>();
    if (!afi || !safi || !size) return refuse(update_error::kOptional, raw);
    const auto family = family_of(*afi, *safi);
    if (!family || !dialect_.family[*family]) {
      out_.foreign++;
      return std::nullopt;
    }
    const auto nexthop = cursor.take(*size);
    const bool fits = *size == 16 || *size == 32 || (*size == 4 && *family == Family::v4);
    if (!nexthop || !fits || !cursor.take(1)) return refuse(update_error::kOptional, raw);
    if (!parse_nlri(cursor.rest(), *family, ids(*family), out_.reach))
      return refuse(update_error::kOptional, raw);
    const Family of = *size == 4 ? Family::v4 : Family::v6;
    out_.path.nexthop = IpAddress::from_bytes(of, nexthop->data());
    if (*size == 32) out_.path.link_local = IpAddress::from_bytes(Family::v6, nexthop->data() + 16);
    return std::nullopt;
  }

  /// RFC 4760, section 4.
  std::optional<Notification> read_unreach(const Raw& raw) {
    Cursor cursor(raw.value);
    const auto afi = cursor.number<std::uint16_t>();
    const auto safi = cursor.number<std::uint8_t>();
    if (!afi || !safi) return refuse(update_error::kOptional, raw);
    const auto family = family_of(*afi, *safi);
    if (!family || !dialect_.family[*family]) {
      out_.foreign++;
      return std::nullopt;
    }
    out_.unreach_family = family;
    if (!parse_nlri(cursor.rest(), *family, ids(*family), out_.unreach))
      return refuse(update_error::kOptional, raw);
    return std::nullopt;
  }

  const Dialect& dialect_;
  Attributes out_;
  std::bitset<256> seen_;
  std::optional<AsPath> as_path_, as4_path_;
};

}  // namespace

std::variant<Attributes, Notification> parse_attributes(Bytes list, const Dialect& dialect) {
  return Parser(dialect).parse(list);
}

}  // namespace hopwise::bgp
