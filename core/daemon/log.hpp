// The log: one line an event, key=value, to standard error.
//
//   level=info event=decision group=1 reason=path_down cause=isp-a isp-a=0.500>0.000
//
// Lines carry a timestamp unless systemd's journal stamps them already.
#pragma once

#include <initializer_list>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

namespace spdlog {
class logger;
}

namespace hopwise {

class Log {
 public:
  using Field = std::pair<std::string_view, std::string>;
  using Fields = std::initializer_list<Field>;

  Log();
  ~Log();

  /// "debug", "info", "warn" or "error"; anything else is "info".
  void set_level(const std::string& level);

  /// Whether debug() writes: what happens a million times asks before it makes up fields.
  [[nodiscard]] bool debugs() const;
  void debug(std::string_view event, Fields fields = {});
  void info(std::string_view event, Fields fields = {});
  void warn(std::string_view event, Fields fields = {});
  void error(std::string_view event, Fields fields = {});

 private:
  std::shared_ptr<spdlog::logger> logger_;
};

}  // namespace hopwise
