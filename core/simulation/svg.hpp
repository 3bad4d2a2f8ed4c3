// SVG text of lines and letters: as much as a plot needs. Private to plot.cpp.
#pragma once

#include <span>
#include <string>
#include <string_view>

namespace hopwise::simulation {

struct Point {
  double x = 0, y = 0;
};

/// How a line is drawn.
struct Stroke {
  const char* colour = "#444444";
  double width = 1;
  const char* dashes = "";
};

/// How a text is set.
struct Lettering {
  double size = 12;
  const char* anchor = "start";  // start, middle, end
  double turned = 0;             // degrees
  const char* weight = "normal";
};

class Svg {
 public:
  void line(Point from, Point to, const Stroke& stroke);
  void polyline(std::span<const Point> points, const Stroke& stroke);
  void rectangle(Point corner, Point size, const char* fill);
  void text(Point at, std::string_view text, const Lettering& lettering = {});

  /// The whole document, dark on white.
  [[nodiscard]] std::string document(double width, double height) const;

 private:
  std::string body_;
};

}  // namespace hopwise::simulation
