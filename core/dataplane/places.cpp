#include "core/dataplane/places.hpp"

#include <bpf/bpf.h>

#include <memory>
#include <utility>

#include "core/dataplane/handle.hpp"

namespace hopwise::dataplane {
namespace {

// A wait is worth it in the middle of an update only when it is shared by this many.
constexpr std::size_t kMany = 1024;

}  // namespace

std::uint32_t Places::take() {
  if (free() == 0 && given_back_.size() >= kMany) wait_and_free();
  if (!free_.empty()) {
    const std::uint32_t place = free_.back();
    free_.pop_back();
    return place;
  }
  return fresh_ < count_ ? fresh_++ : 0;
}

void Places::reclaim(bool short_of) {
  if (!given_back_.empty() && (short_of || given_back_.size() > free())) wait_and_free();
}

void Places::wait_and_free() {
  if (!wait_()) return;
  free_.insert(free_.end(), given_back_.begin(), given_back_.end());
  given_back_.clear();
}

void Places::adopt(const std::vector<bool>& used) {
  free_.clear();
  given_back_.clear();
  fresh_ = count_;
  for (std::uint32_t place = count_; --place > 0;)
    if (!used[place]) given_back_.push_back(place);
  wait_and_free();
}

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
