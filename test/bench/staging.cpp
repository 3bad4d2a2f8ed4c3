#include "test/bench/staging.hpp"

#include <memory>

#include "core/dataplane/stage.hpp"

namespace hopwise::bench {

probes::Staging stage() {
  const auto device = std::make_shared<dataplane::Stage>(dataplane::Stage::Options{});
  return {
      .open = [device] { return device->raise(); },
      .lead = [device](NexthopId id, const NexthopKey& key) { return device->set(id, key); },
      .forget = [device](NexthopId id) { device->remove(id); },
      .close = [device] { device->lower(); },
  };
}

}  // namespace hopwise::bench
