#include "probes/socket/doorbell.hpp"

#include <sys/epoll.h>

#include <array>
#include <cerrno>
#include <utility>

namespace hopwise::probes {
namespace {

int control(int epoll, int operation, int fd) {
  epoll_event event{};
  event.events = EPOLLIN | EPOLLONESHOT;  // and EPOLLERR: a transmit stamp
  event.data.fd = fd;
  return epoll_ctl(epoll, operation, fd, &event);
}

}  // namespace

Result<std::shared_ptr<Doorbell>> Doorbell::open(boost::asio::io_context& io,
                                                 std::function<void()> on_ring) {
  const int epoll = epoll_create1(EPOLL_CLOEXEC);
  if (epoll < 0) return system_error("open an epoll set for probes", errno);
  return std::shared_ptr<Doorbell>(new Doorbell(io, epoll, std::move(on_ring)));
}

Doorbell::Doorbell(boost::asio::io_context& io, int epoll, std::function<void()> on_ring)
    : epoll_(io, epoll), on_ring_(std::move(on_ring)) {}

Doorbell::~Doorbell() = default;

Result<> Doorbell::watch(int fd) {
  if (control(epoll_.native_handle(), EPOLL_CTL_ADD, fd) < 0)
    return system_error("wait for replies to probes", errno);
  watched_.push_back(fd);
  silent_.reserve(watched_.size());
  if (std::exchange(hushed_, false)) hush();
  return {};
}

void Doorbell::hush() {
  silent_.clear();
  if (std::exchange(hushed_, true)) return;
  for (const int fd : watched_) control(epoll_.native_handle(), EPOLL_CTL_DEL, fd);
}

void Doorbell::arm() {
  const int change = hushed_ ? EPOLL_CTL_ADD : EPOLL_CTL_MOD;
  for (const int fd : hushed_ ? watched_ : silent_) control(epoll_.native_handle(), change, fd);
  hushed_ = false;
  silent_.clear();
  if (waits_) return;
  waits_ = true;
  epoll_.async_wait(boost::asio::posix::descriptor_base::wait_read,
                    [weak = weak_from_this()](const boost::system::error_code& error) {
                      const auto self = weak.lock();
                      if (!error && self) self->rung();
                    });
}

void Doorbell::rung() {
  waits_ = false;
  std::array<epoll_event, 16> events{};
  const int count =
      epoll_wait(epoll_.native_handle(), events.data(), static_cast<int>(events.size()), 0);
  for (int i = 0; i < count; i++) silent_.push_back(events[i].data.fd);
  on_ring_();
}

}  // namespace hopwise::probes
