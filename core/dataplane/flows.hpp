// Entries of the flow tables as FlowRecords. Reading by batches copies whole hash buckets and never
// touches what the LRU goes by.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>

#include "bpf/abi.h"
#include "core/model/flow.hpp"
#include "core/model/result.hpp"

namespace hopwise::dataplane {

using EachEntry = std::function<void(const hw_flow_key&, const hw_flow&)>;
/// Calls `each` for every entry of hw_flows or hw_embryos. What changes meanwhile may be seen as it
/// was or as it is, but nothing twice. `batch`: entries to begin with; grown for a bucket that
/// holds more.
Result<> read_entries(int map_fd, std::uint32_t batch, const EachEntry& each);

FlowTuple tuple_of(const hw_flow_key& key);
/// `group`: of flow.path.
FlowRecord record_of(const hw_flow_key& key, const hw_flow& flow, std::optional<GroupId> group,
                     TimePoint now);

}  // namespace hopwise::dataplane
