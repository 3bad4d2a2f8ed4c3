// The calling thread in another network namespace, or alone on one CPU, until the end of a scope.
#pragma once

#include <sched.h>

#include "core/dataplane/handle.hpp"
#include "test/lab/namespace.hpp"

namespace hopwise::bench {

/// In namespace `where`. Throws when it cannot be entered.
class Visit {
 public:
  explicit Visit(const lab::Namespace& where);
  ~Visit();
  Visit(const Visit&) = delete;
  Visit& operator=(const Visit&) = delete;

 private:
  dataplane::Handle home_;
};

/// On the last CPU, by SCHED_FIFO where that is allowed: nothing but interrupts and the hypervisor
/// takes it away, and softirqs run in this thread's time.
class AloneOnCpu {
 public:
  AloneOnCpu();
  ~AloneOnCpu();
  AloneOnCpu(const AloneOnCpu&) = delete;
  AloneOnCpu& operator=(const AloneOnCpu&) = delete;

 private:
  cpu_set_t before_{};
};

}  // namespace hopwise::bench
