#include "core/bgp/update.hpp"

#include <array>

#include "core/bgp/attributes.hpp"
#include "core/bgp/nlri.hpp"

namespace hopwise::bgp {
namespace {

Notification refuse(std::uint8_t subcode) {
  return {ErrorCode::update, subcode, {}};
}

/// What must stand beside prefixes (RFC 7606, section 3.d): 0, or the attribute that is missing.
Attribute missing_of(const Attributes& a, bool plain) {
  if (!a.has_origin) return Attribute::origin;
  if (!a.has_as_path) return Attribute::as_path;
  if (plain && !a.nexthop) return Attribute::next_hop;
  return Attribute{};
}

void append(std::vector<Nlri>& to, std::vector<Nlri>&& more) {
  if (to.empty())
    to = std::move(more);
  else
    to.insert(to.end(), more.begin(), more.end());
}

/// The prefixes at the message's end have NEXT_HOP, those of MP_REACH_NLRI bring their own.
void announce(Attributes&& a, std::vector<Nlri>&& plain, Update& out) {
  if (!plain.empty()) {
    Announcement announcement{a.path, std::move(plain)};
    announcement.path.nexthop = *a.nexthop;
    announcement.path.link_local.reset();
    out.announced.push_back(std::move(announcement));
  }
  if (!a.reach.empty()) out.announced.push_back({std::move(a.path), std::move(a.reach)});
}

Update assemble(Attributes&& a, std::vector<Nlri>&& withdrawn, std::vector<Nlri>&& plain) {
  Update out;
  out.withdrawn = std::move(withdrawn);
  append(out.withdrawn, std::move(a.unreach));
  out.discarded = a.discarded;
  out.foreign = a.foreign;
  out.error = a.error;
  out.error_attribute = a.error_attribute;
  const bool announces = !plain.empty() || !a.reach.empty();
  if (!out.error && announces) {
    const Attribute missing = missing_of(a, !plain.empty());
    if (missing != Attribute{}) {
      out.error = AttributeError::missing;
      out.error_attribute = static_cast<std::uint8_t>(missing);
    }
  }
  if (!out.error) {
    announce(std::move(a), std::move(plain), out);
  } else {
    append(out.withdrawn, std::move(plain));
    append(out.withdrawn, std::move(a.reach));
  }
  return out;
}

}  // namespace

std::string_view text(AttributeError error) {
  constexpr std::array<std::string_view, kAttributeErrors> kNames{
      "flags", "length", "value", "as_path", "nexthop", "missing", "list"};
  return kNames[static_cast<std::size_t>(error)];
}

std::variant<Update, Notification> parse_update(Bytes body, const Dialect& dialect) {
  Cursor cursor(body);
  const auto withdrawn_size = cursor.number<std::uint16_t>();
  const auto withdrawn_bytes = withdrawn_size ? cursor.take(*withdrawn_size) : std::nullopt;
  const auto list_size = cursor.number<std::uint16_t>();
  const auto list = list_size ? cursor.take(*list_size) : std::nullopt;
  if (!withdrawn_bytes || !list) return refuse(update_error::kMalformedList);

  const PathIds ids = dialect.add_path.v4 ? PathIds::present : PathIds::absent;
  std::vector<Nlri> withdrawn, plain;
  if (dialect.family.v4 && (!parse_nlri(*withdrawn_bytes, Family::v4, ids, withdrawn) ||
                            !parse_nlri(cursor.rest(), Family::v4, ids, plain)))
    return refuse(update_error::kInvalidNetwork);

  auto parsed = parse_attributes(*list, dialect);
  if (auto* fatal = std::get_if<Notification>(&parsed)) return std::move(*fatal);
  auto& attributes = std::get<Attributes>(parsed);
  // Of which prefixes the rest of the list spoke nobody knows any more.
  if (attributes.error == AttributeError::list && plain.empty() && !attributes.has_reach)
    return refuse(update_error::kMalformedList);

  const bool empty = withdrawn_bytes->empty() && cursor.done();
  std::optional<Family> end_of_rib;
  if (empty && list->empty()) end_of_rib = Family::v4;
  if (empty && attributes.unreach_family && attributes.unreach.empty() && !attributes.has_reach)
    end_of_rib = attributes.unreach_family;
  Update update = assemble(std::move(attributes), std::move(withdrawn), std::move(plain));
  update.end_of_rib = end_of_rib;
  return update;
}

}  // namespace hopwise::bgp
