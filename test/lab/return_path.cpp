#include "test/lab/return_path.hpp"

#include <bpf/libbpf.h>
#include <net/if.h>

#include <cerrno>
#include <memory>

#include "return.skel.h"

namespace hopwise::lab {
namespace {

Result<> attach(bpf_tc_hook hook, bpf_tc_attach_point point, const bpf_program* program) {
  hook.attach_point = point;
  bpf_tc_opts options{};
  options.sz = sizeof(options);
  options.prog_fd = bpf_program__fd(program);
  if (const int failed = bpf_tc_attach(&hook, &options); failed != 0)
    return system_error(std::string("attach ") + bpf_program__name(program), failed);
  return {};
}

Result<> attach_both(const std::string& device, const return_bpf& programs) {
  bpf_tc_hook hook{};
  hook.sz = sizeof(hook);
  hook.ifindex = static_cast<int>(::if_nametoindex(device.c_str()));
  hook.attach_point = static_cast<bpf_tc_attach_point>(BPF_TC_INGRESS | BPF_TC_EGRESS);
  if (const int made = bpf_tc_hook_create(&hook); made != 0)
    return system_error("add clsact to " + device, made);
  if (auto in = attach(hook, BPF_TC_INGRESS, programs.progs.learn); !in) return in;
  return attach(hook, BPF_TC_EGRESS, programs.progs.answer);
}

}  // namespace

Result<> answer_by_origin(const Namespace& server, const std::vector<std::string>& devices) {
  Result<> done;
  server
      .thread([&] {
        const std::unique_ptr<return_bpf, void (*)(return_bpf*)> programs(
            return_bpf__open_and_load(), return_bpf__destroy);
        if (!programs) {
          done = system_error("load return.bpf.c", errno);
          return;
        }
        for (const auto& device : devices)
          if (done) done = attach_both(device, *programs);
      })
      .join();
  return done;
}

}  // namespace hopwise::lab
