#include "core/dataplane/grace_period.hpp"

#include <bpf/bpf.h>

#include <memory>

#include "core/dataplane/handle.hpp"

namespace hopwise::dataplane {

// Every change of a map of maps waits for the programs that run (Linux 4.19 and later).
// membarrier(MEMBARRIER_CMD_GLOBAL) would too, but refuses on a machine with nohz_full CPUs.
GracePeriod programs_grace_period() {
  struct Maps {
    Handle inner{bpf_map_create(BPF_MAP_TYPE_ARRAY, "hw_grace_inner", 4, 4, 1, nullptr)};
    Handle outer;
    Maps() {
      bpf_map_create_opts options{};
      options.sz = sizeof(options);
      options.inner_map_fd = static_cast<__u32>(inner.fd());
      outer = Handle(bpf_map_create(BPF_MAP_TYPE_ARRAY_OF_MAPS, "hw_grace", 4, 4, 1, &options));
    }
  };
  return [maps = std::make_shared<Maps>()] {
    const std::uint32_t only = 0;
    const int inner = maps->inner.fd();
    return bpf_map_update_elem(maps->outer.fd(), &only, &inner, BPF_ANY) == 0;
  };
}

}  // namespace hopwise::dataplane
