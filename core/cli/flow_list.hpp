// The first of many flows, in order, as JSON and as a table. Pure.
#pragma once

#include <cstdint>
#include <functional>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <vector>

#include "core/cli/flow_query.hpp"
#include "core/model/flow.hpp"

namespace hopwise::cli {

/// The `limit` first of all flows that are added, however many: a heap with the last of them on
/// top.
class FlowList {
 public:
  FlowList(FlowOrder order, std::size_t limit) : order_(order), limit_(limit) {}

  void add(const FlowRecord& flow);
  [[nodiscard]] std::uint64_t added() const { return added_; }
  [[nodiscard]] FlowOrder order() const { return order_; }
  /// In order.
  [[nodiscard]] std::vector<FlowRecord> flows() const;

 private:
  [[nodiscard]] bool before(const FlowRecord& a, const FlowRecord& b) const;

  FlowOrder order_;
  std::size_t limit_;
  std::uint64_t added_ = 0;
  std::vector<FlowRecord> heap_;
};

/// {"matched": N, "sort": "bytes", "flows": [...]}; nexthops that are not among `names` have none.
std::string to_json(const FlowList& list, const std::vector<NamedNexthop>& names);
/// Of to_json().
Result<std::string> render_flows(const std::string& json);

/// What was seen of one flow, in words; `flow` as in api::describe().
std::string flow_sentence(const nlohmann::ordered_json& flow);

}  // namespace hopwise::cli
