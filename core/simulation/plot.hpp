// A picture of traces: for each a block of panels over the same time: weights, delays, load and
// loss of each path, with the events as marks. SVG, dark on white, in colours that the colour-blind
// tell apart.
#pragma once

#include <span>
#include <string>

#include "core/model/result.hpp"
#include "core/simulation/run.hpp"

namespace hopwise::simulation {

/// An SVG document. Panels of which nothing is known, and loss where there was none, are left out.
std::string draw(std::span<const Trace> traces, const std::string& title);

/// Whether pictures can be written to a file of that name: an error that says which can.
Result<> check_plot_name(const std::string& file);

}  // namespace hopwise::simulation
