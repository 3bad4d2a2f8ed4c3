#include "probes/loop/line.hpp"

#include <algorithm>
#include <random>

namespace hopwise::probes {
namespace {

using Protocol = DatagramSocket::Protocol;

std::array<std::uint64_t, 2> secret() {
  std::random_device entropy;
  const auto word = [&] { return std::uint64_t{entropy()} << 32U | entropy(); };
  return {word(), word()};
}

std::size_t index(Family family) {
  return family == Family::v4 ? 0 : 1;
}

}  // namespace

Line::Line(DatagramSocket the_socket, const Kind& the_kind, std::uint8_t the_flow, Duty the_duty)
    : socket(std::move(the_socket)),
      kind(the_kind),
      flow(the_flow),
      duty(the_duty),
      most_bytes_(the_kind.most_bytes()),
      messages_(duty == Duty::probes ? kBatch * most_bytes_ : 0) {}

std::span<std::uint8_t> Line::room() {
  return std::span(messages_).subspan(queued * most_bytes_, most_bytes_);
}

void Line::added(Aim* aim, std::size_t bytes) {
  next().bytes = room().first(bytes);
  aims[queued] = aim;
  queued++;
}

Lines::Lines(const Aims& aims, const Options& options)
    : icmp(aims, static_cast<std::uint16_t>(std::random_device{}())),
      tcp(aims, secret()),
      stamp(aims, secret(), std::clamp(options.flows, 1U, Options::kMaxFlows)),
      flows_(std::clamp(options.flows, 1U, Options::kMaxFlows)) {
  icmp.set_payload(options.payload_bytes);
}

Lines::ByFlow& Lines::flows(ProbeKind kind, Family family) {
  return by_kind_[static_cast<std::size_t>(kind)][index(family)];
}

Line& Lines::of(ProbeKind kind, Family family, std::uint8_t flow) const {
  return *by_kind_[static_cast<std::size_t>(kind)][index(family)][flow];
}

std::optional<TimePoint> Lines::dropped(ProbeKind kind, Family family) const {
  std::optional<TimePoint> newest;
  for (const Line* line : by_kind_[static_cast<std::size_t>(kind)][index(family)])
    if (line != nullptr) newest = std::max(newest, line->dropped);
  return newest;
}

Line* Lines::keep(DatagramSocket socket, const Kind& kind, std::uint8_t flow, Line::Duty duty) {
  lines_.push_back(std::make_unique<Line>(std::move(socket), kind, flow, duty));
  return lines_.back().get();
}

Result<std::vector<Line*>> Lines::open(ProbeKind kind, Family family) {
  if (flows(kind, family)[0] != nullptr) return std::vector<Line*>{};
  const std::size_t before = lines_.size();
  Result<> done;
  if (kind == ProbeKind::icmp) done = open_icmp(family);
  if (kind == ProbeKind::tcp) done = open_tcp(family);
  if (kind == ProbeKind::stamp) done = open_stamp(family);
  if (!done) {
    lines_.resize(before);
    flows(kind, family) = {};
    return done.error();
  }
  std::vector<Line*> opened;
  for (std::size_t i = before; i < lines_.size(); i++) opened.push_back(lines_[i].get());
  return opened;
}

Result<> Lines::open_icmp(Family family) {
  auto socket = DatagramSocket::open(
      {.family = family, .protocol = Protocol::icmp, .identifier = icmp.identifier(), .ports = {}});
  if (!socket) return socket.error();
  flows(ProbeKind::icmp, family).fill(keep(std::move(*socket), icmp, 0, Line::Duty::probes));
  return {};
}

Result<> Lines::open_tcp(Family family) {
  const std::vector<std::uint16_t> any(flows_);
  auto socket = DatagramSocket::open({.family = family, .protocol = Protocol::tcp, .ports = any});
  if (!socket) return socket.error();
  tcp.use_ports(family, socket->ports());
  Line* line = keep(std::move(*socket), tcp, 0, Line::Duty::probes);
  flows(ProbeKind::tcp, family).fill(line);
  return open_errors(family, line->socket.ports(), tcp);
}

Result<> Lines::open_stamp(Family family) {
  std::vector<std::uint16_t> ports;
  for (std::uint32_t flow = 0; flow < flows_; flow++) {
    auto socket = DatagramSocket::open({.family = family, .protocol = Protocol::udp, .ports = {}});
    if (!socket) return socket.error();
    ports.push_back(socket->port());
    flows(ProbeKind::stamp, family)[flow] =
        keep(std::move(*socket), stamp, static_cast<std::uint8_t>(flow), Line::Duty::probes);
  }
  stamp.use_ports(family, ports);
  return open_errors(family, ports, stamp);
}

// Its identifier is nobody's: echoes are none of its business.
Result<> Lines::open_errors(Family family, std::span<const std::uint16_t> ports, const Kind& kind) {
  const auto nobody = static_cast<std::uint16_t>(~icmp.identifier());
  auto socket = DatagramSocket::open({.family = family,
                                      .protocol = Protocol::icmp,
                                      .identifier = nobody,
                                      .ports = ports,
                                      .receive_bytes = 1U << 20U});
  if (!socket) return socket.error();
  keep(std::move(*socket), kind, 0, Line::Duty::errors);
  return {};
}

}  // namespace hopwise::probes
