#include "test/lab/link.hpp"

#include <fcntl.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <pthread.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <deque>
#include <mutex>
#include <thread>
#include <vector>

#include "test/lab/frame.hpp"
#include "test/lab/line.hpp"

namespace hopwise::lab {
namespace {

using Clock = std::chrono::steady_clock;

constexpr std::size_t kFrameBytes = 1514;  // Ethernet at MTU 1500
// Frames that a TAP device keeps while the relay is late: 100 ms of 200 Mbit/s in large frames.
constexpr const char* kDeviceQueue = "2000";
// At most so many frames of one device a round, so that a flood delays nobody else's delivery.
constexpr int kFramesPerRound = 128;
// A round under traffic waits so long before it looks again. It bounds the error of every time to
// about this, and saves a wake-up for each frame.
constexpr Duration kPause = std::chrono::microseconds(50);

struct Frame {
  TimePoint due;
  std::size_t size = 0;
  std::optional<Service> service;
  std::array<std::uint8_t, kFrameBytes> bytes;
};

// One direction: read from `from`, written to `to`.
struct Way {
  Way(int source, int sink, Direction which, std::uint64_t seed)
      : from(source), to(sink), direction(which), line(seed) {}

  int from;
  int to;
  Direction direction;
  Line line;
  std::deque<Frame> frames;  // by due time
  DirectionCounters counters;

  bool read(TimePoint now);  // false: nothing was there
  void deliver(TimePoint now);
};

bool Way::read(TimePoint now) {
  for (int i = 0; i < kFramesPerRound; ++i) {
    Frame& frame = frames.emplace_back();
    const ssize_t size = ::read(from, frame.bytes.data(), frame.bytes.size());
    if (size <= 0) {
      frames.pop_back();
      return i > 0;
    }
    frame.size = static_cast<std::size_t>(size);
    const auto [fate, due] = line.accept(frame.size, now);
    frame.due = due;
    frame.service = service_of(frame.bytes.data(), frame.size, direction);
    if (fate == Fate::delivered) continue;
    ++(fate == Fate::lost ? counters.lost : counters.dropped);
    frames.pop_back();
  }
  return true;
}

void Way::deliver(TimePoint now) {
  for (; !frames.empty() && frames.front().due <= now; frames.pop_front()) {
    const Frame& frame = frames.front();
    if (::write(to, frame.bytes.data(), frame.size) < 0) {
      ++counters.dropped;
      continue;
    }
    const auto count = [&](Count& c) { ++c.packets, c.bytes += frame.size; };
    count(counters.delivered);
    if (frame.service) count(counters.by_service[*frame.service]);
  }
}

struct Link {
  Link(int a, int b, std::uint64_t seed)
      : forward(a, b, Direction::forward, seed), backward(b, a, Direction::backward, seed + 1) {}
  Link(const Link&) = delete;
  Link& operator=(const Link&) = delete;
  ~Link() {
    ::close(forward.from);
    ::close(forward.to);
  }
  Way& way(Direction d) { return d == Direction::forward ? forward : backward; }

  Way forward;
  Way backward;
};

// Makes a TAP device in `where`; it lives as long as the descriptor.
Result<int> open_tap(const Port& port, const std::string& mac) {
  Result<int> opened = -1;
  port.where
      .thread([&] {
        const int fd = ::open("/dev/net/tun", O_RDWR | O_NONBLOCK | O_CLOEXEC);
        if (fd < 0) {
          opened = system_error("open /dev/net/tun", errno, "the lab needs the tun driver");
          return;
        }
        ifreq request{};
        request.ifr_flags = IFF_TAP | IFF_NO_PI;
        port.device.copy(request.ifr_name, IFNAMSIZ - 1);
        opened = fd;
        if (::ioctl(fd, TUNSETIFF, &request) < 0) {
          opened =
              system_error("make TAP device " + port.device + " in " + port.where.name(), errno);
          ::close(fd);
        }
      })
      .join();
  if (!opened) return opened;
  const std::string set = "link set " + port.device;
  auto up = port.where.ip(set + " address " + mac + "\n" + set + " txqueuelen " + kDeviceQueue +
                          "\n" + set + " up");
  if (up) return opened;
  ::close(*opened);
  return up.error();
}

}  // namespace

std::string mac_address(LinkId link, Side side) {
  char text[18];
  std::snprintf(text, sizeof(text), "02:68:77:00:%02x:%02x", static_cast<unsigned>(link) & 0xff,
                static_cast<unsigned>(side));
  return text;
}

struct Relay::Impl {
  int epoll = -1;
  int stop = -1;
  std::thread thread;
  mutable std::mutex mutex;                  // guards what follows
  std::vector<std::unique_ptr<Link>> links;  // by LinkId; never shrinks

  ~Impl();
  void run();
  bool round(const epoll_event* ready, int count);
  std::optional<TimePoint> next_due();
  Way& way(LinkId id, Direction direction) {
    return links.at(static_cast<std::size_t>(id))->way(direction);
  }
};

Relay::Impl::~Impl() {
  const std::uint64_t one = 1;
  if (thread.joinable() && ::write(stop, &one, sizeof(one)) == sizeof(one)) thread.join();
  ::close(stop);
  ::close(epoll);
}

// Reads what has arrived, then delivers what is due. Returns whether there is traffic.
bool Relay::Impl::round(const epoll_event* ready, int count) {
  const std::lock_guard lock(mutex);
  bool busy = false;
  const TimePoint arrived = Clock::now();
  for (int i = 0; i < count; ++i) {
    Way& from = *static_cast<Way*>(ready[i].data.ptr);
    if (ready[i].events & EPOLLIN)
      busy |= from.read(arrived);
    else  // the device is gone with its namespace
      ::epoll_ctl(epoll, EPOLL_CTL_DEL, from.from, nullptr);
  }
  const TimePoint now = Clock::now();
  for (const auto& link : links) {
    link->forward.deliver(now);
    link->backward.deliver(now);
  }
  return busy;
}

std::optional<TimePoint> Relay::Impl::next_due() {
  const std::lock_guard lock(mutex);
  std::optional<TimePoint> next;
  for (const auto& link : links)
    for (const Way* way : {&link->forward, &link->backward})
      if (!way->frames.empty())
        next = std::min(next.value_or(TimePoint::max()), way->frames.front().due);
  return next;
}

void Relay::Impl::run() {
  // Due times matter more than anybody's computing, and sleeps end when they should.
  sched_param first{};
  first.sched_priority = 1;
  if (::pthread_setschedparam(::pthread_self(), SCHED_RR, &first) != 0)
    ::setpriority(PRIO_PROCESS, static_cast<id_t>(::gettid()), -15);
  ::prctl(PR_SET_TIMERSLACK, 1000);
  std::array<epoll_event, 32> ready;
  for (;;) {
    timespec wait{};
    const auto next = next_due();
    if (next) {
      const Duration left = std::max(*next - Clock::now(), Duration::zero());
      wait.tv_sec = left / std::chrono::seconds(1);
      wait.tv_nsec = (left % std::chrono::seconds(1)).count();
    }
    const int count =
        ::epoll_pwait2(epoll, ready.data(), ready.size(), next ? &wait : nullptr, nullptr);
    for (int i = 0; i < count; ++i)
      if (ready[i].data.ptr == nullptr) return;
    if (round(ready.data(), std::max(count, 0))) std::this_thread::sleep_for(kPause);
  }
}

Relay::Relay(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Relay::~Relay() = default;

Result<std::unique_ptr<Relay>> Relay::open() {
  auto impl = std::make_unique<Impl>();
  impl->epoll = ::epoll_create1(EPOLL_CLOEXEC);
  impl->stop = ::eventfd(0, EFD_CLOEXEC);
  epoll_event stop{.events = EPOLLIN, .data = {.ptr = nullptr}};
  if (impl->epoll < 0 || impl->stop < 0 ||
      ::epoll_ctl(impl->epoll, EPOLL_CTL_ADD, impl->stop, &stop) != 0)
    return system_error("open the relay", errno);
  impl->thread = std::thread([raw = impl.get()] { raw->run(); });
  return std::unique_ptr<Relay>(new Relay(std::move(impl)));
}

Result<LinkId> Relay::connect(const Port& a, const Port& b) {
  std::size_t id = 0;
  {
    const std::lock_guard lock(impl_->mutex);
    id = impl_->links.size();
  }
  const auto side_a = open_tap(a, mac_address(LinkId(id), Side::a));
  if (!side_a) return side_a.error();
  const auto side_b = open_tap(b, mac_address(LinkId(id), Side::b));
  if (!side_b) {
    ::close(*side_a);
    return side_b.error();
  }
  const std::lock_guard lock(impl_->mutex);
  Link& link = *impl_->links.emplace_back(std::make_unique<Link>(*side_a, *side_b, 2 * id + 1));
  for (Way* way : {&link.forward, &link.backward}) {
    epoll_event readable{.events = EPOLLIN, .data = {.ptr = way}};
    if (::epoll_ctl(impl_->epoll, EPOLL_CTL_ADD, way->from, &readable) != 0)
      return system_error("watch TAP device", errno);
  }
  return LinkId(id);
}

void Relay::set(LinkId link, const Impairment& both) {
  set(link, Direction::forward, both);
  set(link, Direction::backward, both);
}

void Relay::set(LinkId link, Direction direction, const Impairment& impairment) {
  const std::lock_guard lock(impl_->mutex);
  impl_->way(link, direction).line.impairment = impairment;
}

Impairment Relay::get(LinkId link, Direction direction) const {
  const std::lock_guard lock(impl_->mutex);
  return impl_->way(link, direction).line.impairment;
}

LinkCounters Relay::counters(LinkId link) const {
  const std::lock_guard lock(impl_->mutex);
  return {impl_->way(link, Direction::forward).counters,
          impl_->way(link, Direction::backward).counters};
}

Duration Relay::cpu_time() const {
  clockid_t clock{};
  timespec used{};
  if (::pthread_getcpuclockid(impl_->thread.native_handle(), &clock) != 0 ||
      ::clock_gettime(clock, &used) != 0)
    return {};
  return std::chrono::seconds(used.tv_sec) + std::chrono::nanoseconds(used.tv_nsec);
}

}  // namespace hopwise::lab
