// The history on disk: lines that are only ever appended, in two files of at most half the bound
// each. A full FILE becomes FILE.1, in the place of the one before it.
//
// A line is a JSON object whose last key, "crc", is the CRC32C of all before that key. A crash in
// the midst of a write leaves a torn last line: it is cut off when the file is opened. Lines that
// are damaged in the middle are skipped and counted.
//
// Lines are collected, and written with one call by flush(): what is not yet written is lost with
// the process. What is written survives it, and is on the disk when the kernel has written it
// back, after half a minute or so: that is what a power cut may take. Only an orderly end waits for
// the disk, since that may take long.
// While the disk takes nothing (full, read-only, gone) up to 256 kB of lines wait for it, and the
// oldest beyond are dropped and counted.
#pragma once

#include <cstdint>
#include <deque>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/model/result.hpp"

namespace hopwise {

/// `json`, one object, with its check sum; and back: empty where they do not fit.
std::string sealed(std::string_view json);
std::optional<std::string> unsealed(std::string_view line);

struct HistoryLines {
  std::vector<std::string> lines;  // unsealed, oldest first
  std::uint64_t corrupt = 0;
};
/// Both files, of each the last `most` bytes; changes nothing, and may be asked while a daemon
/// writes. Files that are not there are empty.
Result<HistoryLines> read_history(const std::string& path, std::uint64_t most);

class HistoryFile {
 public:
  HistoryFile(std::string path, std::uint64_t size) : path_(std::move(path)), half_(size / 2) {}
  ~HistoryFile();  // waits for the disk
  HistoryFile(const HistoryFile&) = delete;

  /// Takes the file for this process alone, makes it (and its folder) if need be, and cuts off a
  /// torn last line. What it holds is then read_history()'s to tell.
  Result<> open();
  [[nodiscard]] bool is_open() const { return fd_ >= 0; }
  /// Whether open() found that another process has taken it.
  [[nodiscard]] bool is_anothers() const { return is_anothers_; }

  void append(std::string_view json);
  /// Writes what waits; opens the file again where it was lost. After an error it waits on.
  Result<> flush();

  [[nodiscard]] std::size_t waiting_bytes() const { return waiting_bytes_; }
  [[nodiscard]] std::uint64_t dropped() const { return dropped_; }

  static constexpr std::size_t kMostWaiting = std::size_t{256} * 1024;

 private:
  void close();
  Result<> repair();
  Result<> rotate();
  Result<> write(const std::string& lines);
  [[nodiscard]] bool was_moved() const;
  [[nodiscard]] Error failure(const char* what, int error) const;

  std::string path_;
  std::uint64_t half_;
  int fd_ = -1;
  std::uint64_t size_ = 0;  // of whole lines in the file
  bool torn_ = false;       // more than that stands in it
  bool is_anothers_ = false;
  std::deque<std::string> waiting_;
  std::size_t waiting_bytes_ = 0;
  std::uint64_t dropped_ = 0;
};

}  // namespace hopwise
