// Families of series over many subjects of one kind: each family is added whole before the next.
#pragma once

#include <optional>
#include <vector>

#include "core/metrics/page.hpp"

namespace hopwise::metrics {

/// One family over subjects of type Line, which have `labels`.
template <class Line>
struct Figure {
  Metric metric;
  std::optional<double> (*of)(const Line& line, TimePoint now);  // empty: no series
};

template <class Line, std::size_t N>
void add(Page& page, const std::vector<Line>& lines, const Figure<Line> (&figures)[N],
         TimePoint now) {
  for (const Figure<Line>& figure : figures)
    for (const Line& line : lines)
      if (const auto value = figure.of(line, now)) page.add(figure.metric, *value, line.labels);
}

inline std::optional<double> seconds_of(const std::optional<Duration>& duration) {
  return duration ? std::optional(seconds(*duration)) : std::nullopt;
}

inline std::optional<double> count_of(std::uint64_t count) {
  return static_cast<double>(count);
}

inline double one_if(bool is) {
  return is ? 1.0 : 0.0;
}

}  // namespace hopwise::metrics
