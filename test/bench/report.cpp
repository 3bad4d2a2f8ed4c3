#include "test/bench/report.hpp"

#include <sys/utsname.h>

#include <algorithm>
#include <cstdio>
#include <fstream>
#include <nlohmann/json.hpp>
#include <ostream>
#include <stdexcept>

namespace hopwise::bench {
namespace {

// Three digits that matter: what is beyond them is noise.
std::string number(double value) {
  char text[32];
  const double size = std::abs(value);
  std::snprintf(text, sizeof(text), size >= 100 ? "%.0f" : size >= 10 ? "%.1f" : "%.2f", value);
  return text;
}

std::string cell(const Spread& value) {
  if (value.low == value.high) return number(value.median);
  return number(value.median) + " (" + number(value.low) + ".." + number(value.high) + ')';
}

std::string padded(std::string text, std::size_t width) {
  text.resize(std::max(width, text.size()), ' ');
  return text;
}

std::vector<std::string> distinct(const std::vector<Figure>& figures, const std::string& section,
                                  std::string Figure::*field) {
  std::vector<std::string> names;
  for (const Figure& figure : figures)
    if (figure.section == section &&
        std::find(names.begin(), names.end(), figure.*field) == names.end())
      names.push_back(figure.*field);
  return names;
}

std::string machine() {
  std::string model = "unknown CPU", line;
  for (std::ifstream in("/proc/cpuinfo"); std::getline(in, line);)
    if (line.starts_with("model name")) model = line.substr(line.find(':') + 2);
  utsname system{};
  uname(&system);
  return model + ", Linux " + system.release;
}

}  // namespace

Spread spread(std::vector<double> runs) {
  if (runs.empty()) return {};
  std::sort(runs.begin(), runs.end());
  const std::size_t middle = runs.size() / 2;
  const double median = runs.size() % 2 == 1 ? runs[middle] : (runs[middle - 1] + runs[middle]) / 2;
  return {median, runs.front(), runs.back()};
}

Report::Section& Report::section(const std::string& name) {
  const auto known = std::find_if(sections_.begin(), sections_.end(),
                                  [&](const Section& s) { return s.name == name; });
  return known != sections_.end() ? *known : sections_.emplace_back(Section{name, {}});
}

void Report::explain(const std::string& name, const std::string& text) {
  section(name).text = text;
}

void Report::add(Figure figure) {
  section(figure.section);
  figures_.push_back(std::move(figure));
}

void Report::judge(Target target) {
  targets_.push_back(std::move(target));
}

double Report::median(const std::string& section, const std::string& row,
                      const std::string& column) const {
  for (const Figure& figure : figures_)
    if (figure.section == section && figure.row == row && figure.column == column)
      return figure.value.median;
  throw std::runtime_error("no figure " + section + " / " + row + " / " + column);
}

void Report::print(std::ostream& out, const Section& section) const {
  const auto rows = distinct(figures_, section.name, &Figure::row);
  const auto columns = distinct(figures_, section.name, &Figure::column);
  std::vector<std::vector<std::string>> lines{{""}};
  for (const auto& column : columns) lines[0].push_back(column);
  for (const auto& row : rows) {
    auto& line = lines.emplace_back(std::vector<std::string>(columns.size() + 1));
    line[0] = row;
    for (const Figure& figure : figures_)
      if (figure.section == section.name && figure.row == row)
        line[1 + (std::find(columns.begin(), columns.end(), figure.column) - columns.begin())] =
            cell(figure.value);
  }
  out << "\n## " << section.name << '\n';
  if (!section.text.empty()) out << section.text << '\n';
  std::vector<std::size_t> widths(columns.size() + 1);
  for (const auto& line : lines)
    for (std::size_t i = 0; i < line.size(); ++i) widths[i] = std::max(widths[i], line[i].size());
  for (const auto& line : lines) {
    out << "  ";
    for (std::size_t i = 0; i < line.size(); ++i) out << padded(line[i], widths[i]) << "  ";
    out << '\n';
  }
}

void Report::print(std::ostream& out) const {
  out << machine() << '\n';
  for (const Section& section : sections_) print(out, section);
  if (targets_.empty()) return;
  out << "\n## targets\n";
  for (const Target& target : targets_)
    out << "  " << (target.met() ? "met     " : "MISSED  ") << padded(target.what, 86)
        << number(target.measured) << (target.bound == Bound::at_least ? " (>= " : " (<= ")
        << number(target.limit) << ") " << target.unit << '\n';
}

void Report::write_json(const std::string& file) const {
  nlohmann::ordered_json document;
  document["machine"] = machine();
  for (const Section& section : sections_)
    document["sections"].push_back({{"name", section.name}, {"how", section.text}});
  for (const Figure& figure : figures_)
    document["figures"].push_back({{"section", figure.section},
                                   {"row", figure.row},
                                   {"column", figure.column},
                                   {"median", figure.value.median},
                                   {"low", figure.value.low},
                                   {"high", figure.value.high}});
  for (const Target& target : targets_)
    document["targets"].push_back(
        {{"what", target.what},
         {"bound", target.bound == Bound::at_least ? "at least" : "at most"},
         {"limit", target.limit},
         {"measured", target.measured},
         {"unit", target.unit},
         {"met", target.met()}});
  std::ofstream out(file);
  out << document.dump(2) << '\n';
  if (!out.flush()) throw std::runtime_error("write " + file + ": cannot be written");
}

}  // namespace hopwise::bench
