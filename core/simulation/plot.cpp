// Layout: blocks below each other, each with its title, a legend, a strip for the marks' texts, and
// its panels; below the last panel the time.
//
// A night has more points than a picture has columns: of each column its lowest and highest are
// drawn, so that no spike is lost.
#include "core/simulation/plot.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <vector>

#include "core/model/format.hpp"
#include "core/simulation/svg.hpp"

namespace hopwise::simulation {
namespace {

constexpr double kWidth = 1000, kLeft = 76, kRight = 24, kPanel = 150, kGap = 18, kMarks = 92;
constexpr double kInner = kWidth - kLeft - kRight;
constexpr double kTitle = 40, kBlockTitle = 30, kLegendRow = 20, kAxis = 46;
constexpr double kMarkApart = 11;  // of texts; nearer ones stay without
constexpr int kMegabit = 1'000'000;

// Okabe and Ito's palette, without its yellow, which is too light on white.
constexpr std::array kColours{"#0072B2", "#D55E00", "#009E73", "#CC79A7",
                              "#E69F00", "#56B4E9", "#000000"};
constexpr std::array kDashes{"", "6 3", "2 2"};

Stroke stroke_of(std::size_t path) {
  return {kColours[path % kColours.size()], 1.8, kDashes[path / kColours.size() % kDashes.size()]};
}

using Series = std::vector<float> PathTrace::*;

struct Panel {
  const char* title;
  Series series;
  double scale;  // from the series' unit to the axis'
  double most;   // of the axis; 0: what fits
};

constexpr std::array<Panel, 4> kPanels{
    {{"share of new flows (%)", &PathTrace::weight, 100, 100},
     {"round-trip time (ms)", &PathTrace::delay_ms, 1, 0},
     {"load (Mbit/s)", &PathTrace::load_bit_s, 1.0 / kMegabit, 0},
     {"loss (%)", &PathTrace::loss, 100, 0}}};

double highest(const Trace& trace, const Panel& panel) {
  double most = 0;
  for (const PathTrace& path : trace.paths)
    for (const float v : path.*panel.series)
      if (std::isfinite(v)) most = std::max(most, panel.scale * static_cast<double>(v));
  return most;
}

/// 1, 2 or 5 times a power of ten: about `wanted` of them make `range`.
double nice_step(double range, int wanted) {
  const double rough = range / wanted;
  const double power = std::pow(10, std::floor(std::log10(rough)));
  for (const double factor : {1.0, 2.0, 5.0})
    if (factor * power >= rough * (1 - 1e-9)) return factor * power;
  return 10 * power;
}

struct TimeAxis {
  explicit TimeAxis(double from_s, double to_s) : from(from_s), to(std::max(to_s, from_s + 1)) {
    const double range = to - from;
    unit = range > 3 * 3600 ? 3600 : range > 600 ? 60 : 1;
    name = unit == 3600 ? "h" : unit == 60 ? "min" : "s";
  }
  [[nodiscard]] double x(double t_s) const { return kLeft + kInner * (t_s - from) / (to - from); }
  double from, to, unit = 1;
  const char* name = "s";
};

class Block {
 public:
  Block(Svg& svg, const Trace& trace, double top)
      : svg_(svg),
        trace_(trace),
        axis_(trace.t_s.empty() ? 0 : trace.t_s.front(), trace.t_s.empty() ? 1 : trace.t_s.back()),
        y_(top) {}

  /// Returns where it ends.
  double draw();

 private:
  void draw_legend();
  void draw_panel(const Panel& panel, double most);
  void draw_series(const std::vector<float>& series, const Panel& panel, double most,
                   const Stroke& stroke);
  void draw_marks(double top, double bottom);
  void draw_time();

  Svg& svg_;
  const Trace& trace_;
  TimeAxis axis_;
  double y_;
};

void Block::draw_legend() {
  double x = kLeft;
  for (std::size_t i = 0; i < trace_.paths.size(); ++i) {
    const std::string& name = trace_.paths[i].name;
    const double width = 44 + 7.5 * static_cast<double>(name.size());
    if (x + width > kWidth - kRight && x > kLeft) x = kLeft, y_ += kLegendRow;
    svg_.line({x, y_ - 4}, {x + 24, y_ - 4}, stroke_of(i));
    svg_.text({x + 30, y_}, name);
    x += width;
  }
  y_ += kLegendRow;
}

void Block::draw_panel(const Panel& panel, double most) {
  const double bottom = y_ + kPanel;
  const double step = nice_step(most, 4);
  for (double v = 0; v <= most * 1.001; v += step) {
    const double y = bottom - kPanel * v / most;
    svg_.line({kLeft, y}, {kWidth - kRight, y}, {v == 0 ? "#444444" : "#dddddd"});
    svg_.text({kLeft - 8, y + 4}, format("%g", v), {11, "end"});
  }
  svg_.line({kLeft, y_}, {kLeft, bottom}, {});
  svg_.text({18, y_ + kPanel / 2}, panel.title, {12, "middle", -90});
  for (std::size_t i = 0; i < trace_.paths.size(); ++i)
    draw_series(trace_.paths[i].*panel.series, panel, most, stroke_of(i));
  y_ = bottom + kGap;
}

void Block::draw_series(const std::vector<float>& series, const Panel& panel, double most,
                        const Stroke& stroke) {
  const double bottom = y_ + kPanel;
  const auto y_of = [&](float v) {
    return bottom - kPanel * std::clamp(panel.scale * static_cast<double>(v), 0.0, most) / most;
  };
  std::vector<Point> points;
  const std::size_t n = std::min(series.size(), trace_.t_s.size());
  for (std::size_t i = 0; i < n;) {
    if (!std::isfinite(series[i])) {
      svg_.polyline(points, stroke), points.clear(), ++i;
      continue;
    }
    const double column = std::floor(axis_.x(trace_.t_s[i]));
    float least = series[i], greatest = series[i];
    std::size_t end = i;
    for (; end < n && std::isfinite(series[end]) && std::floor(axis_.x(trace_.t_s[end])) <= column;
         ++end)
      least = std::min(least, series[end]), greatest = std::max(greatest, series[end]);
    points.push_back({axis_.x(trace_.t_s[i]), y_of(end - i > 1 ? greatest : series[i])});
    if (least < greatest) points.push_back({axis_.x(trace_.t_s[i]), y_of(least)});
    i = end;
  }
  svg_.polyline(points, stroke);
}

void Block::draw_marks(double top, double bottom) {
  double last = -kMarkApart;
  for (const Mark& mark : trace_.marks) {
    const double x = axis_.x(mark.t_s);
    if (x < kLeft - 1 || x > kWidth - kRight + 1) continue;
    svg_.line({x, top - 4}, {x, bottom}, {"#777777", 0.8, "3 3"});
    if (x - last < kMarkApart) continue;
    last = x;
    std::string text = mark.text;
    constexpr std::size_t kLongest = 26;
    if (text.size() > kLongest) text = text.substr(0, kLongest - 2) + "..";
    // Near the right edge it leans to the other side.
    const bool right = x > kWidth - 110;
    svg_.text({x + (right ? 4 : 3), top - 7}, text,
              {10, right ? "end" : "start", right ? 40.0 : -40.0});
  }
}

void Block::draw_time() {
  y_ -= kGap;
  const double range = (axis_.to - axis_.from) / axis_.unit;
  const double step = nice_step(range, 10);
  for (double t = std::ceil(axis_.from / axis_.unit / step) * step;
       t * axis_.unit <= axis_.to * (1 + 1e-9); t += step) {
    const double x = axis_.x(t * axis_.unit);
    svg_.line({x, y_}, {x, y_ + 5}, {});
    svg_.text({x, y_ + 18}, format("%g", t), {11, "middle"});
  }
  svg_.text({kLeft + kInner / 2, y_ + 36}, std::string("time (") + axis_.name + ")",
            {12, "middle"});
  y_ += kAxis;
}

double Block::draw() {
  y_ += kBlockTitle;
  svg_.text({kLeft, y_}, trace_.controller + (trace_.group.empty() ? "" : ", " + trace_.group),
            {15, "start", 0, "bold"});
  y_ += kLegendRow + 4;
  draw_legend();
  if (!trace_.marks.empty()) y_ += kMarks;
  const double top = y_;
  for (const Panel& panel : kPanels) {
    const double most = highest(trace_, panel);
    if (most <= 0 && panel.most == 0) continue;
    draw_panel(panel, panel.most > 0 ? panel.most : most * 1.08);
  }
  draw_marks(top, y_ - kGap);
  draw_time();
  return y_;
}

}  // namespace

std::string draw(std::span<const Trace> traces, const std::string& title) {
  Svg svg;
  svg.text({kLeft, kTitle - 10}, title, {18, "start", 0, "bold"});
  double y = kTitle;
  for (const Trace& trace : traces) y = Block(svg, trace, y).draw() + kGap;
  return svg.document(kWidth, y + kGap);
}

Result<> check_plot_name(const std::string& file) {
  if (file.ends_with(".svg")) return {};
  return Error{"plot to " + file + ": only SVG is written (name it *.svg; browsers show it, and " +
               "rsvg-convert makes a PNG of it)"};
}

}  // namespace hopwise::simulation
