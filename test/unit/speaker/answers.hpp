// Answers of FRR 8.4.4 and BIRD 2.0.12, as their sockets gave them.
#pragma once

#include <fstream>
#include <iterator>
#include <stdexcept>
#include <string>

namespace hopwise::speaker {

inline std::string captured(const std::string& name) {
  std::ifstream file(std::string(HOPWISE_SOURCE_DIR) + "/test/unit/speaker/answers/" + name);
  if (!file) throw std::runtime_error("no answer " + name);
  return {std::istreambuf_iterator<char>(file), {}};
}

}  // namespace hopwise::speaker
