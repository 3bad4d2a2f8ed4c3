// The keys of "history": where events are kept, and how many bytes of them.
#pragma once

#include "core/config/config.hpp"
#include "core/config/reader.hpp"

namespace hopwise::config {

void read_history(Object& o, History& history);

}  // namespace hopwise::config
