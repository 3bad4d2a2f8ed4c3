// `hopwise record`: has the daemon record, tells how far it is, and ends it. Knows the daemon only
// through `ask`.
#pragma once

#include <functional>
#include <iosfwd>
#include <string>

#include "core/api/client.hpp"
#include "core/model/result.hpp"
#include "core/model/time.hpp"

namespace hopwise::cli {

/// As typed.
struct RecordLine {
  std::string file{};
  std::string duration{};        // "1h"; empty: until it is ended
  std::string max_size = "1GB";  // "500MB"
  bool status = false, stop = false, json = false;
};

struct RecordTalk {
  std::function<Result<api::Reply>(const std::string& method, const std::string& target)> ask;
  std::function<void(Duration)> pause;
  std::function<bool()> interrupted;  // Ctrl-C
  std::ostream& out;
  std::ostream& err;
};

/// Seconds: "90s", "30m", "12h", "2d".
Result<std::int64_t> parse_record_duration(const std::string& text);
/// Bytes: "500MB", "2GB", of a thousand each.
Result<std::uint64_t> parse_record_size(const std::string& text);

/// Returns when the recording has ended. The exit status: 0 it did as it should, 1 it could not
/// begin, or something cut it short, 2 the line is wrong.
int run_record(const RecordLine& line, const RecordTalk& talk);

}  // namespace hopwise::cli
