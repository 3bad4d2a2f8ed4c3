#include "core/simulation/svg.hpp"

#include "core/model/format.hpp"

namespace hopwise::simulation {
namespace {

// What has a meaning in XML, and what XML may not hold at all.
std::string escaped(std::string_view text) {
  std::string safe;
  for (const char c : text) {
    if (c == '&')
      safe += "&amp;";
    else if (c == '<')
      safe += "&lt;";
    else if (c == '>')
      safe += "&gt;";
    else if (static_cast<unsigned char>(c) < 0x20 || static_cast<unsigned char>(c) >= 0x7f)
      safe += '?';
    else
      safe += c;
  }
  return safe;
}

std::string stroke_text(const Stroke& stroke) {
  std::string text = format(" stroke=\"%s\" stroke-width=\"%g\"", stroke.colour, stroke.width);
  if (stroke.dashes[0] != '\0') text += format(" stroke-dasharray=\"%s\"", stroke.dashes);
  return text;
}

}  // namespace

void Svg::line(Point from, Point to, const Stroke& stroke) {
  body_ +=
      format("<line x1=\"%.1f\" y1=\"%.1f\" x2=\"%.1f\" y2=\"%.1f\"", from.x, from.y, to.x, to.y) +
      stroke_text(stroke) + "/>\n";
}

void Svg::polyline(std::span<const Point> points, const Stroke& stroke) {
  if (points.size() < 2) return;
  body_ += "<polyline fill=\"none\" stroke-linejoin=\"round\"" + stroke_text(stroke) + " points=\"";
  for (const Point& point : points) body_ += format("%.1f,%.1f ", point.x, point.y);
  body_.back() = '"';
  body_ += "/>\n";
}

void Svg::rectangle(Point corner, Point size, const char* fill) {
  body_ += format("<rect x=\"%.1f\" y=\"%.1f\" width=\"%.1f\" height=\"%.1f\" fill=\"%s\"/>\n",
                  corner.x, corner.y, size.x, size.y, fill);
}

void Svg::text(Point at, std::string_view text, const Lettering& lettering) {
  body_ += format(
      "<text x=\"%.1f\" y=\"%.1f\" font-size=\"%g\" font-weight=\"%s\" "
      "text-anchor=\"%s\"",
      at.x, at.y, lettering.size, lettering.weight, lettering.anchor);
  if (lettering.turned != 0)
    body_ += format(" transform=\"rotate(%g %.1f %.1f)\"", lettering.turned, at.x, at.y);
  body_ += ">" + escaped(text) + "</text>\n";
}

std::string Svg::document(double width, double height) const {
  return format(
             "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"
             "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"%.0f\" height=\"%.0f\" "
             "viewBox=\"0 0 %.0f %.0f\" font-family=\"DejaVu Sans, Helvetica, Arial, "
             "sans-serif\" fill=\"#222222\">\n"
             "<rect width=\"100%%\" height=\"100%%\" fill=\"#ffffff\"/>\n",
             width, height, width, height) +
         body_ + "</svg>\n";
}

}  // namespace hopwise::simulation
