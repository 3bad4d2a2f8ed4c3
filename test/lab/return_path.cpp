#include "test/lab/return_path.hpp"

#include <bpf/libbpf.h>
#include <net/if.h>

#include <cerrno>
#include <memory>

#include "return.skel.h"

namespace hopwise::lab {
namespace {

Result<> attach(const std::string& device, bpf_tc_attach_point point, const bpf_program* program) {
  const int ifindex = static_cast<int>(::if_nametoindex(device.c_str()));
  bpf_tc_hook hook{};
  hook.sz = sizeof(hook);
  hook.ifindex = ifindex;
  // clsact has both hooks at once; the first call makes it, the second finds it.
  hook.attach_point = static_cast<bpf_tc_attach_point>(BPF_TC_INGRESS | BPF_TC_EGRESS);
  if (const int made = bpf_tc_hook_create(&hook); made != 0 && made != -EEXIST)
    return system_error("add clsact to " + device, made);
  hook.attach_point = point;
  bpf_tc_opts options{};
  options.sz = sizeof(options);
  options.prog_fd = bpf_program__fd(program);
  if (const int failed = bpf_tc_attach(&hook, &options); failed != 0)
    return system_error(std::string("attach ") + bpf_program__name(program) + " to " + device,
                        failed);
  return {};
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
        for (const auto& device : devices) {
          if (done) done = attach(device, BPF_TC_INGRESS, programs->progs.learn);
          if (done) done = attach(device, BPF_TC_EGRESS, programs->progs.answer);
        }
      })
      .join();
  return done;
}

}  // namespace hopwise::lab
