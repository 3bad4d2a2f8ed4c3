// Which probes ask the kernel how long they wait in this host's own queue. Pure.
//
// That takes a second stamp, before the queue, and a stamp is dear: a packet cloned, queued and
// read. A wait that is short now is looked at again with every eighth probe, and with the next one
// at once when a probe was seen to leave late. One that is long is looked at with every probe.
//
// The second stamp also names the interface where its driver's does not, as of a VLAN or a bond,
// whose drivers pass packets on: there every probe asks for it.
#pragma once

#include <cstdint>
#include <optional>

#include "core/model/time.hpp"

namespace hopwise::probes {

class LocalWait {
 public:
  /// Whether that probe asks. Of any eight in a row one does, of each pinned flow in turn.
  [[nodiscard]] bool asks(std::uint32_t sequence) const {
    return !driver_tells_ || long_ || sequence % kEvery == sequence / kEvery % kEvery;
  }
  /// A probe has left. `driver_tells`: by its driver's stamp alone it is known to have left by the
  /// nexthop; `wait`: in the queue, if it asked; `since_handed`: from when its batch was handed to
  /// the kernel.
  void observe(bool driver_tells, std::optional<Duration> wait, Duration since_handed) {
    driver_tells_ = driver_tells;
    long_ = wait ? *wait > kLong : long_ || since_handed > kLate;
  }

 private:
  static constexpr std::uint32_t kEvery = 8;
  static constexpr Duration kLong = std::chrono::microseconds(50);
  // More than a batch takes on its way through the kernel.
  static constexpr Duration kLate = std::chrono::milliseconds(1);

  bool driver_tells_ = false;
  bool long_ = false;
};

}  // namespace hopwise::probes
