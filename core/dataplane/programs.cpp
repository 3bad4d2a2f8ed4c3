#include "core/dataplane/programs.hpp"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <hopwise.skel.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cmath>
#include <vector>

#include "core/dataplane/handle.hpp"

namespace hopwise::dataplane {
namespace {

std::string pin_of(const std::string& folder, const bpf_map* map) {
  return folder + '/' + bpf_map__name(map);
}

bool defined_alike(int pinned_fd, const bpf_map* map) {
  bpf_map_info info{};
  __u32 size = sizeof(info);
  return bpf_obj_get_info_by_fd(pinned_fd, &info, &size) == 0 &&
         info.type == static_cast<__u32>(bpf_map__type(map)) &&
         info.key_size == bpf_map__key_size(map) && info.value_size == bpf_map__value_size(map) &&
         info.max_entries == bpf_map__max_entries(map) && info.map_flags == bpf_map__map_flags(map);
}

// All or nothing: half of the old tables would contradict the other half. Where there are some but
// not all, `set_aside` says why they do not serve.
bool reuse_pinned(bpf_object* object, const std::string& folder, std::string& set_aside) {
  std::vector<std::pair<bpf_map*, Handle>> pinned;
  std::string unlike, missing;
  bpf_map* map = nullptr;
  bpf_object__for_each_map(map, object) {
    if (bpf_map__is_internal(map)) continue;
    Handle fd(bpf_obj_get(pin_of(folder, map).c_str()));
    if (!fd)
      missing = bpf_map__name(map);
    else if (!defined_alike(fd.fd(), map))
      unlike = bpf_map__name(map);
    else
      pinned.emplace_back(map, std::move(fd));
  }
  if (!unlike.empty())
    set_aside = unlike + " is not defined as this version's";
  else if (!missing.empty() && !pinned.empty())
    set_aside = missing + " is missing";
  if (!unlike.empty() || !missing.empty()) return false;
  for (const auto& [mine, fd] : pinned)
    if (bpf_map__reuse_fd(mine, fd.fd()) != 0) {
      set_aside = std::string(bpf_map__name(mine)) + " cannot be taken over";
      return false;
    }
  return true;
}

// Of the clock that the programs read; every kernel's is within 10 ms.
__u32 tick_ns() {
  timespec step{};
  if (clock_getres(CLOCK_MONOTONIC_COARSE, &step) != 0 || step.tv_sec != 0) return 10'000'000;
  return static_cast<__u32>(step.tv_nsec);
}

}  // namespace

void Programs::Destroy::operator()(hopwise_bpf* object) const {
  hopwise_bpf::destroy(object);
}

hw_settings settings_of(const Options& options) {
  const auto of_65536 = [](double share) {
    return static_cast<__u32>(std::lround(std::clamp(share, 0.0, 1.0) * 65536));
  };
  hw_settings settings{};
  settings.actuator = options.actuator == Actuator::mark ? HW_ACTUATOR_MARK : HW_ACTUATOR_REDIRECT;
  settings.measure = options.measure;
  settings.escape = options.escape;
  settings.hold = options.hold_weights;
  settings.control_share = of_65536(options.control_share);
  settings.sample_share = of_65536(options.sample_share);
  settings.new_flows_per_ms = std::min((options.new_flows_per_s + 999) / 1000, 0xffffU);
  settings.tick_ns = tick_ns();
  return settings;
}

Result<Programs> Programs::load(const std::string& folder, const hw_settings& settings) {
  libbpf_set_print(nullptr);  // what it would print comes back as an error
  hopwise_bpf* object = hopwise_bpf::open();
  if (object == nullptr) return system_error("open the BPF programs", errno);
  Programs programs(object);
  object->rodata->hw_settings = settings;

  const bool taken_over = !folder.empty() && reuse_pinned(object->obj, folder, programs.set_aside_);
  if (const int failed = hopwise_bpf::load(object); failed != 0)
    return system_error(
        "load the BPF programs", failed,
        failed == -EPERM ? "" : "needs Linux 5.15 or later with CONFIG_BPF_SYSCALL");
  if (folder.empty() || taken_over) return programs;

  bpf_map* map = nullptr;
  bpf_object__for_each_map(map, object->obj) unlink(pin_of(folder, map).c_str());
  if (const auto pinned = programs.keep_pinned(folder); !pinned) return pinned.error();
  return programs;
}

Result<> Programs::keep_pinned(const std::string& folder) const {
  bpf_map* map = nullptr;
  bpf_object__for_each_map(map, object_->obj) {
    if (bpf_map__is_internal(map)) continue;  // settings: a program's own
    const std::string pin = pin_of(folder, map);
    if (access(pin.c_str(), F_OK) != 0 && bpf_obj_pin(bpf_map__fd(map), pin.c_str()) != 0)
      return system_error("pin " + pin, errno);
  }
  return {};
}

int Programs::steer_fd() const {
  return bpf_program__fd(object_->progs.hw_steer);
}
int Programs::observe_fd() const {
  return bpf_program__fd(object_->progs.hw_observe);
}
int Programs::local_fd() const {
  return bpf_program__fd(object_->progs.hw_local);
}

MapFds Programs::maps() const {
  const auto& maps = object_->maps;
  MapFds fds{};
  fds.router = bpf_map__fd(maps.hw_router);
  fds.routes4 = bpf_map__fd(maps.hw_routes4);
  fds.blocks4 = bpf_map__fd(maps.hw_blocks4);
  fds.routes6 = bpf_map__fd(maps.hw_routes6);
  fds.nodes6 = bpf_map__fd(maps.hw_nodes6);
  fds.groups = bpf_map__fd(maps.hw_groups);
  fds.classes = bpf_map__fd(maps.hw_classes);
  fds.buckets = bpf_map__fd(maps.hw_buckets);
  fds.paths = bpf_map__fd(maps.hw_paths);
  fds.nexthops = bpf_map__fd(maps.hw_nexthops);
  fds.flows = bpf_map__fd(maps.hw_flows);
  fds.embryos = bpf_map__fd(maps.hw_embryos);
  fds.traffic = bpf_map__fd(maps.hw_traffic);
  fds.rtt = bpf_map__fd(maps.hw_rtt);
  fds.reasons = bpf_map__fd(maps.hw_reasons);
  fds.counts = bpf_map__fd(maps.hw_counts);
  fds.events = bpf_map__fd(maps.hw_events);
  return fds;
}

}  // namespace hopwise::dataplane
