// What was measured: figures in tables, targets met or missed, and the same as JSON.
#pragma once

#include <iosfwd>
#include <string>
#include <vector>

namespace hopwise::bench {

/// Of several runs of the same thing.
struct Spread {
  double median = 0;
  double low = 0;  // the extremes
  double high = 0;
};

Spread spread(std::vector<double> runs);

/// One cell: what `row` gave in `column` of the table `section`.
struct Figure {
  std::string section;
  std::string row;
  std::string column;  // with its unit: "ns/packet"
  Spread value;
};

enum class Bound : std::uint8_t { at_least, at_most };

struct Target {
  std::string what;
  Bound bound = Bound::at_least;
  double limit = 0;
  double measured = 0;
  std::string unit;

  [[nodiscard]] bool met() const {
    return bound == Bound::at_least ? measured >= limit : measured <= limit;
  }
};

class Report {
 public:
  /// Said above the table of `section`: how its figures came about.
  void explain(const std::string& section, const std::string& text);
  void add(Figure figure);
  void judge(Target target);
  /// The median of a figure that was added before; throws when there is none.
  [[nodiscard]] double median(const std::string& section, const std::string& row,
                              const std::string& column) const;

  void print(std::ostream& out) const;
  /// The error names the file.
  void write_json(const std::string& file) const;

 private:
  struct Section {
    std::string name;
    std::string text;
  };
  Section& section(const std::string& name);
  void print(std::ostream& out, const Section& section) const;

  std::vector<Section> sections_;
  std::vector<Figure> figures_;
  std::vector<Target> targets_;
};

}  // namespace hopwise::bench
