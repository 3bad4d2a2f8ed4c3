// Rules of classes as the programs read them.
#pragma once

#include <vector>

#include "bpf/abi.h"
#include "core/model/result.hpp"
#include "core/model/traffic_class.hpp"

namespace hopwise::dataplane {

/// In the same order. Fails for more rules, or another class, than there may be, and for a rule
/// that nothing can fit, as its prefixes are of different families.
Result<std::vector<hw_class_rule>> class_entries(const std::vector<ClassRule>& rules);

}  // namespace hopwise::dataplane
