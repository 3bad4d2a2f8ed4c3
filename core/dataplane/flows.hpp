// Entries of the flow tables as FlowRecords. Reading by batches copies whole hash buckets and never
// touches what the LRU goes by.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <vector>

#include "bpf/abi.h"
#include "core/model/flow.hpp"
#include "core/model/result.hpp"

namespace hopwise::dataplane {

using EachEntry = std::function<void(const hw_flow_key&, const hw_flow&)>;

/// Reads hw_flows or hw_embryos batch by batch, with any pauses between. What changes meanwhile may
/// be seen as it was or as it is, or not at all, but nothing twice.
class EntryReader {
 public:
  /// `batch`: entries to begin with; grown for a hash bucket that holds more.
  EntryReader(int map_fd, std::uint32_t batch);

  /// The next batch. False at the end of the table, and after an error: then it begins anew.
  Result<bool> next(const EachEntry& each);

 private:
  int map_fd_;
  std::vector<hw_flow_key> keys_;
  std::vector<hw_flow> flows_;
  std::optional<std::uint32_t> from_;  // the kernel's: where the next batch begins
};

/// Calls `each` for every entry, by an EntryReader.
Result<> read_entries(int map_fd, std::uint32_t batch, const EachEntry& each);

FlowTuple tuple_of(const hw_flow_key& key);
/// `group`: of flow.path.
FlowRecord record_of(const hw_flow_key& key, const hw_flow& flow, std::optional<GroupId> group,
                     TimePoint now);

}  // namespace hopwise::dataplane
