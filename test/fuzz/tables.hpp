// What the programs have written: which reason they counted, and whether the flow tables make
// sense.
#pragma once

#include <array>
#include <optional>

#include "test/bpf/router.hpp"

namespace hopwise::fuzz {

class Tables {
 public:
  explicit Tables(test::Router& router);

  /// Packets by reason, all CPUs together, by one system call.
  using Reasons = std::array<std::uint64_t, HW_REASON_COUNT>;
  Reasons reasons();
  /// The reason for which one packet more was counted, when it is the only one.
  static std::optional<hw_reason> counted(const Reasons& before, const Reasons& after);

  [[nodiscard]] std::optional<hw_flow> find(const hw_flow_key& key) const;
  /// Fails the test on a flow that no packet can have made.
  void judge() const;

 private:
  void judge(int table) const;

  int reasons_, flows_, embryos_;
  std::vector<std::uint64_t> read_;
};

}  // namespace hopwise::fuzz
