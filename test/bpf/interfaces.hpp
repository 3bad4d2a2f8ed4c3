// Interfaces to attach to, and what hangs on them.
#pragma once

#include <string>
#include <vector>

#include "core/dataplane/hooks.hpp"
#include "test/bpf/router.hpp"

namespace hopwise::test {

/// Links of TCX: Linux 6.6. Before, only clsact is there, and nothing of ours hangs on an
/// interface.
bool has_tcx();

dataplane::Options with(dataplane::HookChoice hook);
void make_veth(const std::string& name);
dataplane::Dataplane::Attachment on(const std::string& name, dataplane::Role role);
std::string describe(const std::vector<dataplane::Hook>& hooks);
/// Detaches, which finds something, and leaves neither hooks nor pins.
void expect_nothing_left(const Router& router);

}  // namespace hopwise::test
