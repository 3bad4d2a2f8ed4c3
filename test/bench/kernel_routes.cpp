#include "test/bench/kernel_routes.hpp"

#include "test/bench/internet.hpp"

namespace hopwise::bench {

void add_kernel_routes(const lab::Namespace& where, std::span<const Prefix> routes,
                       std::uint32_t first) {
  std::string lines;
  lines.reserve(routes.size() * 48);
  for (std::size_t i = 0; i < routes.size(); ++i)
    lines +=
        "route add " + routes[i].text() + " nhid " + std::to_string(first + i % kGroups) + '\n';
  where.ip(lines).value();
}

void add_kernel_nexthops(const lab::Namespace& where, std::uint32_t first, const std::string& one,
                         const std::string& two) {
  const std::string a = std::to_string(first + kGroups), b = std::to_string(first + kGroups + 1);
  std::string lines = "nexthop add id " + a + ' ' + one + "\nnexthop add id " + b + ' ' + two;
  for (std::uint32_t i = 0; i < kGroups; ++i)
    lines += "\nnexthop add id " + std::to_string(first + i) + " group " + a + '/' + b;
  where.ip(lines).value();
}

}  // namespace hopwise::bench
