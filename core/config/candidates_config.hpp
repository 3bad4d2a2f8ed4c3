// The keys of "candidates": which paths that BGP tells of may carry traffic beside those that the
// kernel's routes use.
#pragma once

#include "core/config/reader.hpp"
#include "core/routes/offers.hpp"

namespace hopwise::config {

void read_candidates(Object& o, routes::OfferPolicy& policy);

}  // namespace hopwise::config
