#include "test/bench/program.hpp"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <stdexcept>
#include <string_view>

#include "core/dataplane/handle.hpp"
#include "core/model/result.hpp"

namespace hopwise::bench {
namespace {

[[noreturn]] void fail(const std::string& what, int error) {
  throw std::runtime_error(system_error(what, error < 0 ? -error : error).message);
}

void choose_settings(bpf_map* rodata, const hw_settings& settings) {
  if (bpf_map__set_initial_value(rodata, &settings, sizeof(settings)) != 0)
    throw std::runtime_error("the steering program has other constants than its settings");
}

void share(bpf_map* map, const std::string& folder, const Program* other) {
  const dataplane::Handle pinned(bpf_obj_get((folder + '/' + bpf_map__name(map)).c_str()));
  const int fd = pinned ? pinned.fd() : other != nullptr ? other->map(bpf_map__name(map)) : -1;
  if (fd >= 0 && bpf_map__reuse_fd(map, fd) != 0)
    fail(std::string("share map ") + bpf_map__name(map), errno);
}

bpf_test_run_opts packet_run(std::span<std::uint8_t> packet, __sk_buff& context, int repeat) {
  bpf_test_run_opts run{};
  run.sz = sizeof(run);
  run.data_in = packet.data();
  run.data_size_in = static_cast<__u32>(packet.size());
  run.data_out = packet.data();
  run.data_size_out = static_cast<__u32>(packet.size());
  run.ctx_in = &context;
  run.ctx_size_in = sizeof(context);
  run.repeat = repeat;
  return run;
}

}  // namespace

Program::Program(std::span<const std::byte> elf, const std::optional<hw_settings>& settings,
                 const std::string& folder, const Program* other)
    : object_(bpf_object__open_mem(elf.data(), elf.size(), nullptr), bpf_object__close) {
  if (!object_) fail("open a variant of the steering program", errno);
  bpf_map* map = nullptr;
  bpf_object__for_each_map(map, object_.get()) {
    if (!bpf_map__is_internal(map))
      share(map, folder, other);
    else if (settings && std::string_view(bpf_map__name(map)).ends_with(".rodata"))
      choose_settings(map, *settings);
  }
  if (const int failed = bpf_object__load(object_.get()); failed != 0)
    fail("load a variant of the steering program", failed);
}

int Program::map(const std::string& name) const {
  return bpf_object__find_map_fd_by_name(object_.get(), name.c_str());
}

int Program::entry(const std::string& name) const {
  const bpf_program* program = bpf_object__find_program_by_name(object_.get(), name.c_str());
  if (program == nullptr) throw std::runtime_error("no BPF program " + name);
  return bpf_program__fd(program);
}

hw_settings usual_settings() {
  hw_settings settings{};
  settings.measure = settings.escape = 1;
  settings.sample_share = 65536 / 16;
  settings.new_flows_per_ms = 100;
  settings.tick_ns = 4'000'000;
  return settings;
}

int run_once(int program, std::span<std::uint8_t> packet, std::uint32_t ifindex) {
  __sk_buff context{};
  context.ifindex = ifindex;
  bpf_test_run_opts run = packet_run(packet, context, 1);
  if (const int failed = bpf_prog_test_run_opts(program, &run); failed != 0)
    fail("run a program on a packet", failed);
  return static_cast<int>(run.retval);
}

double run_many(int program, std::span<std::uint8_t> packet, std::uint32_t ifindex, int repeat) {
  __sk_buff context{};
  context.ifindex = ifindex;
  bpf_test_run_opts run = packet_run(packet, context, repeat);
  if (const int failed = bpf_prog_test_run_opts(program, &run); failed != 0)
    fail("run a program on a packet", failed);
  return run.duration;
}

}  // namespace hopwise::bench
