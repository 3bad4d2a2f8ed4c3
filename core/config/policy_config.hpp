// The keys that say what traffic wants: policies, objectives, preferences, and classes of traffic.
// Read by config.cpp, and for the same Config.
#pragma once

#include <string>

#include "core/config/config.hpp"
#include "core/config/reader.hpp"

namespace hopwise::config {

/// A name that a nexthop has, or whatever may be a gateway: routing may offer it later.
bool can_be_nexthop(const std::string& named, const Config& config);

/// "policy" by its name, and the keys of a policy that stand beside it.
void read_default_policy(Object& o, engine::Policy& policy);
/// "policy", "objectives", "prefer", "mode" and "revert" of a group or class. The default policy
/// and the nexthops have been read.
void read_terms(Object& o, const Config& config, TermsConfig& terms);
/// "classes": of each its terms, and one rule for every combination of what a "match" names.
void read_classes(Object& top, Config& config);

}  // namespace hopwise::config
