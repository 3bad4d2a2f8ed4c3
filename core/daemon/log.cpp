#include "core/daemon/log.hpp"

#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>

#include <cstdlib>

namespace hopwise {
namespace {

bool needs_quotes(const std::string& value) {
  return value.empty() || value.find_first_of(" \t\n\"=") != std::string::npos;
}

void append_value(std::string& line, const std::string& value) {
  if (!needs_quotes(value)) {
    line += value;
    return;
  }
  line += '"';
  for (const char c : value) {
    if (c == '"' || c == '\\') line += '\\';
    line += c == '\n' ? ' ' : c;
  }
  line += '"';
}

std::string compose(std::string_view event, Log::Fields fields) {
  std::string line = "event=";
  line += event;
  for (const auto& [key, value] : fields) {
    line += ' ';
    line += key;
    line += '=';
    append_value(line, value);
  }
  return line;
}

}  // namespace

Log::Log()
    : logger_(std::make_shared<spdlog::logger>("hopwise",
                                               std::make_shared<spdlog::sinks::stderr_sink_mt>())) {
  const bool journal = std::getenv("JOURNAL_STREAM") != nullptr;
  logger_->set_pattern(journal ? "level=%l %v" : "ts=%Y-%m-%dT%H:%M:%S.%e%z level=%l %v");
  logger_->flush_on(spdlog::level::debug);
}

Log::~Log() = default;

void Log::set_level(const std::string& level) {
  logger_->set_level(spdlog::level::from_str(level));
}

bool Log::debugs() const {
  return logger_->should_log(spdlog::level::debug);
}
void Log::debug(std::string_view event, Fields fields) {
  if (debugs()) logger_->debug("{}", compose(event, fields));
}
void Log::info(std::string_view event, Fields fields) {
  logger_->info("{}", compose(event, fields));
}
void Log::warn(std::string_view event, Fields fields) {
  logger_->warn("{}", compose(event, fields));
}
void Log::error(std::string_view event, Fields fields) {
  logger_->error("{}", compose(event, fields));
}

}  // namespace hopwise
