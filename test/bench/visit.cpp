#include "test/bench/visit.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>

namespace hopwise::bench {
namespace {

void enter(int fd, const std::string& name) {
  if (fd < 0 || setns(fd, CLONE_NEWNET) != 0)
    Result<>(system_error("enter namespace " + name, errno, "needs root")).value();
}

}  // namespace

Visit::Visit(const lab::Namespace& where)
    : home_(open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC)) {
  const dataplane::Handle there(open(where.path().c_str(), O_RDONLY | O_CLOEXEC));
  enter(there.fd(), where.name());
}

Visit::~Visit() {
  (void)!setns(home_.fd(), CLONE_NEWNET);
}

AloneOnCpu::AloneOnCpu() {
  sched_getaffinity(0, sizeof(before_), &before_);
  int last = 0;
  for (int cpu = 0; cpu < CPU_SETSIZE; ++cpu)
    if (CPU_ISSET(cpu, &before_)) last = cpu;
  cpu_set_t one{};
  CPU_SET(last, &one);
  sched_setaffinity(0, sizeof(one), &one);
  const sched_param priority{.sched_priority = 1};
  sched_setscheduler(0, SCHED_FIFO, &priority);
}

AloneOnCpu::~AloneOnCpu() {
  const sched_param none{};
  sched_setscheduler(0, SCHED_OTHER, &none);
  sched_setaffinity(0, sizeof(before_), &before_);
}

}  // namespace hopwise::bench
