// Programs on real interfaces: attached, replaced, and gone without a trace.
#include <bpf/bpf.h>
#include <net/if.h>
#include <sched.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <cstdio>
#include <filesystem>

#include "core/dataplane/hooks.hpp"
#include "core/dataplane/pins.hpp"
#include "test/bpf/router.hpp"
#include "test/catch.hpp"

using namespace hopwise;
using namespace hopwise::test;
using dataplane::Dataplane;
using dataplane::HookChoice;
using dataplane::Role;
namespace fs = std::filesystem;

namespace {

// Links of TCX: Linux 6.6. Before, only clsact is there, and nothing of ours hangs on an interface.
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

// Another network namespace, as long as this lives.
class Elsewhere {
 public:
  Elsewhere() : child_(fork()) {
    if (child_ != 0) return;
    if (unshare(CLONE_NEWNET) != 0) _exit(1);
    for (;;) pause();
  }
  ~Elsewhere() {
    kill(child_, SIGKILL);
    waitpid(child_, nullptr, 0);
  }
  Elsewhere(const Elsewhere&) = delete;
  Elsewhere& operator=(const Elsewhere&) = delete;
  [[nodiscard]] std::string pid() const {
    const auto space = [](const std::string& process) {
      return fs::read_symlink("/proc/" + process + "/ns/net");
    };
    while (space(std::to_string(child_)) == space("thread-self")) usleep(1000);
    return std::to_string(child_);
  }

 private:
  pid_t child_;
};

void expect_nothing_left(const Router& router) {
  const auto removed = dataplane::detach_all(router.pin_root());
  REQUIRE(removed.has_value());
  CHECK_FALSE(removed->empty());
  CHECK(describe(dataplane::find_hooks()).empty());
  CHECK_FALSE(fs::exists(router.pin_root()));
  CHECK(dataplane::detach_all(router.pin_root())->empty());
}

}  // namespace

TEST_CASE("attachments become exactly what is wanted, and detach leaves nothing", "[bpf]") {
  const auto hook = GENERATE(HookChoice::automatic, HookChoice::clsact);
  const std::string by = hook == HookChoice::automatic && has_tcx() ? " tcx; " : " clsact; ";
  Router router(with(hook));
  make_veth("lan0");
  make_veth("wan0");
  auto& dataplane = router.dataplane();
  CHECK(dataplane.attach({on("lan0", Role::lan), on("wan0", Role::wan)}).empty());
  CHECK(describe(dataplane::find_hooks()) == "steer lan0" + by + "observe wan0" + by);
  REQUIRE(dataplane.attachments().size() == 2);
  CHECK(dataplane.attachments()[0].role == "lan");

  SECTION("what is wanted again stays, what is not goes") {
    CHECK(dataplane.attach({on("wan0", Role::wan)}).empty());
    CHECK(describe(dataplane::find_hooks()) == "observe wan0" + by);
  }
  SECTION("an interface that changes its role changes its program") {
    CHECK(dataplane.attach({on("lan0", Role::wan), on("wan0", Role::wan)}).empty());
    CHECK(describe(dataplane::find_hooks()) == "observe lan0" + by + "observe wan0" + by);
  }
  SECTION("an interface that came back is attached again") {
    PrivateNamespace::run("ip link del lan0");
    make_veth("lan0");
    CHECK(dataplane.attach({on("lan0", Role::lan), on("wan0", Role::wan)}).empty());
    CHECK(describe(dataplane::find_hooks()) == "observe wan0" + by + "steer lan0" + by);
  }
  SECTION("an interface that came back with its old number is attached again") {
    const std::string number = std::to_string(if_nametoindex("lan0"));
    PrivateNamespace::run("ip link del lan0");
    PrivateNamespace::run("ip link add lan0 index " + number + " type veth peer name lan0-peer");
    CHECK(dataplane.attach({on("lan0", Role::lan), on("wan0", Role::wan)}).empty());
    CHECK(describe(dataplane::find_hooks()) == "steer lan0" + by + "observe wan0" + by);
  }
  SECTION("one that took the number of another, which lives on elsewhere, is attached") {
    const std::string number = std::to_string(if_nametoindex("lan0"));
    const Elsewhere elsewhere;
    PrivateNamespace::run("ip link set lan0 netns " + elsewhere.pid());
    PrivateNamespace::run("ip link add lan0 index " + number + " type veth peer name lan0-new");
    CHECK(dataplane.attach({on("lan0", Role::lan), on("wan0", Role::wan)}).empty());
    CHECK(dataplane.attachments().size() == 2);
    CHECK(describe(dataplane::find_hooks()) == "steer lan0" + by + "observe wan0" + by);
  }
  SECTION("one that cannot be attached is reported and the others go on") {
    PrivateNamespace::run("ip tuntap add tun0 mode tun");
    const auto errors =
        dataplane.attach({on("tun0", Role::lan), on("wan0", Role::wan), on("lan0", Role::lan)});
    REQUIRE(errors.size() == 1);
    CHECK(errors[0].message.starts_with("attach steer to tun0: no Ethernet device"));
    CHECK(dataplane.attachments().size() == 2);
  }
  SECTION("one that has gone is no error, and no attachment") {
    const std::vector wanted{on("lan0", Role::lan), on("wan0", Role::wan)};
    PrivateNamespace::run("ip link del lan0");
    REQUIRE(dataplane.attachments().size() == 1);
    CHECK(dataplane.attachments()[0].name == "wan0");
    CHECK(dataplane.attach(wanted).empty());
    CHECK(dataplane.attachments().size() == 1);
  }
  SECTION("after a crash detach still finds everything") {
    router.crash();
  }
  expect_nothing_left(router);
}

TEST_CASE("one interface takes several roles, each with a hook of its own", "[bpf]") {
  const auto hook = GENERATE(HookChoice::automatic, HookChoice::clsact);
  const std::string by = hook == HookChoice::automatic && has_tcx() ? " tcx; " : " clsact; ";
  Router router(with(hook));
  make_veth("stick0");
  const std::vector wanted{on("stick0", Role::lan), on("stick0", Role::wan),
                           on("stick0", Role::lan_return)};
  const std::string all =
      "steer stick0" + by + "observe stick0" + by + "observe stick0 egress" + by;
  CHECK(router.dataplane().attach(wanted).empty());
  CHECK(describe(dataplane::find_hooks()) == all);
  const auto before = dataplane::find_hooks();
  REQUIRE(router.dataplane().attachments().size() == 3);
  CHECK(router.dataplane().attachments()[2].role == "lan_return");

  SECTION("one of them ends and the others stay") {
    CHECK(router.dataplane().attach({wanted[1], wanted[2]}).empty());
    CHECK(describe(dataplane::find_hooks()) ==
          "observe stick0" + by + "observe stick0 egress" + by);
    CHECK(router.dataplane().attach({wanted[2]}).empty());
    CHECK(describe(dataplane::find_hooks()) == "observe stick0 egress" + by);
  }
  SECTION("one of them is taken off by somebody else, and put back") {
    REQUIRE(dataplane::remove_hook(before.at(2)));
    REQUIRE(router.dataplane().attachments().size() == 2);
    CHECK(router.dataplane().attach(wanted).empty());
    CHECK(describe(dataplane::find_hooks()) == all);
  }
  SECTION("the next daemon takes over each") {
    router.restart();
    CHECK(router.dataplane().attach(wanted).empty());
    const auto after = dataplane::find_hooks();
    REQUIRE(after.size() == 3);
    for (std::size_t i = 0; i < 3; ++i) CHECK(after[i].link_id == before[i].link_id);
  }
  SECTION("a crash leaves them all") {
    router.crash();
    CHECK(describe(dataplane::find_hooks()) == all);
  }
  expect_nothing_left(router);
}

TEST_CASE("the next daemon replaces the programs in place", "[bpf]") {
  const auto first = GENERATE(HookChoice::automatic, HookChoice::clsact);
  Router router(with(first));
  make_veth("lan0");
  make_veth("wan0");
  const std::vector wanted{on("lan0", Role::lan), on("wan0", Role::wan)};
  CHECK(router.dataplane().attach(wanted).empty());
  const auto before = dataplane::find_hooks();
  router.restart();
  CHECK(describe(dataplane::find_hooks()) == describe(before));
  CHECK(router.dataplane().attach(wanted).empty());
  const auto after = dataplane::find_hooks();
  CHECK(describe(after) == describe(before));
  CHECK(after.at(0).link_id == before.at(0).link_id);  // the same link, updated
  expect_nothing_left(router);
}

TEST_CASE("a daemon that no longer wants an interface frees it of the old one's program", "[bpf]") {
  const auto hook = GENERATE(HookChoice::automatic, HookChoice::clsact);
  Router router(with(hook));
  make_veth("lan0");
  make_veth("lan1");
  CHECK(router.dataplane().attach({on("lan0", Role::lan), on("lan1", Role::lan)}).empty());
  router.restart();
  CHECK(router.dataplane().attach({on("lan1", Role::lan)}).empty());
  REQUIRE(dataplane::find_hooks().size() == 1);
  CHECK(dataplane::find_hooks()[0].interface == "lan1");
  expect_nothing_left(router);
}

TEST_CASE("hooks that somebody else removed are attached again", "[bpf]") {
  const auto hook = GENERATE(HookChoice::automatic, HookChoice::clsact);
  Router router(with(hook));
  make_veth("lan0");
  make_veth("wan0");
  const std::vector wanted{on("lan0", Role::lan), on("wan0", Role::wan)};
  auto& dataplane = router.dataplane();
  CHECK(dataplane.attach(wanted).empty());
  const auto before = dataplane::find_hooks();
  REQUIRE(before.size() == 2);

  SECTION("nothing is touched while they are there") {
    CHECK(dataplane.attach(wanted).empty());
    CHECK(dataplane::find_hooks().at(0).link_id == before.at(0).link_id);
  }
  SECTION("the program was detached") {
    REQUIRE(dataplane::remove_hook(before.at(0)));
    REQUIRE(dataplane.attachments().size() == 1);
    CHECK(dataplane.attachments()[0].name == "wan0");
  }
  SECTION("the qdisc was deleted") {
    if (hook == HookChoice::clsact) {
      PrivateNamespace::run("tc qdisc del dev lan0 clsact");
      CHECK(dataplane.attachments().size() == 1);
    }
  }
  SECTION("all was detached, pins and folders too") {
    REQUIRE(dataplane::detach_all(router.pin_root()).has_value());
    CHECK(dataplane.attachments().empty());
  }
  CHECK(dataplane.attach(wanted).empty());
  CHECK(describe(dataplane::find_hooks()) == describe(before));
  CHECK(dataplane.attachments().size() == 2);
  expect_nothing_left(router);
}

TEST_CASE("pins that somebody removed are put back, for the next daemon to find", "[bpf]") {
  const auto hook = GENERATE(HookChoice::automatic, HookChoice::clsact);
  Router router(with(hook));
  make_veth("lan0");
  const std::vector wanted{on("lan0", Role::lan)};
  router.two_upstreams();
  CHECK(router.dataplane().attach(wanted).empty());
  const auto before = dataplane::find_hooks();
  PrivateNamespace::run("rm -r " + router.pin_root());
  CHECK(router.dataplane().attachments().size() == 1);  // the program itself is still there
  CHECK(router.dataplane().attach(wanted).empty());

  router.restart();
  CHECK(describe(dataplane::find_hooks()) == describe(before));
  CHECK(dataplane::find_hooks().at(0).link_id == before.at(0).link_id);
  CHECK(router.dataplane().adopted().groups.size() == 2);
  CHECK(router.dataplane().attach(wanted).empty());
  expect_nothing_left(router);
}

TEST_CASE("what could not be attached is tried again by the next call", "[bpf]") {
  if (!has_tcx()) return;
  Router router;
  make_veth("lan0");
  const std::vector wanted{on("lan0", Role::lan)};
  const fs::path folder = fs::directory_iterator(router.pin_root())->path() / dataplane::abi_name();
  const fs::path pin = folder / ("lan-" + std::to_string(wanted[0].ifindex));
  fs::create_directory(pin);  // in the pin's place, where no link can be pinned
  REQUIRE(router.dataplane().attach(wanted).size() == 1);
  CHECK(router.dataplane().attachments().empty());
  fs::remove(pin);
  CHECK(router.dataplane().attach(wanted).empty());
  CHECK(router.dataplane().attachments().size() == 1);
  expect_nothing_left(router);
}

TEST_CASE("detach leaves the clsact qdisc and the filters of others", "[bpf]") {
  Router router(with(HookChoice::clsact));
  make_veth("lan0");
  PrivateNamespace::run("tc qdisc add dev lan0 clsact");
  PrivateNamespace::run(
      "tc filter add dev lan0 ingress prio 7 protocol ip u32 match u32 0 0 flowid 1:1");
  CHECK(router.dataplane().attach({on("lan0", Role::lan)}).empty());
  expect_nothing_left(router);
  PrivateNamespace::run("tc filter show dev lan0 ingress | grep -q 'pref 7'");
}

TEST_CASE("folders of an older ABI go once the new programs are attached", "[bpf]") {
  Router router;
  const fs::path old = *fs::directory_iterator(router.pin_root()) / fs::path("v0");
  fs::create_directory(old);
  CHECK(router.dataplane().attach({}).empty());
  CHECK_FALSE(fs::exists(old));
}

TEST_CASE("folders of namespaces that are gone are removed, and no living one's", "[bpf]") {
  if (!has_tcx()) return;
  const bool by_start = GENERATE(false, true);
  const std::string root = "/sys/fs/bpf/hopwise-test-" + std::to_string(getpid());
  Router living;
  make_veth("lan0");
  CHECK(living.dataplane().attach({on("lan0", Role::lan)}).empty());
  dataplane::Options options;
  options.pin_root = root;
  {
    PrivateNamespace gone;
    make_veth("lan0");
    auto dead = Dataplane::open(options);
    REQUIRE(dead.has_value());
    CHECK((*dead)->attach({on("lan0", Role::lan)}).empty());
  }
  const auto folders = [&] {
    return std::distance(fs::directory_iterator(root), fs::directory_iterator());
  };
  REQUIRE(folders() == 2);
  const std::ptrdiff_t left = by_start ? 2 : 1;  // a start makes a folder of its own
  // A namespace is taken apart some time after its last user left.
  const auto deadline = Router::now() + std::chrono::seconds(10);
  {
    PrivateNamespace elsewhere;
    do {
      if (by_start)
        REQUIRE(Dataplane::open(options).has_value());
      else
        REQUIRE(dataplane::detach_all(root).has_value());
      usleep(20'000);
    } while (folders() > left && Router::now() < deadline);
    CHECK(folders() == left);
    REQUIRE(dataplane::detach_all(root).has_value());
    CHECK(folders() == 1);
  }
  CHECK(living.dataplane().attachments().size() == 1);
}

TEST_CASE("detach counts what it removed, and goes on after what it could not", "[bpf]") {
  const std::string root = "/sys/fs/bpf/hopwise-test-" + std::to_string(getpid());
  const fs::path folder = fs::path(root) / "pins", mounted = folder / "v0", later = folder / "v1";
  fs::create_directories(mounted);
  fs::create_directories(later);
  const auto pin = [](const fs::path& path) {
    const int map = bpf_map_create(BPF_MAP_TYPE_ARRAY, "any", 4, 8, 1, nullptr);
    CHECK(bpf_obj_pin(map, path.c_str()) == 0);
    close(map);
  };
  pin(folder / "a");
  pin(later / "b");
  PrivateNamespace::run("mount -t tmpfs none " + mounted.string());  // busy: cannot be removed
  const auto partly = dataplane::remove_pins(folder);
  PrivateNamespace::run("umount " + mounted.string());
  CHECK(partly.pins == 2);
  REQUIRE(partly.error);
  CHECK(partly.error->message.starts_with("remove " + mounted.string() + ": "));
  CHECK_FALSE(fs::exists(later));
  const auto rest = dataplane::remove_pins(folder);
  CHECK(rest.pins == 0);
  CHECK_FALSE(rest.error);
  CHECK_FALSE(fs::exists(folder));
  CHECK_FALSE(dataplane::remove_pins(folder).error);
  fs::remove(root);
}

TEST_CASE("without privileges detach says so and removes nothing", "[bpf]") {
  Router router;
  make_veth("lan0");
  CHECK(router.dataplane().attach({on("lan0", Role::lan)}).empty());
  PrivateNamespace::run("chmod -R a+rX " + router.pin_root());
  const pid_t child = fork();
  if (child == 0) {
    const bool dropped = setgid(65534) == 0 && setuid(65534) == 0;
    const auto removed = dataplane::detach_all(router.pin_root());
    const bool honest = !removed && removed.error().message.find("removed") == std::string::npos;
    _exit(dropped && honest ? 0 : 1);
  }
  int status = -1;
  REQUIRE(waitpid(child, &status, 0) == child);
  CHECK(status == 0);
  CHECK(router.dataplane().attachments().size() == 1);
  expect_nothing_left(router);
}

TEST_CASE("without a pin folder everything ends with the process", "[bpf]") {
  PrivateNamespace here;
  make_veth("lan0");
  dataplane::Options options;
  options.pin_root.clear();
  options.hook = GENERATE(HookChoice::automatic, HookChoice::clsact);
  {
    auto dataplane = Dataplane::open(options);
    REQUIRE(dataplane.has_value());
    CHECK((*dataplane)->attach({on("lan0", Role::lan)}).empty());
    CHECK(dataplane::find_hooks().size() == 1);
  }
  CHECK(dataplane::find_hooks().empty());
}
