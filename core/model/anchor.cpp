#include "core/model/anchor.hpp"

#include <array>
#include <charconv>
#include <utility>

namespace hopwise {
namespace {

struct Scheme {
  ProbeKind kind;
  std::string_view name;
  std::uint16_t usual_port;  // 0: must be named
};
constexpr std::array<Scheme, 5> kSchemes{{{ProbeKind::icmp, "icmp", 0},
                                          {ProbeKind::tcp, "tcp", 0},
                                          {ProbeKind::stamp, "stamp", 862},
                                          {ProbeKind::http, "http", 80},
                                          {ProbeKind::https, "https", 443}}};

Error fault(std::string_view text, const char* what) {
  return Error{'"' + std::string(text) + "\" " + what};
}

const Scheme* scheme_of(std::string_view name) {
  for (const Scheme& scheme : kSchemes)
    if (scheme.name == name && scheme.kind != ProbeKind::icmp) return &scheme;
  return nullptr;
}

// "192.0.2.1:443" or "[2001:db8::1]:443", either without its port.
std::pair<std::string_view, std::string_view> split_port(std::string_view text) {
  const auto colon = text.rfind(':');
  const bool bracketed = text.starts_with('[');
  const auto end = bracketed ? text.find(']') : colon;
  if (end == std::string_view::npos) return {text, {}};
  const auto host = bracketed ? text.substr(1, end - 1) : text.substr(0, end);
  const auto rest = text.substr(bracketed ? end + 1 : end);
  return {host, rest.starts_with(':') ? rest.substr(1) : rest};
}

}  // namespace

std::string_view text(ProbeKind kind) {
  for (const Scheme& scheme : kSchemes)
    if (scheme.kind == kind) return scheme.name;
  return "unknown";
}

std::string Anchor::text() const {
  if (kind == ProbeKind::icmp) return address.text();
  const std::string host = address.is_v4() ? address.text() : '[' + address.text() + ']';
  return std::string(hopwise::text(kind)) + "://" + host + ':' + std::to_string(port);
}

Result<Anchor> Anchor::parse(std::string_view text) {
  const auto mark = text.find("://");
  if (mark == std::string_view::npos) {
    if (const auto echo = IpAddress::parse(text)) return Anchor(*echo);
    return fault(text,
                 "is no IP address (write 203.0.113.53, or tcp://203.0.113.53:443 for another "
                 "kind of probe)");
  }
  const Scheme* scheme = scheme_of(text.substr(0, mark));
  if (scheme == nullptr)
    return fault(text, "begins with no known kind of probe (tcp, stamp, http, https)");
  const auto [host, digits] = split_port(text.substr(mark + 3));
  const auto address = IpAddress::parse(host);
  if (!address)
    return fault(text,
                 "names no IP address (write tcp://203.0.113.53:443 or "
                 "stamp://[2001:db8::1]:862)");
  std::uint16_t port = scheme->usual_port;
  if (!digits.empty()) {
    const auto [end, error] = std::from_chars(digits.begin(), digits.end(), port);
    if (error != std::errc() || end != digits.end()) port = 0;
  }
  if (port == 0) return fault(text, "has no port from 1 to 65535 (write tcp://203.0.113.53:443)");
  return Anchor(*address, scheme->kind, port);
}

}  // namespace hopwise
