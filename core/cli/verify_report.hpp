// What `hopwise verify` found, as JSON and for people. Pure.
#pragma once

#include <string>

#include "core/cli/standing.hpp"
#include "core/dataplane/verification.hpp"

namespace hopwise::cli {

struct VerifyReport {
  dataplane::Verification last;                 // of the last look
  std::vector<dataplane::Difference> faults{};  // that stood
  std::size_t changing = 0;                     // differences of the last look that are younger
  int looks = 0;
  std::string configuration{};     // the file by which it should be; "": the defaults
  Duration took{};                 // all looks
  Duration dump{}, comparison{};   // of the last one
  std::uint64_t memory_bytes = 0;  // at most, of this process

  [[nodiscard]] bool equal() const { return faults.empty(); }
};

std::string to_json(const VerifyReport& report);
std::string to_text(const VerifyReport& report);

}  // namespace hopwise::cli
