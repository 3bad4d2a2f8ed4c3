#include "test/bpf/interfaces.hpp"

#include <net/if.h>
#include <sys/utsname.h>

#include <cstdio>
#include <filesystem>

#include "test/catch.hpp"

namespace hopwise::test {

using dataplane::Dataplane;
using dataplane::HookChoice;
using dataplane::Role;

bool has_tcx() {
  utsname system{};
  int major = 0, minor = 0;
  REQUIRE(uname(&system) == 0);
  REQUIRE(std::sscanf(system.release, "%d.%d", &major, &minor) == 2);
  if (major > 6 || (major == 6 && minor >= 6)) return true;
  WARN("this kernel has no TCX");
  return false;
}

dataplane::Options with(HookChoice hook) {
  dataplane::Options options;
  options.hook = hook;
  return options;
}

void make_veth(const std::string& name) {
  PrivateNamespace::run("ip link add " + name + " type veth peer name " + name + "-peer");
  PrivateNamespace::run("ip link set " + name + " up");
}

Dataplane::Attachment on(const std::string& name, Role role) {
  return {if_nametoindex(name.c_str()), name, role};
}

std::string describe(const std::vector<dataplane::Hook>& hooks) {
  std::string all;
  for (const auto& hook : hooks) all += text(hook) + "; ";
  return all;
}

void expect_nothing_left(const Router& router) {
  const auto removed = dataplane::detach_all(router.pin_root());
  REQUIRE(removed.has_value());
  CHECK_FALSE(removed->empty());
  CHECK(describe(dataplane::find_hooks()).empty());
  CHECK_FALSE(std::filesystem::exists(router.pin_root()));
  CHECK(dataplane::detach_all(router.pin_root())->empty());
}

}  // namespace hopwise::test
