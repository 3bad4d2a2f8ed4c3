// `hopwise reflect`: the line as options, and the reflector in the foreground until a signal.
#pragma once

#include <iosfwd>
#include <string>
#include <vector>

#include "core/model/result.hpp"
#include "probes/reflect/options.hpp"

namespace hopwise::cli {

/// As the line has it.
struct ReflectLine {
  std::vector<std::string> listen, allow;
  std::string port = "862";
  std::string rate = "1000";
  std::string key_file;
  bool stateless = false;
};

/// Reads the key file too. The error names the option, what is wrong and what to write.
Result<probes::ReflectorOptions> reflector_options(const ReflectLine& line);

enum class SummaryFormat : std::uint8_t { text, json };

/// Answers until SIGTERM or SIGINT; `log` gets one line at the start, `out` the counters then, and
/// at each SIGUSR1.
Result<> run_reflector(const probes::ReflectorOptions& options, SummaryFormat format,
                       std::ostream& out, std::ostream& log);

/// One line: "answered=12 too_short=0 ...", or one JSON object with the same names.
std::string render_summary(const probes::ReflectorCounters& counters, SummaryFormat format);

}  // namespace hopwise::cli
