#include "core/daemon/staging.hpp"

#include <memory>
#include <string>

namespace hopwise {
namespace {

struct Told {
  Told(const dataplane::Stage::Options& options, std::function<void(const Error&)> on_trouble)
      : stage(options), trouble(std::move(on_trouble)) {}

  dataplane::Stage stage;
  std::function<void(const Error&)> trouble;
  std::string last;

  Result<std::uint32_t> open() {
    auto ifindex = stage.raise();
    const std::string now = ifindex ? "" : ifindex.error().message;
    if (now != last && !ifindex) trouble(ifindex.error());
    last = now;
    return ifindex;
  }
};

}  // namespace

probes::Staging stage_probes(const dataplane::Stage::Options& options,
                             std::function<void(const Error&)> trouble) {
  const auto told = std::make_shared<Told>(options, std::move(trouble));
  return {
      .open = [told] { return told->open(); },
      .lead = [told](NexthopId id, const NexthopKey& key) { return told->stage.set(id, key); },
      .forget = [told](NexthopId id) { told->stage.remove(id); },
      .close = [told] { told->stage.lower(); },
      .counts = [told] { return told->stage.counters(); },
  };
}

}  // namespace hopwise
