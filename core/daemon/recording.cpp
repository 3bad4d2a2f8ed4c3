#include "core/daemon/recording.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <atomic>
#include <boost/asio/post.hpp>
#include <cerrno>
#include <chrono>

#include "core/daemon/daemon.hpp"

namespace hopwise {
namespace {

constexpr std::size_t kMostWaiting = std::size_t{16} << 20;  // bytes, for the disk
constexpr std::uint64_t kRoom = std::uint64_t{64} << 10;     // kept for the last lines

std::string_view remedy_of(int error) {
  switch (error) {
    case EEXIST:
      return "nothing is overwritten: choose another name";
    case EACCES:
    case EPERM:
    case EROFS:
    case ENOENT:
      return "the daemon writes it: choose a folder that is there and that it may write to";
    default:
      return "";
  }
}

}  // namespace

/// What the control loop and the writing thread share.
struct Recording::File {
  explicit File(int file) : fd(file) {}
  File(const File&) = delete;
  ~File() { ::close(fd); }

  // On the writing thread.
  void write(std::string_view text) {
    waiting -= text.size();
    while (!text.empty() && error == 0) {
      const ssize_t n = ::write(fd, text.data(), text.size());
      if (n < 0 && errno != EINTR) error = errno;
      if (n > 0) text.remove_prefix(static_cast<std::size_t>(n));
    }
  }

  const int fd;
  std::atomic<std::size_t> waiting{0};
  std::atomic<int> error{0};
};

Recording::Recording(engine::Engine& engine, Log& log, Clock clock)
    : engine_(engine), log_(log), clock_(std::move(clock)) {
  engine_.set_tap(&writer_);
}

Recording::~Recording() {
  engine_.set_tap(nullptr);
  if (file_) finish("the daemon stopped");
  disk_.join();
}

Result<> Recording::begin(const api::RecordOrder& order, const engine::Options& options,
                          const Nexthops& nexthops) {
  if (file_)
    return Error{"record to " + order.file + ": " + order_.file +
                 " is being recorded (`hopwise record --stop` ends it)"};
  if (!order.file.starts_with('/'))
    return Error{"record to " + order.file + ": is no absolute path"};
  const int fd =
      ::open(order.file.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
  if (fd < 0) return system_error("record to " + order.file, errno, remedy_of(errno));
  file_ = std::make_shared<File>(fd);
  order_ = order;
  status_ = {true, order.file, 0, 0, ""};
  began_ = clock_();
  for (const auto& [id, record] : nexthops) writer_.name(id, record.nexthop.name);
  const WallTime wall = std::chrono::time_point_cast<Duration>(std::chrono::system_clock::now());
  writer_.begin({simulation::kRecordingVersion, HOPWISE_VERSION, wall, began_,
                 simulation::RecordingHead::From::running, options},
                engine_);
  pass_on();
  log_.info("recording", {{"file", order.file}});
  return {};
}

Result<> Recording::end() {
  if (!file_) return Error{"nothing is being recorded"};
  finish("stopped");
  return {};
}

void Recording::settle(const Nexthops& nexthops) {
  if (!file_) return;
  for (const auto& [id, record] : nexthops) writer_.name(id, record.nexthop.name);
  pass_on();
  status_.seconds = seconds(clock_() - began_);
  if (const int error = file_->error)
    return finish(
        system_error("write " + order_.file, error, error == ENOSPC ? "make room there" : "")
            .message);
  if (file_->waiting > kMostWaiting) return finish("the disk is too slow for it");
  if (order_.duration && clock_() - began_ >= *order_.duration) return finish("its time is over");
  if (status_.bytes + kRoom >= order_.max_bytes) finish("it has reached its greatest size");
}

api::RecordStatus Recording::status() const {
  return status_;
}

void Recording::pass_on() {
  std::string text = writer_.take();
  if (text.empty()) return;
  status_.bytes += text.size();
  file_->waiting += text.size();
  boost::asio::post(disk_, [file = file_, text = std::move(text)] { file->write(text); });
}

void Recording::finish(const std::string& because) {
  writer_.end(because);
  pass_on();
  file_.reset();
  status_.recording = false;
  status_.seconds = seconds(clock_() - began_);
  status_.ended = because;
  log_.info(
      "recorded",
      {{"file", status_.file}, {"bytes", std::to_string(status_.bytes)}, {"because", because}});
}

}  // namespace hopwise
