#include "probes/socket/filter.hpp"

#include <netinet/in.h>

#include <array>

namespace hopwise::probes {
namespace {

// Where a step goes on: forward only, to the next one, to one of that name, or to a verdict.
enum class To : std::uint8_t { next, errors, quoted_ports, ports, reject, accept };

struct Step {
  std::uint16_t code = 0;
  std::uint32_t k = 0;
  To yes = To::next, no = To::next;
  To name = To::next;  // next: none
};

constexpr std::uint16_t kByte = BPF_LD | BPF_B | BPF_IND;
constexpr std::uint16_t kHalf = BPF_LD | BPF_H | BPF_IND;
constexpr std::uint16_t kEqual = BPF_JMP | BPF_JEQ | BPF_K;
constexpr std::uint16_t kAtLeast = BPF_JMP | BPF_JGE | BPF_K;
constexpr std::uint16_t kAbove = BPF_JMP | BPF_JGT | BPF_K;

// Types and offsets of an echo reply, and of an error that quotes an echo request.
struct Wire {
  std::uint8_t reply, request, first_error, last_error, protocol;
  std::uint32_t quoted_protocol;  // in the quoted IP header, behind the error's eight bytes
  std::uint32_t quoted;           // what that header was of
};
constexpr Wire wire(Family family) {
  return family == Family::v4 ? Wire{0, 8, 3, 12, IPPROTO_ICMP, 17, 28}
                              : Wire{129, 128, 1, 4, IPPROTO_ICMPV6, 14, 48};
}

// X is where the message begins: a raw IPv4 socket delivers the IP header before it.
Step to_message(Family family) {
  if (family == Family::v4) return {BPF_LDX | BPF_B | BPF_MSH, 0};
  return {BPF_LDX | BPF_W | BPF_IMM, 0};  // NOLINT(misc-redundant-expression)
}

void match_ports(std::vector<Step>& steps, std::uint32_t offset,
                 std::span<const std::uint16_t> ports) {
  steps.push_back({kHalf, offset, {}, {}, To::ports});
  for (const std::uint16_t port : ports) steps.push_back({kEqual, port, To::accept});
}

// The verdicts come last: what no step accepted is rejected.
std::vector<sock_filter> assemble(const std::vector<Step>& steps) {
  const std::size_t reject = steps.size();
  const auto offset = [&](std::size_t at, To to) {
    std::size_t target = at + 1;
    if (to == To::reject) target = reject;
    if (to == To::accept) target = reject + 1;
    if (to == To::errors || to == To::quoted_ports || to == To::ports)
      while (target < reject && steps[target].name != to) target++;  // none: reject
    return static_cast<std::uint8_t>(target - at - 1);
  };
  std::vector<sock_filter> program;
  for (std::size_t at = 0; at < steps.size(); at++)
    program.push_back(
        {steps[at].code, offset(at, steps[at].yes), offset(at, steps[at].no), steps[at].k});
  program.push_back({BPF_RET | BPF_K, 0, 0, 0});
  program.push_back({BPF_RET | BPF_K, 0, 0, 0xffffU});
  return program;
}

}  // namespace

std::vector<sock_filter> echo_filter(Family family, std::uint16_t identifier,
                                     std::span<const std::uint16_t> ports) {
  const Wire w = wire(family);
  std::vector<Step> steps{
      to_message(family),
      {kByte, 0},
      {kEqual, w.reply, To::next, To::errors},
      {kHalf, 4},
      {kEqual, identifier, To::accept, To::reject},
      {kAtLeast, w.first_error, To::next, To::reject, To::errors},
      {kAbove, w.last_error, To::reject, To::next},
      {kByte, w.quoted_protocol},
      {kEqual, w.protocol, To::next, To::quoted_ports},
      {kByte, w.quoted},
      {kEqual, w.request, To::next, To::reject},
      {kHalf, w.quoted + 4},
      {kEqual, identifier, To::accept, To::reject},
  };
  if (!ports.empty()) {
    // A is the quoted protocol still.
    steps.push_back({kEqual, IPPROTO_TCP, To::ports, To::next, To::quoted_ports});
    steps.push_back({kEqual, IPPROTO_UDP, To::next, To::reject});
    match_ports(steps, w.quoted, ports);
  }
  return assemble(steps);
}

std::vector<sock_filter> tcp_filter(Family family, std::span<const std::uint16_t> ports) {
  std::vector<Step> steps{to_message(family)};
  match_ports(steps, 2, ports);
  return assemble(steps);
}

}  // namespace hopwise::probes
