// What the configuration says that a group wants, and what it says of a nexthop, in the engine's
// words. Pure.
//
// A class of traffic asks first its own terms, then its group's, then the defaults; each key by
// itself.
#pragma once

#include <string>
#include <vector>

#include "core/config/config.hpp"
#include "core/engine/policy.hpp"
#include "core/model/path.hpp"

namespace hopwise {

/// Whether the configuration means this nexthop by `named`: its name, its gateway, or
/// "GATEWAY@INTERFACE".
bool names(const std::string& named, const Nexthop& nexthop);

/// The first entry of "groups" that names all of these nexthops; null: none does.
const config::GroupConfig* configured_group(const std::vector<const Nexthop*>& nexthops,
                                            const config::Config& config);

/// The terms of a group over these nexthops. Preferences for nexthops that it does not have are
/// left out.
engine::GroupTerms terms_of(const Variant& variant, const std::vector<const Nexthop*>& nexthops,
                            const config::Config& config);

/// The configuration's part of a nexthop's terms. `told` may be null: nothing is known.
engine::NexthopTerms terms_of(const config::NexthopConfig* told);

/// `wanted`, with the numbers that `running` gives to classes of the same names, so that each keeps
/// its groups and what they have learnt. A number that is nobody's is a class without a name; rules
/// keep their order. Both have at most Limits::classes.
config::Config with_class_numbers(config::Config wanted, const config::Config& running);

/// "voice", or "" for what is of no class.
std::string class_name(const Variant& variant, const config::Config& config);

}  // namespace hopwise
