// BIRD's answers, line by line and word by word. Pure; private to core/speaker.
#pragma once

#include <string_view>
#include <vector>

namespace hopwise::speaker {

struct Line {
  unsigned code = 0;      // of the line, or of the one that it goes on from
  std::string_view text;  // behind it
  std::vector<std::string_view> words() const;
};

/// What has no code and follows none is left out.
std::vector<Line> bird_lines(std::string_view answer);

}  // namespace hopwise::speaker
